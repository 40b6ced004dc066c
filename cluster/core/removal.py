"""Who was removed for good: pairs of a node and the writer id it had, and the epoch they raised.

Laws: `merge` is commutative, associative and idempotent, and nothing is ever taken out, so the
epoch, which is the highest of all removals, never falls. A removal names the writer id, so the same
node may come back: with another one it is a new member, and the old one stays shut out for ever.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cluster.core.config import NODE_ID
from cluster.core.membership import (
    ACTOR_MAX,
    INCARNATION_MAX,
    RECORDS_MAX,
    TEXT_CHARS_MAX,
    MalformedMessage,
    whole_number,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """One node that was removed by an operator while it was failed.

    Attributes:
        node_id: Its name.
        actor: Writer id of its data directory at that time.
        epoch: Membership epoch that the removal began, >= 1.
        removed_by: Who did it, and on which node.
        at_ms: When, in milliseconds since 1970 by that node's clock.
    """

    node_id: str
    actor: int
    epoch: int
    removed_by: str = ""
    at_ms: int = 0

    def order_key(self) -> tuple[int, int, str]:
        """Return the position in the total order of which `merge` keeps the greatest."""
        return self.epoch, self.at_ms, self.removed_by

    def to_json(self) -> dict[str, object]:
        """Return the removal as JSON values."""
        return {
            "node_id": self.node_id,
            "actor": self.actor,
            "epoch": self.epoch,
            "by": self.removed_by,
            "at_ms": self.at_ms,
        }


class Removals:
    """An immutable set of removals, one for each node and writer id."""

    __slots__ = ("_found",)

    def __init__(self, removals: Iterable[Removal] = ()) -> None:
        self._found: dict[tuple[str, int], Removal] = {}
        for removal in removals:
            key = (removal.node_id, removal.actor)
            known = self._found.get(key, removal)
            self._found[key] = max(known, removal, key=Removal.order_key)

    def __iter__(self) -> Iterator[Removal]:
        return iter(self._found.values())

    def __len__(self) -> int:
        return len(self._found)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Removals) and self._found == other._found

    def __hash__(self) -> int:
        return hash(frozenset(self._found.values()))

    @property
    def epoch(self) -> int:
        """The membership epoch: the highest of all removals, 0 before the first."""
        return max((removal.epoch for removal in self), default=0)

    def find(self, node_id: str, actor: int) -> Removal | None:
        """Return the removal of a node under a writer id, or None."""
        return self._found.get((node_id, actor))

    def merge(self, other: "Removals") -> "Removals":
        """Return the set that knows what either knows."""
        return Removals([*self, *other])

    def to_json(self) -> list[dict[str, object]]:
        """Return at most `RECORDS_MAX` removals, the latest, as JSON values."""
        latest = sorted(self, key=lambda r: (*r.order_key(), r.node_id, r.actor))[-RECORDS_MAX:]
        return [removal.to_json() for removal in latest]


def removals_from_json(data: object) -> Removals:
    """Return the removals of a message.

    Raises:
        MalformedMessage: It is no list of at most `RECORDS_MAX` well-formed removals.
    """
    if not isinstance(data, list) or len(data) > RECORDS_MAX:
        raise MalformedMessage
    return Removals(removal_from_json(item) for item in data)


def removal_from_json(data: object) -> Removal:
    """Return one removal; fields that this version does not know are ignored.

    Raises:
        MalformedMessage: A field is missing, of the wrong type or out of bounds.
    """
    if not isinstance(data, dict):
        raise MalformedMessage
    node_id, removed_by = data.get("node_id"), data.get("by", "")
    if not isinstance(node_id, str) or not NODE_ID.fullmatch(node_id):
        raise MalformedMessage(f"{node_id!r} is no node.")
    if not isinstance(removed_by, str) or len(removed_by) > TEXT_CHARS_MAX:
        raise MalformedMessage("by must be a short text.")
    epoch = whole_number(data, "epoch", INCARNATION_MAX)
    actor = whole_number(data, "actor", ACTOR_MAX)
    if not epoch or not actor:
        raise MalformedMessage("A removal names an epoch and a writer id.")
    return Removal(
        node_id=node_id,
        actor=actor,
        epoch=epoch,
        removed_by=removed_by,
        at_ms=whole_number(data, "at_ms", INCARNATION_MAX),
    )
