"""The CRC of two texts behind each other, from their CRCs alone.

A CRC register is a polynomial over GF(2) modulo the CRC's own. Bytes that follow shift the first
text's polynomial up by eight powers of x each, which is a multiplication; the second text's is
then added to it. All three CRCs of S3 begin and end with an inversion, which cancels out.

Polynomials are written with the highest bit as the coefficient of x to the power 0, as the
registers of these CRCs are.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

SHIFTS_CACHED = 1024


@dataclass(frozen=True, slots=True)
class Crc:
    """One CRC: its width and its polynomial, without the leading term."""

    width_bits: int
    polynomial: int


CRCS = {
    "crc32": Crc(32, 0xEDB88320),
    "crc32c": Crc(32, 0x82F63B78),
    "crc64nvme": Crc(64, 0x9A6C9329AC4BC9B5),
}


def combine(algorithm: str, first: int, second: int, second_size_bytes: int) -> int:
    """Return the CRC of two texts behind each other.

    Args:
        algorithm: One of `CRCS`.
        first: CRC of the first text.
        second: CRC of the second text.
        second_size_bytes: Length of the second text, >= 0.
    """
    return _product(CRCS[algorithm], _shift(algorithm, second_size_bytes), first) ^ second


def combine_all(algorithm: str, parts: Iterable[tuple[int, int]]) -> int:
    """Return the CRC of many texts behind each other, given (CRC, length in bytes) of each."""
    total = 0
    for value, size_bytes in parts:
        total = combine(algorithm, total, value, size_bytes)
    return total


def _product(crc: Crc, one: int, other: int) -> int:
    """Return the product of two polynomials modulo the CRC's."""
    product, bit = 0, 1 << (crc.width_bits - 1)
    while one:
        if one & bit:
            product ^= other
            one ^= bit
        bit >>= 1
        other = (other >> 1) ^ crc.polynomial if other & 1 else other >> 1
    return product


@lru_cache(maxsize=SHIFTS_CACHED)
def _shift(algorithm: str, size_bytes: int) -> int:
    """Return x to the power of eight times a length, modulo the CRC's polynomial."""
    crc = CRCS[algorithm]
    one = 1 << (crc.width_bits - 1)
    power, result = one >> 8, one
    while size_bytes:
        if size_bytes & 1:
            result = _product(crc, power, result)
        power = _product(crc, power, power)
        size_bytes >>= 1
    return result
