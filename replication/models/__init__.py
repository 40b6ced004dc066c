"""Rows of replication."""

from replication.models.comparison import Comparison, ComparisonState
from replication.models.config import BucketReplicationConfig
from replication.models.healing import (
    DamagedBody,
    DropMark,
    HealingCount,
    HealingItem,
    HealingJob,
    ItemKind,
    JobKind,
    JobState,
)
from replication.models.link import LinkState, LinkTraffic, PeerLink
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
    "DamagedBody",
    "Delivery",
    "DeliveryState",
    "DestinationKind",
    "Eviction",
    "DropMark",
    "HealingCount",
    "HealingItem",
    "HealingJob",
    "ItemKind",
    "JobKind",
    "JobState",
    "Lane",
    "LaneState",
    "MemberFrontier",
    "QuarantineOutcome",
    "QuarantinedVersion",
    "LinkState",
    "LinkTraffic",
    "PeerLink",
    "RegionKind",
    "Register",
    "RegisterRevision",
    "ReplicationEventRecord",
    "ReplicationRegion",
    "SkippedEvent",
    "UpkeepCount",
]
