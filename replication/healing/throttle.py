"""The rate at which this process heals: RS3GW_HEAL_BYTES_PER_SECOND over all its transfers."""

import threading
from collections.abc import Callable, Iterable, Iterator

from django.conf import settings

from replication.core.bandwidth import TokenBucket
from rs3gw.common import clock

BURST_BYTES_MIN = 1024 * 1024
WAIT_SECONDS_MAX = 1.0


class Halted(Exception):
    """A transfer was given up because its job was paused, cancelled or taken over."""


class Throttle:
    """A bucket of bytes that all transfers of this process take from."""

    def __init__(self) -> None:
        self._bucket: TokenBucket | None = None
        self._lock = threading.Lock()

    def wait_seconds(self, size_bytes: int) -> float:
        """Take so many bytes; return how long to wait before they may be used."""
        rate = settings.RS3GW_HEAL_BYTES_PER_SECOND
        if not rate:
            return 0.0
        with self._lock:
            now = clock.monotonic()
            capacity = max(BURST_BYTES_MIN, rate)
            if self._bucket is None or self._bucket.refill_bytes_per_second != rate:
                self._bucket = TokenBucket(
                    capacity_bytes=capacity,
                    refill_bytes_per_second=rate,
                    level_bytes=0.0,
                    updated_at=now,
                )
            self._bucket, wait_seconds = self._bucket.take(min(size_bytes, capacity), now=now)
            return wait_seconds


throttle = Throttle()


def paced(chunks: Iterable[bytes], is_halted: Callable[[], bool]) -> Iterator[bytes]:
    """Yield chunks no faster than healing may go.

    Args:
        chunks: What is transferred.
        is_halted: Whether to give the transfer up; it is asked often and must be quick.

    Raises:
        Halted: It is to be given up.
    """
    for chunk in chunks:
        until = clock.monotonic() + throttle.wait_seconds(len(chunk))
        while (left := until - clock.monotonic()) > 0:
            if is_halted():
                raise Halted
            clock.sleep(min(left, WAIT_SECONDS_MAX))
        if is_halted():
            raise Halted
        yield chunk
