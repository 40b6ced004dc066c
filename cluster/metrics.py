"""Numbers for the metrics page, computed from the table when they are asked for."""

from cluster import selectors
from cluster.core.node import NodeState


def node_counts() -> dict[str, int]:
    """Return how many nodes show each state, for `rs3gw_cluster_nodes_total{state}`."""
    counts = {state.value: 0 for state in NodeState}
    for node in selectors.members():
        counts[node.state.value] += 1
    return counts
