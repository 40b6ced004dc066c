"""When to stop calling a destination that fails, and when to try it again.

| state     | call allowed          | success       | failure                           |
|-----------|-----------------------|---------------|-----------------------------------|
| closed    | yes                   | stays closed  | the fifth in a row opens it       |
| open      | no, until `retry_at`  | closes it     | changes nothing                   |
| half open | one probe at a time   | closes it     | opens it again, for twice as long |

The breaker is a value: each function returns the next one. Laws: while it is open nothing is
called before `retry_at`; the wait grows up to a cap and is never longer; one success closes it.
"""

import random
from dataclasses import dataclass, replace
from enum import StrEnum

from replication.core.retry import back_off_seconds

FAILURES_TO_OPEN = 5
OPEN_BASE_SECONDS = 5.0
OPEN_CAP_SECONDS = 300.0
PROBE_SECONDS = 30.0


class BreakerState(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """The breaker of one destination.

    Attributes:
        state: Where it stands.
        failures: Failures in a row while it is closed.
        openings: How often it has opened since the last success; sets the wait.
        retry_at: Monotonic seconds before which nothing is called; when half open, the time at
            which a probe that never reported back counts as gone.
    """

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    openings: int = 0
    retry_at: float = 0.0

    def ask(self, now: float) -> tuple["CircuitBreaker", bool]:
        """Return the next breaker, and whether the destination may be called at `now`."""
        if self.state == BreakerState.CLOSED:
            return self, True
        if now < self.retry_at:
            return self, False
        half_open = replace(self, state=BreakerState.HALF_OPEN, retry_at=now + PROBE_SECONDS)
        return half_open, True

    def succeeded(self) -> "CircuitBreaker":
        """Return the breaker after a call that worked."""
        return CircuitBreaker()

    def failed(self, now: float, rng: random.Random) -> "CircuitBreaker":
        """Return the breaker after a call that failed at `now` (monotonic seconds)."""
        if self.state == BreakerState.OPEN:
            return self
        failures = self.failures + 1
        if self.state == BreakerState.CLOSED and failures < FAILURES_TO_OPEN:
            return replace(self, failures=failures)
        openings = self.openings + 1
        wait_seconds = back_off_seconds(openings, rng, base=OPEN_BASE_SECONDS, cap=OPEN_CAP_SECONDS)
        return CircuitBreaker(BreakerState.OPEN, 0, openings, now + wait_seconds)
