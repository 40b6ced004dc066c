"""The CRC of a whole from the CRCs of its parts, without reading them again.

A CRC is linear: appending n zero bytes to a text applies a fixed linear map to its CRC. That map,
a matrix over GF(2), is made by squaring the map of one bit; it is kept, because all parts of an
object but the last usually have one length.
"""

import base64
from collections.abc import Iterable
from functools import lru_cache

# Polynomials with their bits reversed, as these CRCs process the low bit first.
_POLYNOMIALS = {
    "crc32": (0xEDB88320, 32),
    "crc32c": (0x82F63B78, 32),
    "crc64nvme": (0x9A6C9329AC4BC9B5, 64),
}
ALGORITHMS = frozenset(_POLYNOMIALS)
Matrix = tuple[int, ...]


def _apply(matrix: Matrix, vector: int) -> int:
    result = 0
    for row in matrix:
        if not vector:
            break
        if vector & 1:
            result ^= row
        vector >>= 1
    return result


def _multiply(left: Matrix, right: Matrix) -> Matrix:
    return tuple(_apply(left, row) for row in right)


@lru_cache(maxsize=64)
def _zeros(algorithm: str, size_bytes: int) -> Matrix:
    """Return the map that so many zero bytes apply to a CRC."""
    polynomial, width = _POLYNOMIALS[algorithm]
    power: Matrix = (polynomial, *(1 << bit for bit in range(width - 1)))
    result: Matrix = tuple(1 << bit for bit in range(width))
    bits = size_bytes * 8
    while bits:
        if bits & 1:
            result = _multiply(power, result)
        power = _multiply(power, power)
        bits >>= 1
    return result


def combine(algorithm: str, first: int, second: int, second_bytes: int) -> int:
    """Return the CRC of two texts, one after the other.

    Args:
        algorithm: One of `ALGORITHMS`.
        first: CRC of the first text.
        second: CRC of the second text.
        second_bytes: Length of the second text.
    """
    return _apply(_zeros(algorithm, second_bytes), first) ^ second


def combine_all(algorithm: str, parts: Iterable[tuple[str, int]]) -> str:
    """Return the CRC of a whole in base64.

    Args:
        algorithm: One of `ALGORITHMS`.
        parts: CRC in base64 and length in bytes of each part, in order.
    """
    width = _POLYNOMIALS[algorithm][1]
    total = 0
    for text, size_bytes in parts:
        value = int.from_bytes(base64.b64decode(text), "big")
        total = combine(algorithm, total, value, size_bytes)
    return base64.b64encode(total.to_bytes(width // 8, "big")).decode()
