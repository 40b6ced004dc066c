"""Rows of replication."""

from replication.models.comparison import Comparison, ComparisonState
from replication.models.config import BucketReplicationConfig
from replication.models.log import (
    AppliedActor,
    ConflictCount,
    Delivery,
    DeliveryState,
    DestinationKind,
    Lane,
    LaneState,
    ReplicationEventRecord,
)
from replication.models.region import RegionKind, ReplicationRegion
from replication.models.register import Register, RegisterRevision
from replication.models.stability import (
    BucketFarewell,
    Eviction,
    MemberFrontier,
    QuarantinedVersion,
    QuarantineOutcome,
    SkippedEvent,
    UpkeepCount,
)

__all__ = [
    "AppliedActor",
    "BucketFarewell",
    "BucketReplicationConfig",
    "Comparison",
    "ComparisonState",
    "ConflictCount",
    "Delivery",
    "DeliveryState",
    "DestinationKind",
    "Eviction",
    "Lane",
    "LaneState",
    "MemberFrontier",
    "QuarantineOutcome",
    "QuarantinedVersion",
    "RegionKind",
    "Register",
    "RegisterRevision",
    "ReplicationEventRecord",
    "ReplicationRegion",
    "SkippedEvent",
    "UpkeepCount",
]
