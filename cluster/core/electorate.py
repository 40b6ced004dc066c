"""Whose agreement counts: the sets of members in each of which a majority must be found.

While the membership changes, nodes count differently for a moment. As long as a majority of the
members before the change does not know of it, a majority of either set is needed: so no two writes
can be confirmed by nodes that have no member in common.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from cluster.core.health import majority

MEMBERS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Electorate:
    """Who must agree.

    Attributes:
        current: The registered members, as this node knows them.
        settled: Those before the changes that a majority may not know of yet; empty when none.
        unmet: Members of `current` that are counted but not known yet.
    """

    current: frozenset[str]
    settled: frozenset[str] = frozenset()
    unmet: int = 0

    def sets(self) -> tuple[tuple[frozenset[str], int], ...]:
        """Return each set with the number of its members that must agree."""
        found = [(self.current, majority(len(self.current) + self.unmet))]
        if self.settled and self.settled != self.current:
            found.append((self.settled, majority(len(self.settled))))
        return tuple(found)

    def is_reached(self, nodes: Collection[str]) -> bool:
        """Return whether these nodes are a majority in each set."""
        return all(len(members.intersection(nodes)) >= needed for members, needed in self.sets())

    def missing(self, nodes: Collection[str]) -> int:
        """Return how many more nodes are needed where the most are."""
        return max(needed - len(members.intersection(nodes)) for members, needed in self.sets())

    def to_header(self) -> str:
        """Return the sets as a header holds them: names by commas, sets by semicolons."""
        return ";".join(",".join(sorted(members)) for members, _ in self.sets())


def sets_from_header(text: str) -> tuple[frozenset[str], ...]:
    """Return the sets that `to_header` wrote; what is too long or empty is left out."""
    found = [frozenset(filter(None, part.split(","))) for part in text.split(";")[:2]]
    return tuple(members for members in found if 0 < len(members) <= MEMBERS_MAX)


def is_settled(electorate: Electorate, agreeing: Iterable[str]) -> bool:
    """Return whether a change of the membership is known to enough nodes to count alone.

    Args:
        electorate: This node's own.
        agreeing: Nodes whose table is the same as this node's, this node included.
    """
    before = electorate.settled or electorate.current
    return len(before.intersection(agreeing)) >= majority(len(before))
