"""Which members keep a body: weighted rendezvous hashing over virtual shards.

Each member scores `-weight / ln(u)` on each of 4096 shards, with u in (0, 1) drawn from a hash of
its name and the shard (Thaler and Ravishankar 1998; weights after Schindelhauer 2005), so a member
that comes or goes moves only its own share. The best of each zone go first: two copies lie in one
zone only when there are fewer zones than copies.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

SHARDS = 4096
_SHARD_HEX_DIGITS = 3
_TABLES_MAX = 8
_HASH_BITS = 53


@dataclass(frozen=True, slots=True)
class Member:
    """A node that may keep bodies.

    Attributes:
        node_id: Its name; a node that comes back under its name keeps its share.
        weight: Its share against the others; 0 takes no new bodies.
        zone: Its failure domain; "" is one of its own.
    """

    node_id: str
    weight: float = 1.0
    zone: str = ""


def shard_of(sha256: str) -> int:
    """Return the virtual shard of a body, from the first digits of its name."""
    return int(sha256[:_SHARD_HEX_DIGITS], 16)


def holders(sha256: str, members: Sequence[Member], replication_factor: int) -> list[str]:
    """Return the members that should keep a body, best first.

    Args:
        sha256: Name of the body, lower-case hex.
        members: Candidates, in any order.
        replication_factor: Copies wanted; 0 means one on every member.
    """
    table = _table(tuple(sorted(members, key=lambda member: member.node_id)))
    order = table.order(shard_of(sha256))
    return list(order[:replication_factor] if replication_factor else order)


class _Table:
    """The order of the members on each shard, worked out when it is first asked for."""

    def __init__(self, members: tuple[Member, ...]) -> None:
        self._members = [member for member in members if member.weight > 0]
        self._orders: dict[int, tuple[str, ...]] = {}

    def order(self, shard: int) -> tuple[str, ...]:
        """Return all members by preference: the best of each zone first."""
        known = self._orders.get(shard)
        if known is None:
            known = self._orders[shard] = self._rank(shard)
        return known

    def _rank(self, shard: int) -> tuple[str, ...]:
        ranked = sorted(
            self._members,
            key=lambda m: (_score(m.node_id, m.weight, shard), m.node_id),
            reverse=True,
        )
        # The k-th best of every zone comes before the k+1-th of any.
        seen_in_zone: dict[str, int] = {}
        keyed: list[tuple[int, int, str]] = []
        for place, member in enumerate(ranked):
            zone = member.zone or f"\0{member.node_id}"
            turn = seen_in_zone.get(zone, 0)
            seen_in_zone[zone] = turn + 1
            keyed.append((turn, place, member.node_id))
        return tuple(node_id for _, _, node_id in sorted(keyed))


@lru_cache(maxsize=_TABLES_MAX)
def _table(members: tuple[Member, ...]) -> _Table:
    return _Table(members)


def _score(node_id: str, weight: float, shard: int) -> float:
    digest = hashlib.blake2b(f"{node_id}/{shard}".encode(), digest_size=8).digest()
    draw = int.from_bytes(digest, "big") >> (64 - _HASH_BITS)
    return -weight / math.log((draw + 0.5) / 2**_HASH_BITS)
