"""A node's life and how it shows.

Two things are known of a node and kept apart: where it is in its life, which only the node itself
decides (`Lifecycle`), and whether this observer hears it (`Liveness`). The specification's five
states are the projection of both: a node that is not heard is Failed, wherever it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

# Labels that nodes give themselves; as metadata, an older version hands them on unread.
LABEL_STOPPING = "rs3gw.stopping"
LABEL_COUNTED = "rs3gw.counted"
LABEL_SET = "yes"


class NodeState(StrEnum):
    """What an operator sees of a node."""

    STARTING = "starting"
    JOINING = "joining"
    ACTIVE = "active"
    LEAVING = "leaving"
    FAILED = "failed"


class Lifecycle(StrEnum):
    """Where a node is in its life; LEFT marks one that is no member any more."""

    STARTING = "starting"
    JOINING = "joining"
    ACTIVE = "active"
    LEAVING = "leaving"
    LEFT = "left"


class Liveness(StrEnum):
    """Whether this observer hears a node."""

    ALIVE = "alive"
    SUSPECT = "suspect"
    FAILED = "failed"


# A restart begins again at STARTING, from wherever the node was when it stopped.
TRANSITIONS: Mapping[Lifecycle, frozenset[Lifecycle]] = {
    Lifecycle.STARTING: frozenset(
        {Lifecycle.STARTING, Lifecycle.JOINING, Lifecycle.ACTIVE, Lifecycle.LEAVING}
    ),
    Lifecycle.JOINING: frozenset({Lifecycle.STARTING, Lifecycle.ACTIVE, Lifecycle.LEAVING}),
    Lifecycle.ACTIVE: frozenset({Lifecycle.STARTING, Lifecycle.LEAVING}),
    Lifecycle.LEAVING: frozenset({Lifecycle.STARTING, Lifecycle.LEFT}),
    Lifecycle.LEFT: frozenset({Lifecycle.STARTING}),
}


def can_become(old: Lifecycle, new: Lifecycle) -> bool:
    """Return whether a node may take this step of its own life."""
    return new in TRANSITIONS[old]


def project(lifecycle: Lifecycle, liveness: Liveness) -> NodeState:
    """Return the state that shows; a node that has left has none and shows as leaving."""
    if lifecycle == Lifecycle.LEFT:
        return NodeState.LEAVING
    if liveness == Liveness.FAILED:
        return NodeState.FAILED
    return NodeState(lifecycle.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInfo:
    """One node as this node knows it now.

    Attributes:
        node_id: Unique name in the region.
        address: `host:port` of its cluster port.
        state: The state that shows.
        last_seen: When this node last heard from it, by this node's wall clock.
        version: Version of rs3gw that it runs.
        metadata: Labels; `zone` names its failure domain inside the region.
        region: Region it belongs to.
        actor: Writer id of its data directory; another one means another disk.
        incarnation: Counter that it raises with every change of its own record.
        liveness: Whether this node hears it.
        lifecycle: Where it is in its life.
        is_member: Whether it has been active with this data directory; a member stays counted
            while it restarts or is failed, until it leaves.
        s3_url: Where its S3 endpoint is.
        admin_url: Where its admin is.
        is_self: Whether it is this node.
    """

    node_id: str
    address: str
    state: NodeState
    last_seen: datetime
    version: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    region: str = ""
    actor: int = 0
    incarnation: int = 0
    liveness: Liveness = Liveness.ALIVE
    lifecycle: Lifecycle = Lifecycle.ACTIVE
    is_member: bool = True
    s3_url: str = ""
    admin_url: str = ""
    is_self: bool = False

    @property
    def is_stopping(self) -> bool:
        """Whether it said that it is about to stop; it still answers for a moment."""
        return LABEL_STOPPING in self.metadata

    @property
    def is_counted(self) -> bool:
        """Whether a majority is counted over it.

        A member is, and one that was a member with another disk: until its new disk is filled
        it confirms nothing, but what its old one confirmed must not be outvoted meanwhile.
        """
        was_member = LABEL_COUNTED in self.metadata
        return self.lifecycle != Lifecycle.LEFT and (self.is_member or was_member)

    @property
    def is_routable(self) -> bool:
        """Whether requests may be sent to it now: a member that is heard and at work."""
        at_work = self.lifecycle in {Lifecycle.ACTIVE, Lifecycle.LEAVING}
        stays = self.is_self or not self.is_stopping
        return self.is_member and at_work and stays and self.liveness == Liveness.ALIVE
