"""What a node is told about its cluster.

A `ClusterConfig` that exists is usable: every field is checked, alone and against the others,
when it is made.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from rs3gw.common.errors import Rs3gwError

NODE_ID = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:/,\[\]]+):(\d{1,5})")
PORT_MAX = 65_535


class ReplicationMode(StrEnum):
    """Who must confirm a write before its writer is answered."""

    SYNCHRONOUS = "sync"
    ASYNCHRONOUS = "async"
    QUORUM = "quorum"


class ConfigError(Rs3gwError):
    """A cluster configuration contradicts itself or cannot be read."""

    code = "BadClusterConfig"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """Settings of the cluster as one node sees them.

    Attributes:
        node_id: Unique name of this node in its region.
        advertise_addr: `host:port` where the other nodes reach this one.
        bind_addr: `host:port` that the cluster port listens on.
        seed_nodes: Addresses that are contacted first; this node's own may be among them.
        replication_mode: Who must confirm a write when its bucket does not say otherwise.
        replication_factor: Copies wanted of each body; 0 means one on every member.
        heartbeat_interval: Time between two heartbeats to the same peer.
        heartbeat_timeout: Silence after which a peer counts as failed.
        gossip_interval: Time between two gossip rounds.
    """

    node_id: str
    advertise_addr: str
    bind_addr: str
    seed_nodes: Sequence[str] = ()
    replication_mode: ReplicationMode = ReplicationMode.ASYNCHRONOUS
    replication_factor: int = 2
    heartbeat_interval: timedelta = timedelta(seconds=5)
    heartbeat_timeout: timedelta = timedelta(seconds=15)
    gossip_interval: timedelta = timedelta(seconds=1)

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            ConfigError: A field has a value that cannot work; the message names it.
        """
        object.__setattr__(self, "seed_nodes", tuple(self.seed_nodes))
        object.__setattr__(self, "replication_mode", ReplicationMode(self.replication_mode))
        if not NODE_ID.fullmatch(self.node_id):
            raise ConfigError(
                f"node_id {self.node_id!r}: use 1 to 63 lower-case letters, digits, dots or hyphens"
            )
        require_address("advertise_addr", self.advertise_addr)
        require_address("bind_addr", self.bind_addr)
        for seed in self.seed_nodes:
            require_address("seed_nodes", seed)
        if self.replication_factor < 0:
            raise ConfigError("replication_factor must be 0 (all members) or more")
        self._require_intervals()

    def _require_intervals(self) -> None:
        for name in ("heartbeat_interval", "gossip_interval"):
            if getattr(self, name) <= timedelta(0):
                raise ConfigError(f"{name} must be longer than zero")
        if self.heartbeat_timeout < 2 * self.heartbeat_interval:
            raise ConfigError(
                "heartbeat_timeout must be at least twice heartbeat_interval, "
                "else one lost heartbeat fails a node"
            )

    def other_seeds(self) -> tuple[str, ...]:
        """Return the seed addresses that are not this node's own, each once, in order."""
        return tuple(dict.fromkeys(s for s in self.seed_nodes if s != self.advertise_addr))


def require_address(name: str, value: str) -> None:
    """Check that `value` is `host:port`.

    Raises:
        ConfigError: It is not; the message names the field.
    """
    match = ADDRESS.fullmatch(value)
    if match is None or not 0 < int(match[2]) <= PORT_MAX:
        raise ConfigError(f"{name} {value!r}: it must be host:port")
