"""The checksums of S3, computed as bytes pass by and written in base64."""

import base64
import hashlib
from typing import Protocol

from awscrt import checksums as crt

ALGORITHMS = ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")
DIGEST_BYTES = {"crc32": 4, "crc32c": 4, "crc64nvme": 8, "sha1": 20, "sha256": 32}


class Hasher(Protocol):
    """A checksum in the making."""

    def update(self, data: bytes) -> None:
        """Add bytes."""

    def base64(self) -> str:
        """Return the checksum of all bytes so far, in base64."""


class _Crc:
    def __init__(self, algorithm: str) -> None:
        self._step = getattr(crt, algorithm)
        self._size_bytes = DIGEST_BYTES[algorithm]
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = self._step(data, self._value)

    def base64(self) -> str:
        return base64.b64encode(self._value.to_bytes(self._size_bytes, "big")).decode()


class _Sha:
    def __init__(self, algorithm: str) -> None:
        self._hash = hashlib.new(algorithm, usedforsecurity=False)

    def update(self, data: bytes) -> None:
        self._hash.update(data)

    def base64(self) -> str:
        return base64.b64encode(self._hash.digest()).decode()


def new_hasher(algorithm: str) -> Hasher:
    """Return a fresh hasher for one of `ALGORITHMS`."""
    assert algorithm in ALGORITHMS
    return _Crc(algorithm) if algorithm.startswith("crc") else _Sha(algorithm)


def is_well_formed(algorithm: str, text: str) -> bool:
    """Return whether a text can be a checksum of this algorithm."""
    try:
        return len(base64.b64decode(text, validate=True)) == DIGEST_BYTES[algorithm]
    except ValueError:
        return False
