"""Members that were away for longer than their changes are kept.

Such a member is evicted: nobody waits for it any more, its lanes are dropped, and what it sends is
refused. The nodes tell each other, and it, by gossip. When it hears of it, it joins again: it
copies what a member holds, and what only it holds goes into quarantine (`replication.review`).
Then it tells that it has, and the lanes to it begin again.
"""

import logging

from django.db import IntegrityError, transaction
from django.db.models import Max

from cluster import selectors as cluster_selectors
from cluster import services as cluster_services
from cluster.core.node import NodeInfo
from replication import lanes, selectors, stability
from replication.core.applied import AppliedRanges
from replication.core.stability import may_evict
from replication.errors import ControlError
from replication.models import (
    AppliedActor,
    DestinationKind,
    Eviction,
    Lane,
    ReplicationEventRecord,
    SkippedEvent,
)
from rs3gw.common import clock, identity
from rs3gw.storage import commit
from rs3gw.storage.models import ClockShard

logger = logging.getLogger(__name__)
SKIPS_TOLD_MAX = 200
HISTORY_MAX = 1000
REASON_CHARS_MAX = 255


def evict(node: NodeInfo, *, reason: str, decided_by: str, incarnation: int | None = None) -> bool:
    """Stop waiting for a member; return whether it was not evicted already.

    Args:
        node: Which; not this one.
        reason: Why, in words that an operator reads.
        decided_by: Node that decided, or the operator.
        incarnation: Under which incarnation it was evicted, when another node decided; it is
            back when it has joined again under this one or a later one.
    """
    try:
        with transaction.atomic():
            row = Eviction.objects.create(
                node_id=node.node_id,
                actor=node.actor,
                incarnation=node.incarnation if incarnation is None else incarnation,
                reason=reason[:REASON_CHARS_MAX],
                decided_by=decided_by,
                evicted_at=clock.utcnow(),
            )
            Eviction.objects.filter(pk__lte=row.pk - HISTORY_MAX, ended_at__isnull=False).delete()
    except IntegrityError:
        return False
    Lane.objects.filter(destination_kind=DestinationKind.MEMBER, destination=node.node_id).delete()
    stability.forget_told(node.node_id)
    logger.warning("%s is evicted and has to join again: %s", node.node_id, reason)
    return True


def evict_by_limit(node: NodeInfo, reason: str) -> bool:
    """Evict a member that is beyond a limit, unless this node must not decide that alone."""
    now = cluster_selectors.read()
    decides = may_evict(
        registered=len(now.registered),
        reachable=len(now.routable),
        evicted=len(stability.open_evictions()),
    )
    if not decides:
        logger.warning("%s: %s; no majority, so its changes are kept", node.node_id, reason)
        return False
    return evict(node, reason=reason, decided_by=identity.load().node_id)


def evict_by_operator(node_id: str, *, reason: str, author: str) -> None:
    """Evict a member because an operator says so.

    Raises:
        ControlError: It is this node, no member, or evicted already.
    """
    node = cluster_selectors.member(node_id)
    if node is None or node.is_self:
        raise ControlError(f"{node_id} is not another member of this region.")
    if not evict(node, reason=reason or "an operator decided so", decided_by=author):
        raise ControlError(f"{node_id} is evicted already.")


def end(row: Eviction, outcome: str) -> None:
    """Count an evicted member again; the lanes to it begin anew."""
    ended = Eviction.objects.filter(pk=row.pk, ended_at__isnull=True).update(
        ended_at=clock.utcnow(), outcome=outcome
    )
    if ended:
        logger.info("%s is no longer evicted: %s", row.node_id, outcome)
        lanes.ensure_lanes()


def end_settled() -> None:
    """Close the evictions of nodes that have left, or are back with an empty disk."""
    for row in stability.open_evictions():
        node = cluster_selectors.member(row.node_id)
        if node is None:
            end(row, "left the region")
        elif node.actor != row.actor and node.is_member:
            end(row, "came back with a new disk")


def say() -> dict[str, object]:
    """Return what this node tells the others by gossip."""
    own = cluster_selectors.self_info()
    # Membership first: who says that it is a member has taken over what it copied.
    word = stability.own_told()
    evicted = {row.node_id: [row.incarnation, row.reason] for row in stability.open_evictions()}
    section: dict[str, object] = {
        "actor": own.actor,
        "incarnation": own.incarnation if own.is_member else 0,
        "frontiers": {str(actor): seq for actor, seq in word.frontiers.items()},
        "settled": {str(actor): seq for actor, seq in word.settled.items()},
    }
    optional = {"evicted": evicted, "rejoined": _rejoined(own.node_id), "skipped": _skips()}
    return section | {name: value for name, value in optional.items() if value}


def _rejoined(own_id: str) -> int:
    closed = Eviction.objects.filter(node_id=own_id, ended_at__isnull=False)
    return max(closed.values_list("incarnation", flat=True), default=0)


def _skips() -> dict[str, list[list[int]]]:
    found: dict[str, list[list[int]]] = {}
    for row in SkippedEvent.objects.order_by("pk")[:SKIPS_TOLD_MAX]:
        found.setdefault(row.destination, []).append([row.actor, row.low, row.high])
    return found


def hear(node_id: str, section: object) -> None:
    """Take in what a member tells by gossip; what has another form is ignored."""
    node = cluster_selectors.member(node_id)
    if node is None or node.is_self or not isinstance(section, dict):
        return
    try:
        _hear_rejoined(node, int(section.get("rejoined", 0)))
        _hear_evicted(node, dict(section.get("evicted", {})))
        _hear_skipped(node, dict(section.get("skipped", {})))
        if node.node_id not in stability.evicted_ids():
            stability.note_told(node, section)
    except (ValueError, TypeError, LookupError, AttributeError):
        logger.warning("%s tells of its frontiers in a form that is not known here", node_id)


def _hear_rejoined(node: NodeInfo, incarnation: int) -> None:
    if not incarnation:
        return
    for row in stability.open_evictions():
        if row.node_id == node.node_id and row.incarnation <= incarnation:
            end(row, "joined again")


def _hear_evicted(teller: NodeInfo, evicted: dict[str, list[object]]) -> None:
    if not teller.is_member:
        return
    for node_id, (number, reason) in evicted.items():
        incarnation = int(str(number))
        if node_id == identity.load().node_id:
            _hear_own(incarnation, str(reason), teller)
            continue
        node = cluster_selectors.member(node_id)
        was_back = Eviction.objects.filter(
            node_id=node_id, incarnation__gte=incarnation, ended_at__isnull=False
        ).exists()
        if node is not None and not was_back:
            evict(node, reason=str(reason), decided_by=teller.node_id, incarnation=incarnation)


def _hear_own(incarnation: int, reason: str, teller: NodeInfo) -> None:
    """Join again, unless that was done already."""
    own = cluster_selectors.self_info()
    if not stability.is_at_work() or incarnation > own.incarnation:
        return
    if incarnation <= _rejoined(own.node_id) or stability.is_rejoining():
        return
    logger.warning("this node was evicted by %s, so it joins again: %s", teller.node_id, reason)
    commit.run(lambda: _note_own(own, reason, teller))
    go_on_joining()


def go_on_joining() -> None:
    """Begin to join again, when this node was told to and has not begun."""
    if stability.is_rejoining() and stability.is_at_work():
        try:
            cluster_services.join()
        except cluster_services.ClusterConflict as error:
            logger.info("this node cannot join again yet: %s", error)


def note_removal(node_id: str) -> None:
    """Join guarded when this node was removed while away; its state may be as old as any."""
    own = cluster_selectors.read().own
    if node_id != own.node_id or own.is_member or stability.is_rejoining():
        return
    last = next(iter(cluster_selectors.transitions(node_id, limit=1)), None)
    if last is not None and last.reason == cluster_services.REMOVED_WHILE_AWAY:
        commit.run(lambda: _note_own(own, last.reason, own))


def _note_own(own: NodeInfo, reason: str, teller: NodeInfo) -> None:
    # Its present incarnation: whoever evicted it did so under this one or an earlier one.
    Eviction.objects.create(
        node_id=own.node_id,
        actor=own.actor,
        incarnation=own.incarnation,
        reason=reason[:REASON_CHARS_MAX],
        decided_by=teller.node_id,
        evicted_at=clock.utcnow(),
        own_frontier={str(a): s for a, s in ClockShard.objects.values_list("actor", "seq")},
        own_log_id=ReplicationEventRecord.objects.aggregate(last=Max("pk"))["last"] or 0,
    )


def _hear_skipped(teller: NodeInfo, skipped: dict[str, list[list[int]]]) -> None:
    """Close the gaps that a member will never fill; it may speak of its own writers only."""
    own_id = identity.load().node_id
    ranges = [
        (int(actor), int(low), int(high))
        for destination in ("", own_id)
        for actor, low, high in skipped.get(destination, [])
        if int(actor) & ~stability.SHARD_MASK == teller.actor
    ]
    known = selectors.frontiers()
    missing = [one for one in ranges if known.get(one[0], 0) < one[2]]
    if missing:
        commit.run(lambda: _close(missing))


def _close(ranges: list[tuple[int, int, int]]) -> None:
    for actor, low, high in ranges:
        close_gap(actor, low, high)


def close_gap(actor: int, low: int, high: int) -> None:
    """Count events of a writer as applied that will never arrive, inside a transaction."""
    row, _ = AppliedActor.objects.select_for_update().get_or_create(actor=actor)
    ranges = AppliedRanges.from_json({"frontier": row.frontier, "islands": row.islands})
    state = ranges.add_through(low, high).to_json()
    row.frontier, row.islands = state["frontier"], state["islands"]
    row.save(update_fields=["frontier", "islands"])
