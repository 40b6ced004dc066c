"""What needs a person: parked deliveries, and lanes as an operator addresses them."""

from replication import stability
from replication.core.circuit_breaker import FATAL
from replication.models import (
    BucketReplicationConfig,
    Comparison,
    ComparisonState,
    Delivery,
    DeliveryState,
    Lane,
    LinkState,
    PeerLink,
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


def differs_from() -> str:
    """Return the node from which this one was last found to differ unrepaired, "" for none."""
    last = Comparison.objects.filter(state=ComparisonState.DONE, bucket="").first()
    if last is None or last.is_equal:
        return ""
    is_repaired = last.is_control_equal and last.keys_repaired == last.keys_differing
    return "" if is_repaired else last.peer


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
