"""What this node was told of how far the others are, and what follows from it.

The members' words come by gossip and are kept in a row for each disk. `current` puts them together
with this node's own state; the decisions are those of `replication.core.stability`.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.db.models import Min

from cluster import selectors as cluster_selectors
from cluster.core.node import Lifecycle, NodeInfo
from replication import selectors
from replication.core.stability import Cut, Told, cut
from replication.models import AppliedActor, Eviction, MemberFrontier, ReplicationEventRecord
from rs3gw.common import clock, identity
from rs3gw.storage.models import ClockShard

SHARD_MASK = 0xFF
STORE_INTERVAL_SECONDS = 2.0

# Each returns why nothing may be forgotten now, or "": jobs that compare or copy the index.
holds: list[Callable[[], str]] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far the region is.

    Attributes:
        cut: What every registered member has.
        others: The other registered members that count, by node id.
        held: Why no delete may be forgotten now, in words; "" when nothing stands against it.
    """

    cut: Cut
    others: Mapping[str, Told | None]
    held: str


class _Stored:
    """When a member's word was last written to its row, and what it was."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.at: dict[str, tuple[float, object]] = {}


_stored = _Stored()


def own_told() -> Told:
    """Return what this node says of itself."""
    # Frontiers first, own counters next, the log last: what is said of the log is never too much.
    frontiers = selectors.frontiers()
    settled = own_settled()
    writers = frozenset(settled)
    remote = AppliedActor.objects.filter(is_remote=True).values_list("actor", "settled")
    settled |= {actor: _left_log(actor, seq) for actor, seq in remote}
    return Told(writers=writers, frontiers=frontiers, settled=settled)


def own_settled() -> dict[int, int]:
    """Return up to where nothing of this node's own writers is left in its log."""
    counters = list(ClockShard.objects.values_list("actor", "seq"))
    return {actor: _left_log(actor, seq) for actor, seq in counters}


def _left_log(actor: int, through: int) -> int:
    """Return up to where no event of a writer is in the log, at most `through`."""
    found = ReplicationEventRecord.objects.filter(actor=actor).aggregate(least=Min("seq"))
    least = found["least"]
    return through if least is None else min(through, int(least) - 1)


def current() -> Standing:
    """Return how far the region is now."""
    snapshot = cluster_selectors.read()
    evicted = evicted_ids()
    others = {
        node.node_id: _told_by(node)
        for node in snapshot.registered
        if not node.is_self and node.node_id not in evicted
    }
    found = cut(own_told(), others)
    return Standing(cut=found, others=others, held=_held(found, snapshot))


def _held(found: Cut, snapshot: cluster_selectors.Snapshot) -> str:
    if not snapshot.own.is_member or is_rejoining():
        return "this node is joining"
    on_the_way = [n.node_id for n in snapshot.members if not n.is_member and not n.is_self]
    if on_the_way:
        return f"{', '.join(on_the_way)} is joining"
    if found.silent:
        return f"{', '.join(found.silent)} has not said how far it is"
    if found.ahead:
        return f"changes of {', '.join(found.ahead)} are on their way"
    return next((reason for hold in holds if (reason := hold())), "")


def _told_by(node: NodeInfo) -> Told | None:
    row = MemberFrontier.objects.filter(node_id=node.node_id, actor=node.actor).first()
    if row is None:
        return None
    frontiers, settled = _numbers(row.frontiers), _numbers(row.settled)
    writers = frozenset(a for a in frontiers if a & ~SHARD_MASK == node.actor)
    return Told(writers=writers, frontiers=frontiers, settled=settled)


def _numbers(value: object) -> dict[int, int]:
    """Return a JSON object of whole numbers.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return {int(actor): int(seq) for actor, seq in value.items()}


def note_told(node: NodeInfo, section: Mapping[str, object]) -> bool:
    """Store what a member said of itself; return whether it was stored.

    A row is written when something changed, and at most every `STORE_INTERVAL_SECONDS`.

    Args:
        node: Who said it, as this node knows it.
        section: Its word, with `actor`, `incarnation`, `frontiers` and `settled`.

    Raises:
        ValueError: It has another form.
    """
    incarnation = int(str(section.get("incarnation", 0)))
    if not node.is_member or not incarnation or section.get("actor") != node.actor:
        return False
    frontiers, settled = _numbers(section.get("frontiers")), _numbers(section.get("settled"))
    word = (node.actor, incarnation, frontiers, settled)
    with _stored.lock:
        at, known = _stored.at.get(node.node_id, (float("-inf"), None))
        now = clock.monotonic()
        if known == word or now - at < STORE_INTERVAL_SECONDS:
            return False
        _stored.at[node.node_id] = (now, word)
    MemberFrontier.objects.update_or_create(
        node_id=node.node_id,
        actor=node.actor,
        defaults={
            "incarnation": incarnation,
            "frontiers": frontiers,
            "settled": settled,
            "told_at": clock.utcnow(),
        },
    )
    return True


def forget_told(node_id: str) -> None:
    """Count a member as one that has said nothing."""
    with _stored.lock:
        _stored.at.pop(node_id, None)
    MemberFrontier.objects.filter(node_id=node_id).delete()


def forget_strangers() -> int:
    """Delete the words of who is no registered member any more, or has another disk."""
    known = {(node.node_id, node.actor) for node in cluster_selectors.registered()}
    gone = [row for row in MemberFrontier.objects.all() if (row.node_id, row.actor) not in known]
    for row in gone:
        forget_told(row.node_id)
    return len(gone)


def open_evictions() -> list[Eviction]:
    """Return the members that are evicted now, this node's own notice left out."""
    return list(
        Eviction.objects.filter(ended_at__isnull=True).exclude(node_id=identity.load().node_id)
    )


def evicted_ids() -> set[str]:
    """Return the node ids of the members that are evicted now."""
    return {row.node_id for row in open_evictions()}


def is_outdated(node_id: str) -> bool:
    """Return whether what a node sends must not be taken: it was evicted, or removed."""
    row = cluster_selectors.snapshot().rows.get(node_id)
    has_left = row is not None and row.state == Lifecycle.LEFT
    return has_left or node_id in evicted_ids()


def own_notice() -> Eviction | None:
    """Return the notice that this node was evicted and has not joined again yet, or None."""
    return Eviction.objects.filter(node_id=identity.load().node_id, ended_at__isnull=True).first()


def is_rejoining() -> bool:
    """Return whether this node was evicted and has not joined again yet."""
    return own_notice() is not None


def is_at_work() -> bool:
    """Return whether this node is an active, registered member."""
    own = cluster_selectors.self_info()
    return own.is_member and own.lifecycle == Lifecycle.ACTIVE
