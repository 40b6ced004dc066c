"""What a writer that is gone left behind: changes that one member has and this node lacks.

Lanes bring each writer's own changes. When the writer's node is dead, or its disk is lost, a change
that it gave to some members would never reach the others. So a member that has applied more of a
writer than this node, for longer than a lane would take, is asked for what is left of that writer's
changes in its index. They are joined with their own dots. Then all that the member had applied
before it was asked counts as applied here too: what of it is in no index any more was replaced by
changes that arrive in the same ways.
"""

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings

from cluster import selectors as cluster_selectors
from cluster import transport
from cluster.core.node import Liveness, NodeInfo
from replication import backfill
from replication import transport as replication_transport
from replication.core.envelope import decode_batch
from replication.selectors import frontiers
from rs3gw.common import clock, ids

logger = logging.getLogger(__name__)
WRITTEN_PATH = "/_cluster/written"
CONTROL_PATH = "/_cluster/registers"
PAGE_TIMEOUT_SECONDS = 30.0


@dataclass(slots=True)
class GapWatch:
    """Since when this node lacks something of a writer that a member has."""

    _since: dict[int, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def overdue(
        self,
        own: Mapping[int, int],
        known: Mapping[str, Mapping[int, int]],
        *,
        now: float,
        grace_seconds: float,
    ) -> list[tuple[int, str]]:
        """Return (writer, member that has most of it) for each gap that is older than its grace.

        Args:
            own: How far each writer was applied here.
            known: The same of each member that answers.
            now: Monotonic seconds.
            grace_seconds: How long a lane may take.
        """
        best: dict[int, tuple[int, str]] = {}
        for node_id, applied in known.items():
            for actor, seq in applied.items():
                if seq > own.get(actor, 0):
                    best[actor] = max(best.get(actor, (0, "")), (seq, node_id))
        with self._lock:
            self._since = {actor: min(self._since.get(actor, now), now) for actor in best}
            return sorted(
                (actor, best[actor][1])
                for actor, since in self._since.items()
                if now - since >= grace_seconds
            )

    def progressed(self, actor: int) -> None:
        """Start the grace of a writer anew."""
        with self._lock:
            self._since.pop(actor, None)


watch = GapWatch()


def close_gaps() -> int:
    """Pull what members have of writers that do not bring it themselves; return the entries."""
    peers = [node for node in cluster_selectors.peers() if node.liveness == Liveness.ALIVE]
    known: dict[str, Mapping[int, int]] = {}
    for node in peers:
        try:
            known[node.node_id] = replication_transport.read_frontiers(transport.client(node))
        except transport.PeerError as error:
            logger.info("%s does not tell what it has applied: %s", node.node_id, error)
    overdue = watch.overdue(
        frontiers(), known, now=clock.monotonic(), grace_seconds=settings.RS3GW_GAP_GRACE_SECONDS
    )
    by_id = {node.node_id: node for node in peers}
    count = 0
    for actor, node_id in overdue:
        if not _brings_it(actor, peers, known):
            count += _pull(actor, by_id[node_id], known[node_id][actor])
    return count


def _brings_it(actor: int, peers: list[NodeInfo], known: Mapping[str, Mapping[int, int]]) -> bool:
    """Return whether the writer's own node is there to bring its changes."""
    return any(
        node.node_id in known and node.is_routable and ids.is_actor_of(actor, node.actor)
        for node in peers
    )


def _pull(actor: int, node: NodeInfo, frontier: int) -> int:
    client = transport.client(node)
    after_seq = frontiers().get(actor, 0)
    response = client.request("GET", CONTROL_PATH, timeout_seconds=PAGE_TIMEOUT_SECONDS)
    backfill.join_control(json.loads(response.body))
    after, count = 0, 0
    while True:
        path = f"{WRITTEN_PATH}?actor={actor}&after_seq={after_seq}&after={after}"
        response = client.request("GET", path, timeout_seconds=PAGE_TIMEOUT_SECONDS)
        batch = decode_batch(response.body)
        if not batch.events:
            break
        backfill.join(batch)
        after, count = batch.through[0], count + len(batch.events)
    backfill.take_frontiers({str(actor): frontier})
    watch.progressed(actor)
    logger.info(
        "took %d changes of writer %d from %s, up to %d", count, actor, node.node_id, frontier
    )
    return count
