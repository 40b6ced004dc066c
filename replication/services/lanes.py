"""What an operator does to lanes and to the events that stand beside them."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import F

from replication import links, review
from replication.doorbell import doorbell
from replication.models import Delivery, DeliveryState, DestinationKind, Lane, LaneState
from rs3gw.common import clock


def pause_lane(lane: Lane) -> None:
    """Stop a lane after the batch under way; its log is kept until it is resumed."""
    Lane.objects.filter(pk=lane.pk).update(state=LaneState.PAUSED)
    lane.state = LaneState.PAUSED


def resume_lane(lane: Lane) -> None:
    """Let a paused lane go on from where it stopped, at once.

    One that needs a new copy begins again at the oldest change that the log still holds.
    """
    cursor = 0 if lane.state == LaneState.RESYNC else F("cursor")
    Lane.objects.filter(pk=lane.pk).update(
        state=LaneState.RUNNING, cursor=cursor, next_attempt_at=None, attempts=0
    )
    lane.state = LaneState.RUNNING
    doorbell.ring(lane.shard)


def retry_lane(lane: Lane) -> None:
    """Forget a lane's back-off and try it now, its link included."""
    links.hurry(links.of_lane(lane))
    Lane.objects.filter(pk=lane.pk).update(next_attempt_at=None, attempts=0)
    doorbell.ring(lane.shard)


def retry_parked(deliveries: Iterable[Delivery]) -> int:
    """Send parked events again; return how many."""
    now = clock.utcnow()
    ids = [delivery.pk for delivery in deliveries]
    with transaction.atomic():
        parked = Delivery.objects.filter(pk__in=ids, state=DeliveryState.PARKED)
        shards = set(parked.values_list("lane__shard", flat=True))
        count = parked.update(state=DeliveryState.RETRY, next_attempt_at=now, attempts=0)
    for shard in shards:
        doorbell.ring(shard)
    return count


def skip_parked(deliveries: Iterable[Delivery], *, reason: str) -> int:
    """Give parked events up for their destination, on record; return how many.

    Args:
        deliveries: Parked ones; others are left alone.
        reason: Who decided and why; kept with the delivery.
    """
    ids = [delivery.pk for delivery in deliveries]
    with transaction.atomic():
        parked = Delivery.objects.filter(pk__in=ids, state=DeliveryState.PARKED)
        for delivery in parked.select_related("lane", "event"):
            # The member waits for every change of this node, so it must hear of the gap.
            if delivery.lane.destination_kind == DestinationKind.MEMBER:
                review.skip(delivery.event.actor, [delivery.event.seq], delivery.lane.destination)
        return parked.update(state=DeliveryState.SKIPPED, reason=reason, settled_at=clock.utcnow())
