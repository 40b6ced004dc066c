"""What a bucket's replication rule says, as a value with the specification's fields."""

from dataclasses import dataclass

from replication.core.conflict import ConflictResolution
from replication.core.filters import ReplicationFilter
from replication.core.region import ReplicationRegion, route_order


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketReplicationConfig:
    """Where the objects of one bucket go, and which of them.

    Attributes:
        source_region: Where the bucket is written.
        destination_regions: Where its objects are copied to; at least one, none twice, and never
            the source.
        filter: Which objects are meant; None for all.
        conflict_resolution: Which of concurrent values readers see.
        compression: Whether what crosses the link is compressed.
        encryption: Whether it is encrypted inside the transport as well.
    """

    source_region: ReplicationRegion
    destination_regions: tuple[ReplicationRegion, ...]
    filter: ReplicationFilter | None = None
    conflict_resolution: ConflictResolution = ConflictResolution.LAST_WRITE_WINS
    compression: bool = True
    encryption: bool = False

    def __post_init__(self) -> None:
        """Put the destinations in route order.

        Raises:
            ValueError: There is no destination, one is named twice, or one is the source.
        """
        ordered = tuple(route_order(self.destination_regions))
        names = [region.id for region in ordered]
        if not names or len(set(names)) != len(names):
            raise ValueError("name at least one destination region, and none twice")
        if self.source_region.id in names:
            raise ValueError(f"{self.source_region.id} cannot be source and destination at once")
        object.__setattr__(self, "destination_regions", ordered)
        strategy = ConflictResolution(self.conflict_resolution)
        object.__setattr__(self, "conflict_resolution", strategy)

    def destinations_of(self, key: str, tags: dict[str, str]) -> tuple[ReplicationRegion, ...]:
        """Return the regions that an object with this key and these tags goes to."""
        is_meant = self.filter is None or self.filter.matches(key, tags)
        return self.destination_regions if is_meant else ()
