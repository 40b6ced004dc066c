"""The state of a key is a set of siblings; who wins is a function of that set alone.

Dotted version vectors (Preguica et al. 2010): each sibling carries its own dot and the context
its writer had seen. `join` drops what the other side has seen and replaced, and keeps the rest.
Laws: joining is commutative, associative and idempotent, so nodes that received the same events
in any order and number hold the same set. Never compare winners pairwise: with concurrent writes
that relation is not transitive, and nodes would end up different for ever.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rs3gw.common.vector_clock import VectorClock

Outcome = Literal["applied", "duplicate", "superseded"]


@dataclass(frozen=True, slots=True)
class Stamp:
    """Identity and time of one change: the dot (actor, seq) and its hybrid logical time."""

    actor: int
    seq: int
    hlc: int

    def order_key(self) -> tuple[int, int, int]:
        """Return the total order of changes; unique, because dots are."""
        return (self.hlc, self.actor, self.seq)


@dataclass(frozen=True, slots=True)
class Sibling:
    """One of the values that a key holds; a delete is a value too."""

    stamp: Stamp
    context: VectorClock
    is_tombstone: bool = False
    version_id: str = "null"
    payload: object = field(default=None, compare=False)

    def history(self) -> VectorClock:
        """Return all that this value follows, itself included."""
        return self.context.with_dot(self.stamp.actor, self.stamp.seq)


@dataclass(frozen=True, slots=True)
class JoinResult:
    """A key's state after a value arrived.

    Attributes:
        siblings: The new set, in a fixed order.
        dropped: Values that were in the set and are now replaced.
        outcome: `applied` when the value is in the new set for the first time.
    """

    siblings: tuple[Sibling, ...]
    dropped: tuple[Sibling, ...]
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Newer:
    """What stands above a change at a node that took it in, and that the change had not seen.

    Attributes:
        hlc: Its time; a change that shall come after it needs a later one.
        context: All that the node has seen of the key.
    """

    hlc: int
    context: VectorClock


def key_context(siblings: Iterable[Sibling]) -> VectorClock:
    """Return everything that a set has seen: what a new write here would follow."""
    context = VectorClock()
    for sibling in siblings:
        context = context.merge(sibling.history())
    return context


def join(current: Sequence[Sibling], incoming: Sibling) -> JoinResult:
    """Return the state of a key after `incoming` arrived.

    `current` holds the siblings of one key and version id; the context of the key is the join
    of theirs, which is complete because the newest value, or its tombstone, always stays.
    """
    stamp = incoming.stamp
    if any(s.stamp.actor == stamp.actor and s.stamp.seq == stamp.seq for s in current):
        return JoinResult(tuple(current), (), "duplicate")
    if key_context(current).covers(stamp.actor, stamp.seq):
        return JoinResult(tuple(current), (), "superseded")
    seen = incoming.context
    dropped = tuple(s for s in current if seen.covers(s.stamp.actor, s.stamp.seq))
    kept = [s for s in current if s not in dropped]
    siblings = sorted([*kept, incoming], key=lambda s: s.stamp.order_key())
    return JoinResult(tuple(siblings), dropped, "applied")


def winner(siblings: Iterable[Sibling]) -> Sibling | None:
    """Return the value of one version that readers see: the last write, by (hlc, actor, seq)."""
    return max(siblings, key=lambda s: s.stamp.order_key(), default=None)


def latest(siblings: Iterable[Sibling]) -> Sibling | None:
    """Return the value of a key, with all its versions, that readers see without a version id.

    A version whose winner is a tombstone was deleted and steps back behind those that were not;
    where all were deleted, the newest tombstone is returned.
    """
    versions: dict[str, Sibling] = {}
    for sibling in siblings:
        best = winner([sibling, *filter(None, [versions.get(sibling.version_id)])])
        assert best is not None
        versions[sibling.version_id] = best
    shown = [s for s in versions.values() if not s.is_tombstone]
    return winner(shown or versions.values())


def newer_than(siblings: Sequence[Sibling], change: Sibling) -> Newer | None:
    """Return what readers see of a key instead of a change that is in its set.

    None when they see the change, or something that was written by who had seen it.

    Args:
        siblings: All values of the key, the change among them unless it was replaced.
        change: The change; only its stamp, version id and kind count.
    """
    dot = change.stamp.actor, change.stamp.seq
    if change.is_tombstone:
        best = winner(s for s in siblings if s.version_id == change.version_id)
    else:
        best = latest(siblings)
    is_there = any((s.stamp.actor, s.stamp.seq) == dot for s in siblings)
    if best is None or not is_there or best.history().covers(*dot):
        return None
    return Newer(best.stamp.hlc, key_context(siblings))
