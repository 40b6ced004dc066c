"""Version vectors: what one history has seen of every writer.

A `VectorClock` maps an actor to the highest sequence number seen of it; an actor that is not
there counts as 0. Under `merge` the clocks form a lattice: commutative, associative and
idempotent, and a merge is never below either side (Fidge 1988, Mattern 1989).
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum


class Causality(StrEnum):
    """How one history stands to another."""

    EQUAL = "equal"
    BEFORE = "before"
    AFTER = "after"
    CONCURRENT = "concurrent"


class VectorClock(Mapping[int, int]):
    """An immutable version vector."""

    __slots__ = ("_entries",)

    def __init__(self, entries: Mapping[int, int] | None = None) -> None:
        self._entries = {actor: seq for actor, seq in (entries or {}).items() if seq > 0}

    def __getitem__(self, actor: int) -> int:
        return self._entries[actor]

    def __iter__(self) -> Iterator[int]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __hash__(self) -> int:
        return hash(frozenset(self._entries.items()))

    def __repr__(self) -> str:
        return f"VectorClock({self._entries})"

    def covers(self, actor: int, seq: int) -> bool:
        """Return whether this history has seen the event (actor, seq)."""
        return seq <= self._entries.get(actor, 0)

    def increment(self, actor: int) -> "VectorClock":
        """Return the clock after one more event of `actor`."""
        return self.with_dot(actor, self._entries.get(actor, 0) + 1)

    def with_dot(self, actor: int, seq: int) -> "VectorClock":
        """Return the clock that has also seen (actor, seq) and all before it."""
        if self.covers(actor, seq):
            return self
        return VectorClock({**self._entries, actor: seq})

    def merge(self, other: Mapping[int, int]) -> "VectorClock":
        """Return the least clock that has seen all that either side has seen."""
        merged = dict(self._entries)
        for actor, seq in other.items():
            if seq > merged.get(actor, 0):
                merged[actor] = seq
        return VectorClock(merged)

    def dominates(self, other: Mapping[int, int]) -> bool:
        """Return whether this history has seen everything that `other` has."""
        return all(seq <= self._entries.get(actor, 0) for actor, seq in other.items())

    def compare(self, other: "VectorClock") -> Causality:
        """Return whether this history equals, precedes, follows or is concurrent with `other`."""
        ahead, behind = self.dominates(other), other.dominates(self)
        if ahead and behind:
            return Causality.EQUAL
        if ahead:
            return Causality.AFTER
        return Causality.BEFORE if behind else Causality.CONCURRENT

    def to_json(self) -> dict[str, int]:
        """Return a JSON object; actors become strings, because JSON keys are."""
        return {str(actor): seq for actor, seq in sorted(self._entries.items())}

    @classmethod
    def from_json(cls, value: Mapping[str, int]) -> "VectorClock":
        """Return the clock that `to_json` wrote.

        Raises:
            ValueError: A key or a number is not an integer.
        """
        return cls({int(actor): int(seq) for actor, seq in value.items()})
