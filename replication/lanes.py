"""Lanes as rows: which exist, which are due, who holds one, and how far it is."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db.models import Count, F, Q

from cluster import selectors as cluster_selectors
from cluster.core.node import NodeInfo
from replication import outbox, stability
from replication.core.lanes import LANE_BACK_OFF_CAP_SECONDS
from replication.models import (
    BucketReplicationConfig,
    DeliveryState,
    DestinationKind,
    Lane,
    LaneState,
)
from rs3gw.common import clock
from rs3gw.storage.models import ClockShard
from rs3gw.storage.services import shard_count

LEASE_SECONDS = 60
# Leases of this process begin with it; those that it knows to be in use are in the set.
_PROCESS = uuid4().hex[:8]
_held: set[str] = set()
# Whoever drains the lane now loses it: what it saves would be of the old course.
_AFRESH: dict[str, Any] = {
    "cursor": 0,
    "attempts": 0,
    "next_attempt_at": None,
    "lease_token": "",
    "lease_until": None,
}


def ensure_lanes() -> None:
    """Make the lanes that the membership and the rules ask for; drop those of who has left.

    A lane to a member begins at the oldest entry that the log still holds, so that nothing that
    was written before the member was known is missed. When the member's writer id has changed it
    has a new disk, and its lane begins again for the same reason. An evicted member has none.
    """
    evicted = stability.evicted_ids()
    peers = [node for node in cluster_selectors.peers() if node.node_id not in evicted]
    existing = {
        (lane.destination_kind, lane.destination, lane.shard): lane for lane in Lane.objects.all()
    }
    wanted = [(DestinationKind.MEMBER.value, node.node_id) for node in peers]
    regions = BucketReplicationConfig.objects.filter(is_enabled=True)
    names = sorted(set(regions.values_list("region__name", flat=True)))
    wanted += [(DestinationKind.REGION.value, name) for name in names]
    for kind, name in wanted:
        for shard in range(shard_count()):
            if (kind, name, shard) not in existing:
                Lane.objects.get_or_create(destination_kind=kind, destination=name, shard=shard)
    _restart_lanes_of_new_disks(peers, list(existing.values()))
    if cluster_selectors.own_removal() is not None:
        # It knows no members now, and goes on where it stopped when it has joined again.
        return
    member_ids = {node.node_id for node in peers}
    for (kind, name, _), lane in existing.items():
        if kind == DestinationKind.MEMBER and name not in member_ids:
            lane.delete()


def _restart_lanes_of_new_disks(peers: Sequence[NodeInfo], existing: Sequence[Lane]) -> None:
    actors = {node.node_id: node.actor for node in peers if node.actor}
    for lane in existing:
        actor = actors.get(lane.destination)
        if lane.destination_kind != DestinationKind.MEMBER or actor is None:
            continue
        if lane.peer_actor != actor:
            is_new_disk = lane.peer_actor != 0
            Lane.objects.filter(pk=lane.pk).update(
                peer_actor=actor, **(_AFRESH if is_new_disk else {})
            )


def restart_region_lanes(region_name: str) -> None:
    """Let the lanes to a region go over the whole log again: a rule now matches more of it."""
    Lane.objects.filter(destination_kind=DestinationKind.REGION, destination=region_name).update(
        **_AFRESH
    )


def due_lane_ids(shards: Sequence[int] | None = None, *, for_members: bool = True) -> list[int]:
    """Return the lanes that have something to send now and that nobody drains.

    Args:
        shards: Only lanes of these shards; all when None.
        for_members: Whether lanes to members of the region count too.
    """
    now = clock.utcnow()
    lanes = Lane.objects.filter(
        _is_free(now),
        state=LaneState.RUNNING,
    )
    if shards is not None:
        lanes = lanes.filter(shard__in=shards)
    if not for_members or stability.is_rejoining():
        lanes = lanes.exclude(destination_kind=DestinationKind.MEMBER)
    positions = dict(ClockShard.objects.values_list("shard", "position"))
    retrying = set(
        lanes.filter(
            deliveries__state=DeliveryState.RETRY, deliveries__next_attempt_at__lte=now
        ).values_list("pk", flat=True)
    )
    return [
        lane_id
        for lane_id, shard, cursor in lanes.values_list("pk", "shard", "cursor")
        if cursor < positions.get(shard, 0) or lane_id in retrying
    ]


def _is_free(now: datetime) -> Q:
    """Return the condition that nobody drains a lane and that it does not rest.

    A moment further away than any rest or lease was noted while the clock was ahead: it is over.
    """
    longest = max(LANE_BACK_OFF_CAP_SECONDS, settings.RS3GW_BREAKER_OPEN_MAX_SECONDS)
    rest_end = now + timedelta(seconds=longest)
    lease_end = now + timedelta(seconds=LEASE_SECONDS)
    rests = Q(next_attempt_at__gt=now, next_attempt_at__lte=rest_end)
    is_held = Q(lease_until__gt=now, lease_until__lte=lease_end)
    return ~rests & ~is_held


def take_lease(lane_id: int, now: datetime) -> Lane | None:
    """Return the lane under a fresh lease, or None when it is not to be drained now."""
    token = _PROCESS + uuid4().hex[len(_PROCESS) :]
    _held.add(token)
    taken = Lane.objects.filter(_is_free(now), pk=lane_id, state=LaneState.RUNNING).update(
        lease_token=token, lease_until=now + timedelta(seconds=LEASE_SECONDS)
    )
    if not taken:
        _held.discard(token)
        return None
    return Lane.objects.get(pk=lane_id)


def update_held(lane: Lane, **fields: object) -> bool:
    """Change a lane that is held; return False when the lease was lost in the meantime."""
    held = Lane.objects.filter(pk=lane.pk, lease_token=lane.lease_token)
    return held.update(**fields) == 1


def release(lane: Lane) -> None:
    """Give a lane back."""
    # First: should the database fail now, the next sweep sees that nobody is at it.
    _held.discard(lane.lease_token)
    update_held(lane, lease_token="", lease_until=None)


def free_abandoned_lanes() -> None:
    """Give back the lanes that nobody drains any more, though their lease says so.

    Their drain could not give them back, because the database failed, or it was killed with an
    earlier worker: a node has one worker, so what that one held is free when the next one begins.
    Should a drain live on somewhere, it notices that its lease was lost.
    """
    _free_lanes_of_the_dead()
    ours = Lane.objects.filter(lease_token__startswith=_PROCESS)
    for pk, token in ours.values_list("pk", "lease_token"):
        if token not in _held:
            Lane.objects.filter(pk=pk, lease_token=token).update(lease_token="", lease_until=None)


@lru_cache(maxsize=1)
def _free_lanes_of_the_dead() -> None:
    others = Lane.objects.exclude(lease_token__startswith=_PROCESS).exclude(lease_token="")
    others.update(lease_token="", lease_until=None)


def confirm_frontiers(node_id: str, frontiers: Mapping[int, int]) -> None:
    """Move the lanes to a member up to what it says it has applied of this node's writers.

    The events are counted as delivered: the member has them, whoever brought them.
    """
    lanes = Lane.objects.filter(
        destination_kind=DestinationKind.MEMBER, destination=node_id, lease_until__isnull=True
    )
    clocks = {shard.shard: shard for shard in ClockShard.objects.all()}
    for lane in lanes:
        shard = clocks.get(lane.shard)
        frontier = frontiers.get(shard.actor, 0) if shard else 0
        if shard is None or lane.cursor >= shard.position or not frontier:
            continue
        confirmed = outbox.position_confirmed(lane.shard, lane.cursor, shard.actor, frontier)
        if confirmed > lane.cursor:
            Lane.objects.filter(pk=lane.pk, cursor=lane.cursor).update(
                cursor=confirmed,
                events_delivered=F("events_delivered") + confirmed - lane.cursor,
                last_success_at=clock.utcnow(),
            )


def unfinished_member_lanes() -> dict[Lane, int]:
    """Return the lanes to members that have not delivered all of the log, and how much waits.

    Events that stand beside their lane until they are sent again count, parked ones do not.
    """
    positions = dict(ClockShard.objects.values_list("shard", "position"))
    retrying = Count("deliveries", filter=Q(deliveries__state=DeliveryState.RETRY))
    members = Lane.objects.filter(destination_kind=DestinationKind.MEMBER)
    found = {
        lane: max(0, positions.get(lane.shard, 0) - lane.cursor) + count
        for lane, count in ((lane, lane.retrying) for lane in members.annotate(retrying=retrying))
    }
    return {lane: left for lane, left in found.items() if left}


def wake_lanes(name: str, *, kind: str = DestinationKind.MEMBER) -> None:
    """Let the lanes to a member or region that has come back try at once."""
    Lane.objects.filter(destination_kind=kind, destination=name).update(
        next_attempt_at=None, attempts=0
    )
