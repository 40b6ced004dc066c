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

__all__ = [
    "AppliedActor",
    "BucketReplicationConfig",
    "Comparison",
    "ComparisonState",
    "ConflictCount",
    "Delivery",
    "DeliveryState",
    "DestinationKind",
    "Lane",
    "LaneState",
    "RegionKind",
    "Register",
    "RegisterRevision",
    "ReplicationEventRecord",
    "ReplicationRegion",
]
