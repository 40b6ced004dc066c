"""A peer was heard: it is alive at once, unless it fails again and again."""

from collections.abc import Collection
from datetime import datetime

from cluster import conf
from cluster.core.node import Lifecycle, Liveness
from cluster.models import Node
from cluster.services import flapping, table
from rs3gw.common import clock

LAST_SEEN_STALE_INTERVALS = 1.5


def saw(node_id: str, incarnation: int, row: Node | None) -> None:
    """Note that a peer was heard; it is alive at once if it was not.

    A peer that speaks under an older incarnation than the one known has lost its disk or was
    restored; it is told so and is believed when it has caught up.

    Args:
        node_id: Who was heard.
        incarnation: The incarnation it speaks under.
        row: Its row as known; None when it is not.
    """
    if row is None or row.state == Lifecycle.LEFT or incarnation < row.incarnation:
        return
    now_at = clock.utcnow()
    if row.liveness != Liveness.ALIVE:
        for _ in range(table.ATTEMPTS_MAX):
            fresh = Node.objects.get(node_id=node_id)
            liveness, reason = _as_heard(fresh)
            heard = {"liveness": liveness.value, "last_seen": now_at}
            if fresh.liveness == liveness:
                touch([node_id])
                return
            if table.change(fresh, heard, reason=reason):
                return
    elif _is_last_seen_stale(row, now_at):
        # Usually the worker's own heartbeats keep this fresh and nothing is written here.
        touch([node_id])
        row.last_seen = now_at


def _as_heard(row: Node) -> tuple[Liveness, str]:
    """Return what a node is that was heard, and why; one that is held back is only suspect."""
    if flapping.is_held(row):
        return Liveness.SUSPECT, f"was heard, but is unstable: held until {row.held_until:%H:%M:%S}"
    return Liveness.ALIVE, "was heard again"


def _is_last_seen_stale(row: Node, now_at: datetime) -> bool:
    age = (now_at - row.last_seen).total_seconds()
    interval = conf.cluster_config().heartbeat_interval.total_seconds()
    return abs(age) > LAST_SEEN_STALE_INTERVALS * interval


def touch(node_ids: Collection[str]) -> None:
    """Write down that these nodes were heard now."""
    Node.objects.filter(node_id__in=node_ids).update(last_seen=clock.utcnow())
