"""Rows of replication."""

from replication.models.config import BucketReplicationConfig
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

__all__ = [
    "AppliedActor",
    "BucketReplicationConfig",
    "ConflictCount",
    "Delivery",
    "DeliveryState",
    "DestinationKind",
    "Lane",
    "LaneState",
    "LinkState",
    "LinkTraffic",
    "PeerLink",
    "RegionKind",
    "Register",
    "RegisterRevision",
    "ReplicationEventRecord",
    "ReplicationRegion",
]
