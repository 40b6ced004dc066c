"""Replication bandwidth: a bucket of bytes that bounds it, and a tracker that measures it.

Both take the time as an argument and never wait, so that a property test, the simulator and the
shells run the same code.
"""

from collections import deque
from dataclasses import dataclass, replace

WINDOW_SECONDS = 10.0
SAMPLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBucket:
    """Bytes that may be sent: refilled at a steady rate, up to a burst.

    Attributes:
        capacity_bytes: Largest burst; > 0.
        refill_bytes_per_second: Long-run rate; > 0.
        level_bytes: What may be sent at `updated_at`; negative while a debt is paid back.
        updated_at: Monotonic seconds of the last take.
    """

    capacity_bytes: int
    refill_bytes_per_second: float
    level_bytes: float
    updated_at: float

    def __post_init__(self) -> None:
        assert self.capacity_bytes > 0
        assert self.refill_bytes_per_second > 0
        assert self.level_bytes <= self.capacity_bytes

    def take(self, size_bytes: int, *, now: float) -> tuple["TokenBucket", float]:
        """Return the bucket after `size_bytes` were taken, and the seconds to wait first.

        Raises:
            ValueError: More than the burst was asked for at once, or less than nothing.
        """
        if not 0 <= size_bytes <= self.capacity_bytes:
            raise ValueError(f"cannot take {size_bytes} of {self.capacity_bytes} bytes at once")
        elapsed_seconds = max(0.0, now - self.updated_at)
        filled = self.level_bytes + elapsed_seconds * self.refill_bytes_per_second
        level_bytes = min(float(self.capacity_bytes), filled) - size_bytes
        wait_seconds = max(0.0, -level_bytes / self.refill_bytes_per_second)
        updated_at = max(now, self.updated_at)
        return replace(self, level_bytes=level_bytes, updated_at=updated_at), wait_seconds


class BandwidthTracker:
    """Rate of the last seconds, and the highest rate of any second.

    The specification's tracker: `current_rate` and `peak_rate` in bytes per second.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()
        self._started_at: float | None = None
        self._second = 0.0
        self._second_bytes = 0
        self._peak = 0.0

    def record(self, size_bytes: int, now: float) -> None:
        """Count bytes that were sent at `now` (monotonic seconds)."""
        if self._started_at is None:
            self._started_at = self._second = now
        self._samples.append((now, size_bytes))
        self._forget(now)
        if now - self._second >= SAMPLE_SECONDS:
            self._second, self._second_bytes = now, 0
        self._second_bytes += size_bytes
        self._peak = max(self._peak, self._second_bytes / SAMPLE_SECONDS)

    def current_rate(self, now: float) -> float:
        """Return the mean rate of the last `WINDOW_SECONDS`, or since the first record."""
        self._forget(now)
        if self._started_at is None or not self._samples:
            return 0.0
        span_seconds = min(WINDOW_SECONDS, max(now - self._started_at, SAMPLE_SECONDS))
        return sum(size_bytes for _, size_bytes in self._samples) / span_seconds

    def peak_rate(self) -> float:
        """Return the most bytes of any second so far."""
        return self._peak

    def _forget(self, now: float) -> None:
        while self._samples and self._samples[0][0] <= now - WINDOW_SECONDS:
            self._samples.popleft()
