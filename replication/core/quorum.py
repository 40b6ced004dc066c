"""How many members must confirm a write, and whether they still can.

The majority is of the *registered* members, never of those that can be reached: else each side
of a partition would elect itself.
"""

from collections.abc import Collection, Iterable, Sequence

from cluster.core.config import ReplicationMode


def acks_needed(mode: ReplicationMode, members: int) -> int:
    """Return how many of `members` >= 1 must have an entry, the writer's own node included."""
    if mode == ReplicationMode.ASYNCHRONOUS:
        return 1
    return members if mode == ReplicationMode.SYNCHRONOUS else members // 2 + 1


def bodies_needed(mode: ReplicationMode, replication_factor: int) -> int:
    """Return how many durable copies of a body a write waits for, this node's included.

    Args:
        mode: Who must confirm.
        replication_factor: Copies wanted in the end, >= 1.
    """
    return acks_needed(mode, replication_factor)


def takers(order: Sequence[str], reachable: Collection[str], replication_factor: int) -> list[str]:
    """Return the members that take the copies of a new body.

    Where a preferred member cannot be reached, the next one in line stands in for it.

    Args:
        order: All members, best first.
        reachable: Those that can be written to now.
        replication_factor: Copies wanted; 0 means one on every member.
    """
    ready = [node_id for node_id in order if node_id in reachable]
    others = [node_id for node_id in order if node_id not in reachable]
    return [*ready, *others][: replication_factor or len(order)]


class AckTracker:
    """Who confirmed one write and who cannot; a member counts once."""

    def __init__(self, *, needed: int, members: Iterable[str]) -> None:
        self.needed = needed
        self.members = frozenset(members)
        self._open = set(self.members)
        self._acked: set[str] = set()

    @property
    def acked_count(self) -> int:
        """Members that confirmed."""
        return len(self._acked)

    @property
    def state(self) -> str:
        """`reached`, `impossible` when too few are left, else `pending`."""
        if len(self._acked) >= self.needed:
            return "reached"
        return "pending" if len(self._acked) + len(self._open) >= self.needed else "impossible"

    def ack(self, node_id: str) -> None:
        """Count a member's confirmation; one of a node that is no member counts for nothing."""
        if node_id in self._open:
            self._open.discard(node_id)
            self._acked.add(node_id)

    def fail(self, node_id: str) -> None:
        """Count that a member will not confirm."""
        self._open.discard(node_id)
