"""A part of a file as an answer's body: the kernel copies it to the socket, Python never sees it.

Applications reach it as `environ["rs3gw.file_slice"](file, offset, length)`, or for whole files
as the `wsgi.file_wrapper` of PEP 3333. It is an ordinary iterable too.
"""

import os
import stat
from collections.abc import Iterator
from typing import IO, Any

READ_BYTES = 256 * 1024


class FileSlice:
    """`length` bytes of an open file from `offset`; closing it closes the file."""

    def __init__(self, file: IO[bytes], offset: int, length: int) -> None:
        self.file = file
        self.offset = offset
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[bytes]:
        position, end = self.offset, self.offset + self.length
        while position < end:
            data = os.pread(self.file.fileno(), min(READ_BYTES, end - position), position)
            if not data:
                raise EOFError("the file is shorter than what was promised of it")
            position += len(data)
            yield data

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class _Blocks:
    """Anything with `read`, block by block."""

    def __init__(self, file: Any, block_bytes: int) -> None:
        self._file = file
        self._block_bytes = block_bytes

    def __iter__(self) -> Iterator[bytes]:
        while block := self._file.read(self._block_bytes):
            yield block

    def close(self) -> None:
        """Close the file where it can be closed."""
        close = getattr(self._file, "close", None)
        if close is not None:
            close()


def file_wrapper(file: Any, block_bytes: int = READ_BYTES) -> FileSlice | _Blocks:
    """Return the rest of a file as an answer's body (`wsgi.file_wrapper`)."""
    try:
        status = os.fstat(file.fileno())
        position = file.tell()
    except (AttributeError, OSError, ValueError):
        return _Blocks(file, block_bytes)
    if not stat.S_ISREG(status.st_mode):
        return _Blocks(file, block_bytes)
    return FileSlice(file, position, max(0, status.st_size - position))
