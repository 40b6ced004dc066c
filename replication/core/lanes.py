"""What a lane does with the answers to a batch.

Laws: every event that was sent is afterwards acked, to be retried, or parked: none is lost. The
cursor passes all of them, because one that failed stands beside the lane and blocks nobody.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from replication.core.envelope import ItemResult
from replication.core.retry import ATTEMPTS_MAX, back_off_seconds

DELIVERED_CODES = frozenset({"applied", "duplicate", "superseded", "stale_bucket"})
LANE_BACK_OFF_CAP_SECONDS = 2.0
BUSY_SECONDS_MIN = 0.2
BUSY_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Sent:
    """An event of a batch: its place in the log and its dot."""

    position: int
    actor: int
    seq: int


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """An event that is sent again at `next_at` (seconds since 1970)."""

    position: int
    attempts: int
    next_at: float
    reason: str


@dataclass(frozen=True, slots=True)
class ParkPlan:
    """An event that waits for a person."""

    position: int
    reason: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of a batch.

    Attributes:
        cursor: Where the lane goes on.
        acked: Positions that were delivered.
        retry: Those that are sent again later.
        parked: Those that need a person.
    """

    cursor: int
    acked: tuple[int, ...]
    retry: tuple[RetryPlan, ...]
    parked: tuple[ParkPlan, ...]


def plan_batch(sizes_bytes: Sequence[int], *, inline_max_bytes: int, total_max_bytes: int) -> int:
    """Return how many of the next events go into one request: at least one when there is any.

    Small bodies share a request up to `total_max_bytes`. A large body closes the request, so that
    what follows does not wait for it.

    Args:
        sizes_bytes: Body sizes of the next events, in the order of the log.
        inline_max_bytes: Largest body that travels inside its event.
        total_max_bytes: Most bytes of small bodies in one request.
    """
    total_bytes = 0
    for count, size_bytes in enumerate(sizes_bytes):
        is_large = size_bytes > inline_max_bytes
        if count and (is_large or total_bytes + size_bytes > total_max_bytes):
            return count
        if is_large:
            return count + 1
        total_bytes += size_bytes
    return len(sizes_bytes)


def settle(
    batch: Sequence[Sent],
    results: Sequence[ItemResult],
    *,
    cursor: int,
    attempts: Mapping[int, int],
    now: float,
    rng: random.Random,
) -> Settlement:
    """Return what becomes of each event of a batch.

    Args:
        batch: What was sent.
        results: What the destination answered; an event without an answer is retried.
        cursor: Position of the last event that the batch covers.
        attempts: Earlier failed attempts, by position.
        now: Seconds since 1970.
        rng: For jitter.
    """
    by_dot = {(result.actor, result.seq): result for result in results}
    acked: list[int] = []
    retry: list[RetryPlan] = []
    parked: list[ParkPlan] = []
    for sent in batch:
        result = by_dot.get((sent.actor, sent.seq))
        if result is not None and result.code in DELIVERED_CODES:
            acked.append(sent.position)
            continue
        reason = "no answer" if result is None else f"{result.code} {result.reason}".strip()
        count = attempts.get(sent.position, 0) + 1
        if (result is not None and result.code == "parked") or count >= ATTEMPTS_MAX:
            parked.append(ParkPlan(sent.position, reason))
        else:
            next_at = now + back_off_seconds(count, rng)
            retry.append(RetryPlan(sent.position, count, next_at, reason))
    return Settlement(cursor, tuple(acked), tuple(retry), tuple(parked))


def lane_back_off(attempt: int, rng: random.Random) -> float:
    """Return the seconds a lane rests after its destination failed `attempt` times in a row.

    They are few: when failures go on, the link's breaker opens and says how long.
    """
    return back_off_seconds(attempt, rng, cap=LANE_BACK_OFF_CAP_SECONDS)


def busy_rest(asked_seconds: float, rng: random.Random) -> float:
    """Return the seconds a lane rests when its destination is busy: what it asks for, and a bit."""
    asked = min(BUSY_SECONDS_MAX, max(BUSY_SECONDS_MIN, asked_seconds))
    return asked * (1 + rng.random() / 2)
