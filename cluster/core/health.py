"""How the region does, in three numbers and one answer."""

from collections.abc import Iterable
from dataclasses import dataclass

from cluster.core.node import NodeInfo, NodeState


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterHealth:
    """Counts over the nodes that have not left.

    Attributes:
        total_nodes: All of them.
        healthy_nodes: Those that are active and heard.
        failed_nodes: Those that are not heard.
    """

    total_nodes: int
    healthy_nodes: int
    failed_nodes: int


def measure(nodes: Iterable[NodeInfo]) -> ClusterHealth:
    """Count nodes by how they do."""
    nodes = list(nodes)
    return ClusterHealth(
        total_nodes=len(nodes),
        healthy_nodes=sum(node.is_routable for node in nodes),
        failed_nodes=sum(node.state == NodeState.FAILED for node in nodes),
    )


def majority(size: int) -> int:
    """Return how many of `size` members are more than half; `size` >= 1."""
    return size // 2 + 1


def quorum_available(size: int, routable: int) -> bool:
    """Return whether `routable` of `size` counted members can confirm a quorum write."""
    return routable >= majority(size)
