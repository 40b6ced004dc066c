"""Rows of replication."""

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

__all__ = [
    "AppliedActor",
    "BucketReplicationConfig",
    "ConflictCount",
    "DamagedBody",
    "Delivery",
    "DeliveryState",
    "DestinationKind",
    "DropMark",
    "HealingCount",
    "HealingItem",
    "HealingJob",
    "ItemKind",
    "JobKind",
    "JobState",
    "Lane",
    "LaneState",
    "RegionKind",
    "Register",
    "RegisterRevision",
    "ReplicationEventRecord",
    "ReplicationRegion",
]
