"""Deletion of events that nobody needs any more.

An event may go when every lane of its shard has passed it, no delivery of it is open, every
registered member has applied it, and it is older than the retention. Acknowledgement decides, age
only delays. A destination that lacks too much is given up as a whole (`enforce_limits`): a member
is evicted, and the lanes to a remote region wait for an operator.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Min, Q, QuerySet

from cluster import selectors as cluster_selectors
from cluster.core.node import Liveness
from replication import eviction, lanes, selectors, stability
from replication.core.stability import Limits, exceeded
from replication.models import (
    Delivery,
    DeliveryState,
    DestinationKind,
    Lane,
    LaneState,
    MemberFrontier,
    ReplicationEventRecord,
    SkippedEvent,
)
from replication.selectors import LaneStatus
from rs3gw.common import clock
from rs3gw.storage import commit
from rs3gw.storage.models import ClockShard

logger = logging.getLogger(__name__)
BATCH_ROWS = 1000
OPEN_STATES = (DeliveryState.RETRY, DeliveryState.PARKED)
SKIPS_KEPT = timedelta(days=30)


def trim(*, before: datetime) -> int:
    """Delete delivered events created before `before`; return how many.

    A node that was removed deletes nothing: it has no lanes to ask, and what it still holds may
    be sent when it has joined again.
    """
    if cluster_selectors.own_removal() is not None:
        return 0
    moving = Lane.objects.exclude(state=LaneState.RESYNC)
    cursors = dict(
        moving.values("shard").annotate(least=Min("cursor")).values_list("shard", "least")
    )
    stable = stability.current().cut.stable
    deleted = 0
    for shard, actor in list(ClockShard.objects.values_list("shard", "actor")):
        # An event of a remote region that is passed on here is settled by the lanes alone: of
        # its writer much is never sent to this region, so the frontiers of that have gaps.
        applied = Q(seq__lte=stable.get(actor, 0)) | ~Q(actor=actor)
        found = ReplicationEventRecord.objects.filter(applied, shard=shard, created_at__lt=before)
        if shard in cursors:
            found = found.filter(position__lte=cursors[shard])
        open_ids = Delivery.objects.filter(
            state__in=OPEN_STATES, lane__in=moving.filter(shard=shard)
        ).values("event_id")
        deleted += _delete(found.exclude(pk__in=open_ids))
    _forget_skips()
    return deleted


def _delete(found: QuerySet[ReplicationEventRecord]) -> int:
    deleted = 0
    while True:
        ids = list(found.values_list("pk", flat=True)[:BATCH_ROWS])
        if ids:
            commit.run(lambda ids=ids: ReplicationEventRecord.objects.filter(pk__in=ids).delete())  # type: ignore[misc]
        deleted += len(ids)
        if len(ids) < BATCH_ROWS:
            return deleted


def _forget_skips() -> None:
    """Delete the gaps that everyone concerned has closed."""
    told = {row.node_id: row.frontiers for row in MemberFrontier.objects.all()}
    for row in SkippedEvent.objects.all():
        wanted = [row.destination] if row.destination else list(told)
        closed = all(told.get(name, {}).get(str(row.actor), 0) >= row.high for name in wanted)
        if (closed and wanted) or row.created_at < clock.utcnow() - SKIPS_KEPT:
            row.delete()


def enforce_limits() -> None:
    """Give up destinations that more waits for than may wait."""
    for row in MemberFrontier.objects.all():
        lanes.confirm_frontiers(row.node_id, {int(a): seq for a, seq in row.frontiers.items()})
    statuses = selectors.lanes_overview()
    links: dict[tuple[str, str], list[LaneStatus]] = {}
    for status in statuses:
        lane = status.lane
        links.setdefault((lane.destination_kind, lane.destination), []).append(status)
    for (kind, destination), link in links.items():
        reason = _beyond(kind, link)
        if kind == DestinationKind.MEMBER:
            _judge_member(destination, reason)
        elif reason:
            _hold_region(destination, reason)


def _beyond(kind: str, link: Sequence[LaneStatus]) -> str:
    prefix = "RS3GW_OUTBOX_MAX" if kind == DestinationKind.MEMBER else "RS3GW_REGION_OUTBOX_MAX"
    limits = Limits(
        events=getattr(settings, f"{prefix}_EVENTS"),
        size_bytes=getattr(settings, f"{prefix}_BYTES"),
        age_seconds=getattr(settings, f"{prefix}_AGE_SECONDS"),
    )
    return exceeded(
        limits,
        events=sum(status.pending + status.retrying + status.parked for status in link),
        size_bytes=sum(status.pending_bytes for status in link),
        age_seconds=max(status.waiting_seconds for status in link),
    )


def _judge_member(node_id: str, reason: str) -> None:
    node = cluster_selectors.member(node_id)
    if node is None:
        return
    told = MemberFrontier.objects.filter(
        node_id=node_id, actor=node.actor, incarnation=node.incarnation
    ).first()
    if told is None and node.liveness == Liveness.ALIVE:
        # Its lanes have just begun, at the oldest event; it will say what of that it has.
        return
    reason = reason or _lacks_what_is_gone(told)
    if reason:
        eviction.evict_by_limit(node, reason)


def _lacks_what_is_gone(told: MemberFrontier | None) -> str:
    """Return in words that a member waits for events that the log no longer holds, or ""."""
    if told is None:
        return ""
    frontiers: Mapping[str, int] = told.frontiers
    own = stability.own_told()
    skipped = {(row.actor, row.low) for row in SkippedEvent.objects.all()}
    for writer in own.writers:
        known = frontiers.get(str(writer), 0)
        if known < own.settled[writer] and (writer, known + 1) not in skipped:
            return f"it lacks changes after {known} of this node, which are no longer kept"
    return ""


def _hold_region(name: str, reason: str) -> None:
    link = Lane.objects.filter(destination_kind=DestinationKind.REGION, destination=name)
    changed = link.exclude(state=LaneState.RESYNC).update(
        state=LaneState.RESYNC,
        last_error=f"needs a new copy: {reason}",
        last_error_at=clock.utcnow(),
    )
    if changed:
        logger.error("region %s needs a new copy: %s", name, reason)
