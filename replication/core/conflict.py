"""Which of several concurrent values readers see: always a function of the set alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rs3gw.storage.core.siblings import Sibling


class ConflictResolution(StrEnum):
    """How concurrent writes are resolved; the values are labels of metrics."""

    LAST_WRITE_WINS = "last_write_wins"
    FIRST_WRITE_WINS = "first_write_wins"
    VECTOR_CLOCK_MERGE = "vector_clock_merge"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True)
class Resolution:
    """What was decided about a set of siblings."""

    winner: Sibling
    losers: tuple[Sibling, ...]
    reason: str


def resolve(siblings: Sequence[Sibling], strategy: ConflictResolution) -> Resolution:
    """Return the winner among siblings; their order does not matter.

    Last write wins, and so does the body of a vector clock merge: the greatest
    (hlc, actor, seq). First write wins: the least of those that hold an object, so that a delete
    with a slow clock erases nothing.

    Raises:
        ValueError: There is no sibling, or the strategy needs a resolver that is not given.
    """
    if not siblings:
        raise ValueError("there is nothing to resolve")
    if strategy == ConflictResolution.CUSTOM:
        raise ValueError("a custom resolution needs a registered resolver")
    ordered = sorted(siblings, key=lambda s: s.stamp.order_key())
    if strategy == ConflictResolution.FIRST_WRITE_WINS:
        best = min(ordered, key=lambda s: (s.is_tombstone, s.stamp.order_key()))
    else:
        best = ordered[-1]
    losers = tuple(sibling for sibling in ordered if sibling is not best)
    reason = "the only value" if not losers else f"{strategy} among {len(ordered)} values"
    return Resolution(best, losers, reason)
