"""What needs a person: parked deliveries, and lanes as an operator addresses them."""

from replication.core.circuit_breaker import FATAL
from replication.models import (
    BucketReplicationConfig,
    Delivery,
    DeliveryState,
    Lane,
    LinkState,
    PeerLink,
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


def blocked_links() -> dict[tuple[str, str], str]:
    """Return why nothing is sent to destinations that somebody must do something about.

    The keys are kind and name. One that merely does not answer is not among them.
    """
    fatal = [cause.value for cause in FATAL]
    found = PeerLink.objects.filter(cause__in=fatal).exclude(state=LinkState.CLOSED)
    return {(row.kind, row.destination): row.reason for row in found}


def breaker_states() -> dict[tuple[str, str, str], str]:
    """Return the state of each link, by kind, destination and traffic."""
    found = PeerLink.objects.values_list("kind", "destination", "traffic", "state")
    return {(kind, name, traffic): state for kind, name, traffic, state in found}
