"""The Range header: one range of bytes, as S3 answers it."""

import re

from rs3gw.s3.core.errors import S3Error

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def parse_range(header: str, size_bytes: int) -> tuple[int, int] | None:
    """Return (first byte, number of bytes), or None when the whole object is meant.

    A header that is not one range is ignored, as S3 does.

    Raises:
        S3Error: InvalidRange: the range begins behind the end.
    """
    match = _RANGE.fullmatch(header.strip())
    if not match or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = min(int(match[2]), size_bytes)
        if length == 0:
            raise S3Error("InvalidRange", "The requested range is not satisfiable")
        return size_bytes - length, length
    start = int(match[1])
    end = int(match[2]) if match[2] else size_bytes - 1
    if match[2] and end < start:
        return None
    if start >= size_bytes:
        raise S3Error("InvalidRange", "The requested range is not satisfiable")
    return start, min(end, size_bytes - 1) - start + 1
