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


def parse_part_range(header: str, size_bytes: int) -> tuple[int, int]:
    """Return (first byte, number of bytes) of the range of a copied part.

    Raises:
        S3Error: InvalidArgument: it is not `bytes=first-last`; InvalidRange: it is not inside.
    """
    match = re.fullmatch(r"bytes=(\d{1,18})-(\d{1,18})", header.strip())
    if not match or int(match[2]) < int(match[1]):
        raise S3Error(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first "
            "and last are the zero-based offsets of the first and last bytes to copy",
        )
    first, last = int(match[1]), int(match[2])
    if last >= size_bytes:
        raise S3Error(
            "InvalidRange", f"Range specified is not valid for source object of size: {size_bytes}"
        )
    return first, last - first + 1
