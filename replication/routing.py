"""Where a lane leads now, and which events are meant for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.conf import settings

from cluster import selectors as cluster_selectors
from cluster.core.config import ReplicationMode
from replication import control, stability, transport
from replication.core.filters import ReplicationFilter
from replication.engine import default_mode
from replication.models import BucketReplicationConfig, DestinationKind, Lane, ReplicationRegion
from replication.outbox import LogEntry

# In quorum and sync mode the writer's own push is on its way; the lane comes behind it.
PUSH_HEAD_START_SECONDS = 2.0

Selects = Callable[[LogEntry], bool]


@dataclass(frozen=True, slots=True)
class Route:
    """A destination that can be sent to now, and which events are meant for it."""

    destination: transport.Destination
    selects: Selects
    head_start_seconds: float


def route_of(lane: Lane) -> Route | None:
    """Return where a lane leads, or None when it leads nowhere now."""
    if lane.destination_kind == DestinationKind.MEMBER:
        node = cluster_selectors.member(lane.destination)
        if node is None or stability.is_rejoining():
            return None
        is_async = default_mode() == ReplicationMode.ASYNCHRONOUS
        head_start = 0.0 if is_async else PUSH_HEAD_START_SECONDS
        name = lane.destination
        return Route(transport.member(node), lambda entry: _for_member(entry, name), head_start)
    region = ReplicationRegion.objects.filter(name=lane.destination, is_enabled=True).first()
    if region is None:
        return None
    rules = list(BucketReplicationConfig.objects.filter(region=region, is_enabled=True))
    destination = transport.Destination(
        name=region.name,
        addresses=tuple(region.endpoints),
        scope=f"pair:{settings.RS3GW_REGION}",
        secret=control.pairing_secret(region.name),
        compression="zstd" if any(rule.compression for rule in rules) else "identity",
    )
    return Route(destination, _region_selector(rules), 0.0)


def _for_member(entry: LogEntry, node_id: str) -> bool:
    return entry.event.origin_node != node_id and node_id not in entry.event.via


def _region_selector(rules: Sequence[BucketReplicationConfig]) -> Selects:
    """Return which events go to a region: our own region's, of buckets that a rule names."""
    filters: dict[str, list[ReplicationFilter]] = {}
    for rule in rules:
        filters.setdefault(rule.bucket, []).append(ReplicationFilter.from_json(rule.filter))

    def selects(entry: LogEntry) -> bool:
        event = entry.event
        if event.origin_region != settings.RS3GW_REGION or not event.bucket:
            return False
        tags = event.payload.get("tags")
        known_tags = tags if isinstance(tags, dict) else {}
        return any(
            not event.key or rule.matches(event.key, known_tags)
            for rule in filters.get(event.bucket, [])
        )

    return selects
