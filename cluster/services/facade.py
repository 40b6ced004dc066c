"""The node of the specification: start it, look around, leave."""

from cluster import conf, selectors
from cluster.core.config import ClusterConfig, ConfigError
from cluster.core.health import ClusterHealth
from cluster.core.node import NodeInfo
from cluster.services import leaving, life

COPY_SECONDS_MAX = 600.0


class Node:
    """This node as a member of its cluster.

    Args:
        config: The configuration that this node runs with; `cluster.conf.cluster_config()`.

    Raises:
        ConfigError: This node runs with another configuration, which names the differing fields.
    """

    def __init__(self, config: ClusterConfig) -> None:
        running = conf.cluster_config()
        fields = ClusterConfig.__dataclass_fields__
        differing = [n for n in fields if getattr(config, n) != getattr(running, n)]
        if differing:
            raise ConfigError(
                f"This node runs with another {', '.join(differing)}: change its settings instead."
            )
        self.config = config

    def start(self) -> NodeInfo:
        """Start the node's life and take the steps towards an active member that can be taken.

        A node whose seeds do not answer yet is still starting when this returns; the worker's
        ticks go on from there.
        """
        life.start()
        life.advance()
        life.wait_for_copy(COPY_SECONDS_MAX)
        return selectors.read().own

    def get_members(self) -> list[NodeInfo]:
        """Return all nodes that have not left, this one included."""
        return selectors.members()

    def get_health(self) -> ClusterHealth:
        """Return how many nodes there are, are healthy, and have failed."""
        return selectors.health()

    def leave(self) -> list[str]:
        """Leave the cluster for good; return the nodes that were told.

        Raises:
            ClusterConflict: No other node could be told.
        """
        return leaving.leave()
