"""Which members keep which body now, from the membership as this node sees it."""

import threading
from collections.abc import Collection

from django.conf import settings

from cluster import conf
from cluster import selectors as cluster_selectors
from cluster.core.node import Lifecycle, Liveness
from cluster.selectors import Snapshot
from replication.core.healing import NodeView, Plan, make_plan, parse_weight, violations
from replication.core.quorum import takers
from rs3gw.common import clock


class _Kept:
    """The plan of the newest snapshot: it is asked for with every body."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._plan = Plan(members=())

    def of(self, snapshot: Snapshot) -> Plan:
        with self._lock:
            if self._snapshot is not snapshot:
                self._plan, self._snapshot = _make(snapshot), snapshot
            return self._plan


_kept = _Kept()


def current() -> Plan:
    """Return where bodies are placed now."""
    return _kept.of(cluster_selectors.snapshot())


def holder_ids(sha256: str) -> list[str]:
    """Return the members that should keep a body, best first."""
    return current().holders(sha256, settings.RS3GW_REPLICATION_FACTOR)


def taker_ids(sha256: str, reachable: Collection[str]) -> list[str]:
    """Return the members that take the copies of a new body, given those that can be reached."""
    return takers(current().holders(sha256, 0), reachable, settings.RS3GW_REPLICATION_FACTOR)


def current_violations() -> tuple[str, ...]:
    """Return what placement cannot keep now, as sentences; a node alone promises one copy."""
    if not conf.is_enabled():
        return ()
    return violations(current(), settings.RS3GW_REPLICATION_FACTOR)


def _make(snapshot: Snapshot) -> Plan:
    nodes = []
    for node in snapshot.registered:
        row = snapshot.rows.get(node.node_id)
        has_failed = node.liveness == Liveness.FAILED and not node.is_self and row is not None
        nodes.append(
            NodeView(
                node_id=node.node_id,
                weight=parse_weight(str(node.metadata.get("weight", ""))),
                zone=str(node.metadata.get("zone", "")),
                is_leaving=node.lifecycle in {Lifecycle.LEAVING, Lifecycle.LEFT},
                failed_since=row.state_changed_at.timestamp() if has_failed and row else None,
            )
        )
    return make_plan(
        nodes, now=clock.now(), rebuild_after_seconds=settings.RS3GW_REBUILD_AFTER_SECONDS
    )
