"""What every member of a region has, and what may therefore be forgotten.

Each member tells, from time to time, how far it has applied each writer and how far nothing of a
writer is left in its log. From these two follows what may go:

- An event that every registered member has applied, and every lane has passed, is needed by
  nobody. Members that have failed count; only one that was evicted does not.
- A tombstone keeps older values of its key from coming back, so it goes when no such value can
  come any more: all that it follows was applied by everyone and left every log, and every change
  that some member made before it knew the tombstone is here.

Age never decides. It only delays.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage.core.siblings import Sibling, winner


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one member last said of itself, all of it at one moment.

    Attributes:
        writers: Its own writer ids, one for each shard of its log.
        frontiers: How far it has applied each writer without a gap; its own are complete.
        settled: For its own writers and those of remote regions: up to where none of their
            events is in its log, so that it will not send them to anyone.
    """

    writers: frozenset[int] = frozenset()
    frontiers: Mapping[int, int] = field(default_factory=dict)
    settled: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What all registered members have, as far as this node knows.

    Attributes:
        stable: How far everyone has applied each writer.
        settled: How far no log holds an event of a writer. A writer that is not named has no log
            any more: its disk is gone.
        silent: Members that have said nothing yet; while there are any, nothing is stable.
        ahead: Members whose own changes have not all arrived here.
    """

    stable: VectorClock
    settled: Mapping[int, int]
    silent: tuple[str, ...] = ()
    ahead: tuple[str, ...] = ()

    def is_settled(self, value: Sibling) -> bool:
        """Return whether nothing that a value follows, or is concurrent with it, can still come.

        What the value follows may be of a writer whose disk is gone: nobody sends that any more.
        """
        stamp = value.stamp
        if self.ahead or not self._is_past(stamp.actor, stamp.seq):
            return False
        context = value.context.items()
        return all(self._is_past(a, seq) for a, seq in context if a in self.settled)

    def _is_past(self, actor: int, seq: int) -> bool:
        return seq <= self.stable.get(actor, 0) and seq <= self.settled.get(actor, seq)

    def has_reached(self, mark: Mapping[int, int]) -> bool:
        """Return whether everyone has applied a mark, and no log holds anything up to it."""
        return not self.ahead and all(
            self._is_past(actor, seq) for actor, seq in mark.items() if actor in self.settled
        )


def cut(own: Told, others: Mapping[str, Told | None]) -> Cut:
    """Return what everyone has.

    Args:
        own: This node, as it is now; read after what the others said was stored.
        others: The other registered members that are not evicted, by node id, failed ones too;
            None for one that has said nothing since it joined or got a new disk.
    """
    silent = tuple(sorted(name for name, told in others.items() if told is None))
    heard = {name: told for name, told in others.items() if told is not None}
    everyone = [own, *heard.values()]
    stable = VectorClock() if silent else _least([told.frontiers for told in everyone])
    ahead = tuple(sorted(name for name, told in heard.items() if _is_ahead(told, own)))
    return Cut(stable=stable, settled=_settled(everyone), silent=silent, ahead=ahead)


def _least(frontiers: Sequence[Mapping[int, int]]) -> VectorClock:
    actors = set(frontiers[0]).intersection(*frontiers[1:])
    return VectorClock({actor: min(known[actor] for known in frontiers) for actor in actors})


def _is_ahead(told: Told, own: Told) -> bool:
    return any(own.frontiers.get(a, 0) < told.frontiers.get(a, 0) for a in told.writers)


def _settled(everyone: Sequence[Told]) -> dict[int, int]:
    """Return how far each writer's events have left all logs.

    Only its own node logs a writer of this region; one of a remote region may be in any log.
    """
    settled = {a: told.settled.get(a, 0) for told in everyone for a in told.writers}
    for actor in {a for told in everyone for a in told.settled} - settled.keys():
        settled[actor] = min(told.settled.get(actor, 0) for told in everyone)
    return settled


def remote_writers(everyone: Iterable[Told]) -> frozenset[int]:
    """Return the writers of remote regions that members speak of."""
    known = list(everyone)
    ours = {actor for told in known for actor in told.writers}
    return frozenset({actor for told in known for actor in told.settled} - ours)


def forgettable(
    siblings: Sequence[Sibling], is_settled: Callable[[Sibling], bool]
) -> tuple[Sibling, ...]:
    """Return which values of one version may be removed so that readers notice nothing.

    Where a delete won, everything goes at once or nothing: without the tombstone, an older value
    beside it would show. Where a value won, the tombstones that lost go.

    Args:
        siblings: All values of one version of a key.
        is_settled: Whether nothing that is older than a value, or concurrent, can still arrive.
    """
    best = winner(siblings)
    if best is None:
        return ()
    settled = tuple(s for s in siblings if is_settled(s))
    if not best.is_tombstone:
        return tuple(s for s in settled if s.is_tombstone)
    return settled if len(settled) == len(siblings) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may wait for one destination; 0 is no limit."""

    events: int = 0
    size_bytes: int = 0
    age_seconds: float = 0.0


def exceeded(limits: Limits, *, events: int, size_bytes: int, age_seconds: float) -> str:
    """Return which limit a destination is beyond, in words; "" when none is."""
    if limits.events and events > limits.events:
        return f"{events:,} changes wait for it, more than {limits.events:,}"
    if limits.size_bytes and size_bytes > limits.size_bytes:
        return f"{size_bytes:,} bytes wait for it, more than {limits.size_bytes:,}"
    if limits.age_seconds and age_seconds > limits.age_seconds:
        return f"a change waits for it since {age_seconds:.0f} s, over {limits.age_seconds:.0f} s"
    return ""


def may_evict(*, registered: int, reachable: int, evicted: int) -> bool:
    """Return whether one more member may be evicted without a person.

    A part that was cut off from the majority must not decide that the majority is out of date,
    and the members that stay must be a majority themselves.

    Args:
        registered: Members that count for a majority, this node and evicted ones included.
        reachable: Those of them that are heard, this node included.
        evicted: Those that are evicted already.
    """
    majority = registered // 2 + 1
    return reachable >= majority and registered - evicted - 1 >= majority


def ranges_of(numbers: Collection[int]) -> list[tuple[int, int]]:
    """Return numbers as inclusive ranges, ascending and as few as possible."""
    found: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
