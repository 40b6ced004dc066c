"""Numbers for the metrics page, computed from the table when they are asked for."""

from cluster import selectors
from cluster.core.node import NodeState
from cluster.models import PeerView
from rs3gw.common import identity


def node_counts() -> dict[str, int]:
    """Return how many nodes show each state, for `rs3gw_cluster_nodes_total{state}`."""
    counts = {state.value: 0 for state in NodeState}
    for node in selectors.members():
        counts[node.state.value] += 1
    return counts


def peer_views() -> list[PeerView]:
    """Return how this node sees each of the others, for the metrics of links between nodes."""
    return list(PeerView.objects.filter(observer=identity.load().node_id))
