"""What needs a person: parked deliveries, and lanes as an operator addresses them."""

from replication.models import (
    BucketReplicationConfig,
    Delivery,
    DeliveryState,
    Lane,
    ReplicationRegion,
)


def lanes_of(kind: str, destination: str) -> list[Lane]:
    """Return all lanes of one link."""
    return list(Lane.objects.filter(destination_kind=kind, destination=destination))


def parked(*, limit: int, pk: int | None = None) -> list[Delivery]:
    """Return parked deliveries with their lane and event, the newest first."""
    found = Delivery.objects.filter(state=DeliveryState.PARKED)
    if pk is not None:
        found = found.filter(pk=pk)
    return list(found.select_related("lane", "event").order_by("-pk")[:limit])


def region_names() -> list[str]:
    """Return the remote regions that are set up."""
    return list(ReplicationRegion.objects.values_list("name", flat=True))


def rule_count() -> int:
    """Return how many rules there are."""
    return BucketReplicationConfig.objects.count()
