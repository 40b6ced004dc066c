"""Emptying a lane: read a batch, send it, settle what came of it, save the cursor, go on.

A drain holds the lane's lease; whoever loses it stops. What the destination does not take is
settled event by event into `Delivery` rows, so that one event never blocks the others; what
breaks the whole request backs the lane off. `replication.core.lanes` decides both.
"""

import logging
import random
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db.models import F

from cluster import transport as cluster_transport
from cluster.services import LeaveProgress
from replication import (
    entries,
    lanes,
    links,
    outbox,
    pacing,
    stability,
    transport,
    travel,
)
from replication.core import lanes as core
from replication.core.bandwidth import BandwidthTracker
from replication.core.circuit_breaker import Outcome, Permission
from replication.core.envelope import ItemResult
from replication.core.events import ReplicationEvent
from replication.errors import ControlError
from replication.link_rows import LinkKey
from replication.models import (
    Delivery,
    DeliveryState,
    DestinationKind,
    Lane,
)
from replication.outbox import LogEntry
from replication.routing import Route
from replication.routing import route_of as _route
from rs3gw.common import clock, hlc, identity, stopping
from rs3gw.common.errors import SealError

logger = logging.getLogger(__name__)
BATCH_EVENTS_MAX = 500
BATCH_BODY_BYTES_MAX = 4 * 2**20
DRAIN_SECONDS_MAX = 50.0
FINISH_STALL_SECONDS_MAX = 600.0
FINISH_TURN_SECONDS = 1.0
FINISH_PAUSE_SECONDS = 0.2


def drain(lane_id: int, *, seconds_max: float = DRAIN_SECONDS_MAX) -> int:
    """Send what a lane has, unless someone else is at it; return the events delivered.

    Args:
        lane_id: Which lane.
        seconds_max: After that long the batch under way is the last.
    """
    delivered = 0
    deadline = clock.monotonic() + seconds_max
    while True:
        lane = lanes.take_lease(lane_id, clock.utcnow())
        if lane is None:
            return delivered
        try:
            count, wants_more = _drain_held(lane, deadline)
        finally:
            lanes.release(lane)
        delivered += count
        # A change committed while the lane was held rang for nobody: look once more.
        if not wants_more or stopping.is_stopping() or clock.monotonic() > deadline:
            return delivered
        if lane_id not in lanes.due_lane_ids([lane.shard]):
            return delivered


def finish_members(progress: LeaveProgress) -> None:
    """Deliver all that only this node has to the members, before it leaves.

    Raises:
        ControlError: Nothing could be delivered for `FINISH_STALL_SECONDS_MAX`.
        LeaveCancelled: The leave was called off.
    """
    total, least = 0, None
    deadline = clock.monotonic() + FINISH_STALL_SECONDS_MAX
    while True:
        waiting = lanes.unfinished_member_lanes()
        left = sum(waiting.values())
        total = max(total, left)
        progress.report("delivering changes to the others", total - left, total)
        if not waiting:
            return
        if least is None or left < least:
            least, deadline = left, clock.monotonic() + FINISH_STALL_SECONDS_MAX
        if clock.monotonic() > deadline:
            names = ", ".join(sorted({lane.destination for lane in waiting}))
            raise ControlError(
                f"Changes still wait for {names}; the node stays until they have them."
            )
        for lane in waiting:
            drain(lane.pk, seconds_max=FINISH_TURN_SECONDS)
        clock.sleep(FINISH_PAUSE_SECONDS)


def _drain_held(lane: Lane, deadline: float) -> tuple[int, bool]:
    route = _route(lane)
    if route is None:
        return 0, False
    key = links.of_lane(lane)
    permission = links.permission(key)
    if permission is Permission.WAIT:
        lanes.update_held(lane, next_attempt_at=links.next_try_at(key))
        return 0, False
    delivered = 0
    try:
        client = transport.reachable_client(route.destination)
        if permission is Permission.PROBE:
            pacing.begin_trial(key)
            client.request("GET", links.PING_PATH, timeout_seconds=links.PING_SECONDS)
        _skip_confirmed(lane, client)
        tracker = BandwidthTracker()
        while clock.monotonic() < deadline and not stopping.is_stopping():
            count, is_done = _send_one_batch(lane, route, client, tracker)
            delivered += count
            if is_done:
                _note_success(key)
                return delivered, True
    except cluster_transport.PeerError as error:
        _back_off(lane, error)
        return delivered, False
    return delivered, True


def _skip_confirmed(lane: Lane, client: cluster_transport.PeerClient) -> None:
    """Leave out what a member already has, from a direct push or an earlier, cut-off drain."""
    if lane.destination_kind != DestinationKind.MEMBER:
        return
    own = identity.load().actor | lane.shard
    frontier = transport.read_frontiers(client).get(own, 0)
    confirmed = outbox.position_confirmed(lane.shard, lane.cursor, own, frontier)
    if confirmed > lane.cursor:
        _save(lane, confirmed, confirmed - lane.cursor, 0, None)


def _send_one_batch(
    lane: Lane,
    route: Route,
    client: cluster_transport.PeerClient,
    tracker: BandwidthTracker,
) -> tuple[int, bool]:
    window = pacing.window(links.of_lane(lane))
    events_max = window.of(BATCH_EVENTS_MAX)
    retries = _due_retries(lane, max(1, events_max // 5))
    read = outbox.read_after(lane.shard, lane.cursor, events_max)
    fresh = _limit(_old_enough(read, route.head_start_seconds), window.of(BATCH_BODY_BYTES_MAX))
    if not fresh and not retries:
        return 0, True
    chosen = [*(entry for _, entry in retries), *filter(route.selects, fresh)]
    sent_bytes = 0
    results: list[ItemResult] = []
    if chosen:
        started = clock.monotonic()
        sent_bytes, results = _send(client, chosen, route.destination)
        _note_success(links.of_lane(lane), clock.monotonic() - started)
    end = fresh[-1].position if fresh else lane.cursor
    settlement = core.settle(
        [core.Sent(entry.position, entry.event.actor, entry.event.seq) for entry in chosen],
        results,
        cursor=end,
        attempts={entry.position: delivery.attempts for delivery, entry in retries},
        now=clock.now(),
        rng=random.Random(),
    )
    _record_failures(lane, chosen, settlement)
    _settle_retries(retries, settlement)
    tracker.record(sent_bytes, clock.monotonic())
    lag_seconds = _lag_of(chosen)
    _save(lane, settlement.cursor, len(settlement.acked), sent_bytes, tracker, lag_seconds)
    lane.cursor = settlement.cursor
    is_done = len(read) < events_max and len(fresh) == len(read)
    return len(settlement.acked), is_done or not fresh


def _lag_of(chosen: Sequence[LogEntry]) -> float:
    if not chosen:
        return 0.0
    oldest_ms = min(hlc.physical_ms(entry.event.hlc) for entry in chosen)
    return max(0.0, clock.now() - oldest_ms / 1000)


def _old_enough(read: Sequence[LogEntry], head_start_seconds: float) -> list[LogEntry]:
    newest_ms = (clock.now() - head_start_seconds) * 1000
    fresh: list[LogEntry] = []
    for entry in read:
        if head_start_seconds and hlc.physical_ms(entry.event.hlc) > newest_ms:
            break
        fresh.append(entry)
    return fresh


def _limit(read: Sequence[LogEntry], body_bytes_max: int) -> Sequence[LogEntry]:
    """Cut a batch where its inline bodies, or one large body, fill a request."""
    count = core.plan_batch(
        [entry.event.body_size_bytes for entry in read],
        inline_max_bytes=settings.RS3GW_INLINE_BODY_MAX_BYTES,
        total_max_bytes=body_bytes_max,
    )
    return read[:count]


def _send(
    client: cluster_transport.PeerClient,
    chosen: Sequence[LogEntry],
    destination: transport.Destination,
) -> tuple[int, list[ItemResult]]:
    events, refused = _ready_to_travel([entry.event for entry in chosen], destination.secret)
    if not events:
        return 0, refused
    needed = [body for event in events for body in entries.event_bodies(event)]
    sent_bytes = transport.send_bodies(client, needed)
    # Only a remote region has gaps that never close: much of this log is not meant for it.
    settled = stability.own_settled() if destination.secret else None
    answer = transport.send_batch(
        client, events, compression=destination.compression, settled=settled
    )
    return sent_bytes + answer.sent_bytes, answer.results + refused


def _ready_to_travel(
    events: Sequence[ReplicationEvent], secret: str
) -> tuple[list[ReplicationEvent], list[ItemResult]]:
    """Return events as another region can read them, and the results of those that none could."""
    if not secret:
        return list(events), []
    ready: list[ReplicationEvent] = []
    refused: list[ItemResult] = []
    for event in events:
        try:
            ready.append(travel.for_region(event, secret))
        except SealError as error:
            refused.append(
                ItemResult(actor=event.actor, seq=event.seq, code="parked", reason=error.message)
            )
    return ready, refused


def _due_retries(lane: Lane, count_max: int) -> list[tuple[Delivery, LogEntry]]:
    due = Delivery.objects.filter(
        lane=lane, state=DeliveryState.RETRY, next_attempt_at__lte=clock.utcnow()
    ).order_by("next_attempt_at")[:count_max]
    by_event = {delivery.event_id: delivery for delivery in due}
    found = outbox.read_rows(list(by_event))
    return [(by_event[entry.row_id], entry) for entry in found]


def _record_failures(lane: Lane, chosen: Sequence[LogEntry], settlement: core.Settlement) -> None:
    by_position = {entry.position: entry for entry in chosen}
    now = clock.utcnow()
    for plan in settlement.retry:
        Delivery.objects.update_or_create(
            lane=lane,
            event_id=by_position[plan.position].row_id,
            defaults={
                "state": DeliveryState.RETRY,
                "attempts": plan.attempts,
                "next_attempt_at": clock.from_ms(int(plan.next_at * 1000)),
                "reason": plan.reason,
            },
            create_defaults={
                "state": DeliveryState.RETRY,
                "attempts": plan.attempts,
                "next_attempt_at": clock.from_ms(int(plan.next_at * 1000)),
                "reason": plan.reason,
                "created_at": now,
            },
        )
    for parked in settlement.parked:
        fields = {"state": DeliveryState.PARKED, "reason": parked.reason, "settled_at": now}
        Delivery.objects.update_or_create(
            lane=lane,
            event_id=by_position[parked.position].row_id,
            defaults=fields,
            create_defaults={**fields, "created_at": now},
        )


def _settle_retries(
    retries: Sequence[tuple[Delivery, LogEntry]], settlement: core.Settlement
) -> None:
    acked = set(settlement.acked)
    done = [delivery.pk for delivery, entry in retries if entry.position in acked]
    if done:
        Delivery.objects.filter(pk__in=done).update(
            state=DeliveryState.DONE, settled_at=clock.utcnow()
        )


def _save(
    lane: Lane,
    cursor: int,
    events: int,
    sent_bytes: int,
    tracker: BandwidthTracker | None,
    lag_seconds: float = 0.0,
) -> None:
    now = clock.utcnow()
    fields: dict[str, object] = {
        "cursor": cursor,
        "events_delivered": F("events_delivered") + events,
        "bytes_delivered": F("bytes_delivered") + sent_bytes,
        "attempts": 0,
        "next_attempt_at": None,
        "last_error": "",
        "last_success_at": now,
        "last_lag_seconds": lag_seconds,
        "lease_until": now + timedelta(seconds=lanes.LEASE_SECONDS),
    }
    if tracker is not None:
        rate = tracker.current_rate(clock.monotonic())
        fields["rate_bytes_per_second"] = rate
        fields["peak_bytes_per_second"] = max(lane.peak_bytes_per_second, tracker.peak_rate())
    if not lanes.update_held(lane, **fields):
        raise links.LeftAlone("The lane's lease was lost to another worker.")
    lane.cursor = cursor


def _note_success(key: LinkKey, took_seconds: float = 0.0) -> None:
    pacing.took(key, took_seconds)
    if links.record(key, Outcome.OK):
        pacing.came_back(key)
        lanes.wake_lanes(key.destination, kind=key.kind)


def _back_off(lane: Lane, error: cluster_transport.PeerError) -> None:
    """Rest after a failure: until the link may be tried, or as long as a busy peer asks for."""
    key, outcome = links.of_lane(lane), links.outcome_of(error)
    links.record(key, outcome, error.message)
    if isinstance(error, cluster_transport.PeerRefused) and outcome is Outcome.BUSY:
        pacing.was_busy(key)
        wait_seconds = core.busy_rest(error.retry_after_seconds, random.Random())
        attempts, said = lane.attempts, lane.last_error
    else:
        wait_seconds = core.lane_back_off(lane.attempts + 1, random.Random())
        attempts, said = lane.attempts + 1, error.message
    now = clock.utcnow()
    lanes.update_held(
        lane,
        attempts=attempts,
        next_attempt_at=max(now + timedelta(seconds=wait_seconds), links.next_try_at(key)),
        last_error=said,
        last_error_at=now if attempts > lane.attempts else lane.last_error_at,
    )
    logger.info("lane to %s rests %.1f s: %s", lane.destination, wait_seconds, error.message)
