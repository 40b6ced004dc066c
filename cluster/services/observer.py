"""What the worker process remembers between ticks; losing it costs nothing but time."""

import threading
from collections.abc import Mapping
from datetime import datetime

from cluster import conf
from cluster.core.failure_detector import FailureDetector
from cluster.core.node import Lifecycle, Liveness
from cluster.models import Node
from cluster.services import flapping, table
from cluster.services.fanout import FanOut
from cluster.services.probing import Prober

_SEVERITY = {liveness: rank for rank, liveness in enumerate(Liveness)}


class Observer:
    """Who was heard when, by a clock that never jumps, and how far this node's start is."""

    def __init__(self) -> None:
        config = conf.cluster_config()
        self.heartbeats = FanOut("heartbeat")
        self.gossip = FanOut("gossip")
        self.announcements = FanOut("announce")
        self.prober = Prober()
        self.sections_told: dict[tuple[str, str], tuple[str, float]] = {}
        self.progress = threading.RLock()
        self.copying: threading.Thread | None = None
        self.leaving: threading.Thread | None = None
        self.copy_attempts = 0
        self.has_met_seed = self.has_tried = self.has_compared = self.has_copied = False
        self._lifecycle = ""
        self._known: dict[str, tuple[datetime, int, str]] = {}
        self._lock = threading.Lock()
        self._detector = FailureDetector(
            heartbeat_interval_seconds=config.heartbeat_interval.total_seconds(),
            heartbeat_timeout_seconds=config.heartbeat_timeout.total_seconds(),
            tick_interval_seconds=config.gossip_interval.total_seconds(),
        )

    def wake(self, now: float, rows: Mapping[str, Node]) -> None:
        """Begin a tick: notice a sleep of this node, and what the web process heard."""
        with self._lock:
            self._detector.tick(now)
            self._detector.forget(rows)
            for node_id, row in rows.items():
                seen = (row.last_seen, row.incarnation, row.liveness)
                known = self._known.get(node_id)
                if known is None:
                    self._detector.expect(node_id, now)
                elif known[:2] != seen[:2] or (known != seen and row.liveness == Liveness.ALIVE):
                    self._detector.observe(node_id, now)
                self._known[node_id] = seen

    def heard(self, node_id: str, now: float) -> None:
        """Note that a peer answered."""
        with self._lock:
            self._detector.observe(node_id, now)

    def vouch(self, node_id: str, now: float) -> None:
        """Note that another member reaches a peer."""
        with self._lock:
            self._detector.vouch(node_id, now)

    def is_silent(self, node_id: str, now: float) -> bool:
        """Return whether a peer is silent for so long that others should be asked about it."""
        with self._lock:
            return self._detector.is_silent(node_id, now)

    def judge(self, rows: Mapping[str, Node], now: float) -> None:
        """Write down who has become suspect or failed; only being heard makes it better."""
        for node_id, row in rows.items():
            if row.is_self or row.state == Lifecycle.LEFT:
                continue
            with self._lock:
                verdict = self._detector.verdict(node_id, now)
            if _SEVERITY[verdict] > _SEVERITY[Liveness(row.liveness)]:
                fields = {"liveness": verdict.value, **flapping.fields_of(row, verdict)}
                table.change(row, fields, reason="is silent", only_if_silent=True)

    def notice_start(self, lifecycle: Lifecycle) -> None:
        """Begin the way to an active member afresh when this node has (re)started."""
        if lifecycle == Lifecycle.STARTING and self._lifecycle != Lifecycle.STARTING:
            self.has_met_seed = self.has_tried = self.has_compared = self.has_copied = False
        self._lifecycle = lifecycle.value


_observer: Observer | None = None
_making = threading.Lock()


def observer() -> Observer:
    """Return the observer of this process."""
    global _observer
    with _making:
        if _observer is None:
            _observer = Observer()
        return _observer


def forget(**_: object) -> None:
    """Start with an empty memory, as a new process would."""
    global _observer
    with _making:
        _observer = None
