"""When to try again: doubling waits with full jitter, so that many do not come back at once."""

import random

BASE_SECONDS = 0.5
CAP_SECONDS = 300.0
ATTEMPTS_MAX = 12


def back_off_seconds(
    attempt: int, rng: random.Random, *, base: float = BASE_SECONDS, cap: float = CAP_SECONDS
) -> float:
    """Return the wait after failed attempt `attempt` >= 1, in [ceiling / 2, ceiling] seconds."""
    ceiling = min(cap, base * 2.0 ** min(attempt - 1, 30))
    return ceiling * (0.5 + rng.random() / 2)
