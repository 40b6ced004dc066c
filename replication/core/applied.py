"""Which events of one writer were applied: all up to a frontier, and islands beyond it.

Laws: a number is contained exactly when it was added; adding it again changes nothing; the order
of additions does not matter. Islands are disjoint, ascending, and never touch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Island = tuple[int, int]


@dataclass(frozen=True, slots=True)
class AppliedRanges:
    """A set of sequence numbers from 1 on.

    Attributes:
        frontier: Highest n for which 1..n are all in the set; 0 when 1 is not.
        islands: Inclusive ranges above `frontier + 1`.
    """

    frontier: int = 0
    islands: tuple[Island, ...] = ()

    def contains(self, seq: int) -> bool:
        """Return whether `seq` is in the set."""
        return 0 < seq <= self.frontier or any(low <= seq <= high for low, high in self.islands)

    def add(self, seq: int) -> tuple["AppliedRanges", bool]:
        """Return the set with `seq`, and whether it was new."""
        if self.contains(seq):
            return self, False
        if seq == self.frontier + 1 and not self.islands:
            return AppliedRanges(seq), True
        return self.add_through(seq, seq), True

    def add_through(self, low: int, high: int) -> "AppliedRanges":
        """Return the set with all of low..high; 1 <= low <= high."""
        assert 1 <= low <= high
        merged: list[Island] = []
        for start, end in sorted([(0, self.frontier), *self.islands, (low, high)]):
            if merged and start <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], end))
            else:
                merged.append((start, end))
        return AppliedRanges(merged[0][1], tuple(merged[1:]))

    def to_json(self) -> dict[str, Any]:
        """Return the set as a JSON object."""
        return {"frontier": self.frontier, "islands": [list(island) for island in self.islands]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "AppliedRanges":
        """Return the set that `to_json` wrote."""
        return cls(value["frontier"], tuple((low, high) for low, high in value["islands"]))
