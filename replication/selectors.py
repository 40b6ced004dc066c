"""What has been replicated, what waits, and how old it is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Count, Max, Min, Q, Sum

from replication.core.lag import LagSummary
from replication.models import (
    AppliedActor,
    ConflictCount,
    Delivery,
    DeliveryState,
    Lane,
    ReplicationEventRecord,
)
from rs3gw.common import clock
from rs3gw.storage.models import ClockShard

RATE_VALID_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneStatus:
    """A lane and what waits for it.

    Attributes:
        lane: Its row.
        pending: Events behind the cursor, delivered or not yet looked at.
        pending_bytes: Their bodies' bytes.
        lag_seconds: Age of the oldest of them, or of the oldest one being retried; 0 when none.
        parked: Events that need a person.
        retrying: Events that are sent again later.
        waiting_seconds: Age of the oldest event behind the cursor; 0 when there is none.
    """

    lane: Lane
    pending: int
    pending_bytes: int
    lag_seconds: float
    parked: int
    retrying: int
    waiting_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationStats:
    """All lanes of this node together."""

    events_replicated: int
    events_pending: int
    events_parked: int
    events_retrying: int
    bytes_pending: int
    bandwidth_bytes_per_second: float
    lag: LagSummary


def frontiers() -> dict[int, int]:
    """Return how far each writer's log was applied here; this node's own are complete."""
    known = dict(AppliedActor.objects.values_list("actor", "frontier"))
    known.update(dict(ClockShard.objects.values_list("actor", "seq")))
    return known


def highest_applied() -> dict[int, int]:
    """Return the highest number of each writer's log that was applied here, gaps or not."""
    found = {
        actor: max([frontier, *(high for _, high in islands)])
        for actor, frontier, islands in AppliedActor.objects.values_list(
            "actor", "frontier", "islands"
        )
    }
    found.update(dict(ClockShard.objects.values_list("actor", "seq")))
    return found


def lanes_overview() -> list[LaneStatus]:
    """Return every lane with what waits for it, in a constant number of queries."""
    lanes = list(Lane.objects.all())
    waiting = _waiting()
    beside: dict[int, dict[str, Any]] = {
        row["lane_id"]: dict(row)
        for row in Delivery.objects.filter(state__in=[DeliveryState.RETRY, DeliveryState.PARKED])
        .values("lane_id")
        .annotate(
            parked=Count("pk", filter=Q(state=DeliveryState.PARKED)),
            retrying=Count("pk", filter=Q(state=DeliveryState.RETRY)),
            oldest=Min("event__created_at"),
        )
    }
    now = clock.utcnow()
    found = []
    for lane in lanes:
        pending, pending_bytes, oldest = waiting.get(lane.pk, (0, 0, None))
        row = beside.get(lane.pk, {"parked": 0, "retrying": 0, "oldest": None})
        dates = [date for date in (oldest, row["oldest"]) if date is not None]
        lag_seconds = max(0.0, (now - min(dates)).total_seconds()) if dates else 0.0
        found.append(
            LaneStatus(
                lane=lane,
                pending=pending,
                pending_bytes=pending_bytes,
                lag_seconds=lag_seconds,
                parked=row["parked"],
                retrying=row["retrying"],
                waiting_seconds=max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
            )
        )
    return found


def _waiting() -> dict[int, tuple[int, int, datetime | None]]:
    table = ReplicationEventRecord._meta.db_table
    statement = (
        "SELECT l.id, COUNT(e.id), COALESCE(SUM(e.body_size_bytes), 0), "  # noqa: S608
        "MIN(e.id) FROM replication_lane l "
        f"JOIN {table} e ON e.shard = l.shard AND e.position > l.cursor GROUP BY l.id"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement)
        found = cursor.fetchall()
    dates = dict(
        ReplicationEventRecord.objects.filter(pk__in=[row[3] for row in found]).values_list(
            "pk", "created_at"
        )
    )
    return {row[0]: (row[1], int(row[2]), dates.get(row[3])) for row in found}


def replication_stats() -> ReplicationStats:
    """Return the sums over all lanes of this node."""
    return summarise(lanes_overview())


def summarise(statuses: list[LaneStatus]) -> ReplicationStats:
    """Return the sums over these lanes."""
    return ReplicationStats(
        events_replicated=sum(status.lane.events_delivered for status in statuses),
        events_pending=sum(status.pending + status.retrying for status in statuses),
        events_parked=sum(status.parked for status in statuses),
        events_retrying=sum(status.retrying for status in statuses),
        bytes_pending=sum(status.pending_bytes for status in statuses),
        bandwidth_bytes_per_second=sum(_current_rate(status.lane) for status in statuses),
        lag=LagSummary.of([status.lag_seconds for status in statuses]),
    )


def _current_rate(lane: Lane) -> float:
    if lane.last_success_at is None:
        return 0.0
    age_seconds = (clock.utcnow() - lane.last_success_at).total_seconds()
    return lane.rate_bytes_per_second if age_seconds < RATE_VALID_SECONDS else 0.0


def conflict_counts() -> dict[str, tuple[int, int]]:
    """Return how many conflicts were detected and resolved here, by strategy."""
    found = ConflictCount.objects.values_list("strategy", "detected", "resolved")
    return {strategy: (detected, resolved) for strategy, detected, resolved in found}


def bandwidth_peak() -> float:
    """Return the highest rate that any lane has reached, in bytes per second."""
    return float(Lane.objects.aggregate(peak=Max("peak_bytes_per_second"))["peak"] or 0.0)


def delivered_bytes() -> int:
    """Return the bytes that all lanes have delivered."""
    return int(Lane.objects.aggregate(total=Sum("bytes_delivered"))["total"] or 0)
