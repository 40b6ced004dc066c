"""Whom to ask about a silent peer, and for how long one that comes and goes is held back."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from cluster.core.node import Liveness, NodeInfo

HELPERS = 2
FLAP_WINDOW = timedelta(minutes=10)
HOLD = timedelta(seconds=15)
HOLD_MAX = timedelta(minutes=5)


def choose_helpers(
    peers: Sequence[NodeInfo], silent: str, rng: random.Random, count: int = HELPERS
) -> list[NodeInfo]:
    """Return the members that are asked to reach a silent peer, at most `count`."""
    able = [p for p in peers if p.node_id != silent and p.liveness == Liveness.ALIVE]
    return rng.sample(able, min(count, len(able)))


def recent_failures(failures: Sequence[datetime], now: datetime) -> list[datetime]:
    """Return the failures that count: those within `FLAP_WINDOW`."""
    return [at for at in failures if now - FLAP_WINDOW < at <= now]


def held_until(failures: Sequence[datetime], now: datetime, *, limit: int) -> datetime | None:
    """Return until when a peer that failed now stays out of use although it is heard again.

    The hold doubles with each failure beyond the limit. Below the limit there is none: a restart
    or a pause must not cost a node its place.

    Args:
        failures: When it failed, the present failure included.
        now: The present.
        limit: Failures within `FLAP_WINDOW` from which on it counts as unstable; 0 for never.
    """
    excess = len(recent_failures(failures, now)) - limit
    if limit <= 0 or excess < 0:
        return None
    doublings = 1 << min(excess, 16)
    return now + min(HOLD * doublings, HOLD_MAX)
