"""The only file that reads a clock or waits.

Everything that decides takes `now` as an argument; the edges of the program read it here,
so that a test can say what time it is.
"""

import time
from datetime import UTC, datetime


def now() -> float:
    """Return wall-clock seconds since 1970-01-01 UTC."""
    return time.time()


def now_ms() -> int:
    """Return wall-clock milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def monotonic() -> float:
    """Return seconds of a clock that never steps back; only differences have a meaning."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Block the calling thread for `seconds` >= 0."""
    time.sleep(seconds)


def utcnow() -> datetime:
    """Return the wall clock as an aware UTC datetime."""
    return datetime.now(UTC)


def from_ms(milliseconds: int) -> datetime:
    """Return the aware UTC datetime that lies `milliseconds` after 1970-01-01."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
