"""What needs a person: parked deliveries, and lanes as an operator addresses them."""

from replication import stability
from replication.models import (
    BucketReplicationConfig,
    Delivery,
    DeliveryState,
    Lane,
    QuarantinedVersion,
    QuarantineOutcome,
    ReplicationRegion,
    UpkeepCount,
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


def evicted() -> list[str]:
    """Return the members that were away for too long and have not joined again."""
    return sorted(stability.evicted_ids())


def quarantined() -> int:
    """Return how many objects wait in quarantine for a decision."""
    return QuarantinedVersion.objects.filter(outcome=QuarantineOutcome.OPEN).count()


def forgetting_held() -> str:
    """Return why deletes are not forgotten now, in words; "" when nothing stands against it."""
    return stability.current().held


def removed_counts() -> dict[str, int]:
    """Return how many rows of each kind were removed because nobody needs them."""
    return dict(UpkeepCount.objects.values_list("name", "removed"))


def region_names() -> list[str]:
    """Return the remote regions that are set up."""
    return list(ReplicationRegion.objects.values_list("name", flat=True))


def rule_count() -> int:
    """Return how many rules there are."""
    return BucketReplicationConfig.objects.count()
