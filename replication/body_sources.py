"""Whom to read a body from: what this process remembers of how its peers answered."""

import threading

from cluster import selectors as cluster_selectors
from cluster.core.node import NodeInfo
from replication import placement
from replication.core.peer_health import PeerHealth, reading_order
from rs3gw.common import clock


class _Memory:
    """The health of each peer, in this process; at most one entry a member."""

    def __init__(self) -> None:
        self._known: dict[str, PeerHealth] = {}
        self._lock = threading.Lock()

    def answered(self, node_id: str, latency_seconds: float) -> None:
        with self._lock:
            old = self._known.get(node_id, PeerHealth())
            self._known[node_id] = old.after_answer(latency_seconds)

    def failed(self, node_id: str) -> None:
        with self._lock:
            old = self._known.get(node_id, PeerHealth())
            self._known[node_id] = old.after_failure(clock.monotonic())

    def all(self) -> dict[str, PeerHealth]:
        with self._lock:
            return dict(self._known)

    def clear(self) -> None:
        with self._lock:
            self._known.clear()


memory = _Memory()


def sources(sha256: str) -> list[NodeInfo]:
    """Return the other members at work in the order in which to ask them for a body."""
    peers = {node.node_id: node for node in cluster_selectors.routable() if not node.is_self}
    order = reading_order(
        peers,
        preferred=placement.holder_ids(sha256),
        known=memory.all(),
        now=clock.monotonic(),
    )
    return [peers[node_id] for node_id in order]


def is_known_to_all(node_ids: set[str]) -> bool:
    """Return whether these nodes, with this one, are all that could hold a body."""
    own = cluster_selectors.self_info().node_id
    return len(node_ids | {own}) >= cluster_selectors.quorum_size()
