"""From when a peer was last heard to whether it is alive, suspect or failed.

Silence of two heartbeat intervals makes a peer suspect, silence of the timeout failed. A silent
peer that another member has just reached lives: the link from here is broken, and the peer is no
more than suspect (after SWIM, Das et al. 2002). Silence that this node slept through is not the
peers': when its own tick comes late by more than an interval, every deadline moves by as much
(after Lifeguard, Dadgar et al. 2018).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from cluster.core.node import Liveness

SUSPECT_AFTER_INTERVALS = 2
VOUCHED_FOR_INTERVALS = 1.5


@dataclass(slots=True, kw_only=True)
class FailureDetector:
    """Verdicts about the peers of one observer.

    Attributes:
        heartbeat_interval_seconds: Time between two heartbeats.
        heartbeat_timeout_seconds: Silence after which a peer counts as failed.
        tick_interval_seconds: How often `tick` is meant to be called.
    """

    heartbeat_interval_seconds: float
    heartbeat_timeout_seconds: float
    tick_interval_seconds: float
    _heard: dict[str, float] = field(default_factory=dict)
    _vouched: dict[str, float] = field(default_factory=dict)
    _ticked: float | None = None

    def observe(self, node_id: str, now: float) -> None:
        """Note that a peer was heard at `now` (monotonic seconds)."""
        self._heard[node_id] = max(now, self._heard.get(node_id, now))

    def expect(self, node_id: str, now: float) -> None:
        """Watch a peer from `now` on, as if it had just been heard, unless it is watched."""
        self._heard.setdefault(node_id, now)

    def vouch(self, node_id: str, now: float) -> None:
        """Note that another member reached a peer at `now`."""
        self._vouched[node_id] = now

    def is_silent(self, node_id: str, now: float) -> bool:
        """Return whether a peer is silent for so long that others should be asked about it."""
        silence = now - self._heard.get(node_id, now)
        return silence >= SUSPECT_AFTER_INTERVALS * self.heartbeat_interval_seconds

    def forget(self, keep: Mapping[str, object]) -> None:
        """Stop watching every peer that is not in `keep`."""
        self._heard = {node_id: at for node_id, at in self._heard.items() if node_id in keep}
        self._vouched = {node_id: at for node_id, at in self._vouched.items() if node_id in keep}

    def tick(self, now: float) -> float:
        """Note that this node is awake at `now`; return the seconds that it overslept.

        Call it before what happened in the meantime is observed.
        """
        late = 0.0
        if self._ticked is not None:
            late = now - self._ticked - self.tick_interval_seconds
        self._ticked = now
        if late <= self.heartbeat_interval_seconds:
            return 0.0
        self._heard = {node_id: min(now, at + late) for node_id, at in self._heard.items()}
        return late

    def verdict(self, node_id: str, now: float) -> Liveness:
        """Return what the silence of a peer means at `now`."""
        silence = now - self._heard.get(node_id, now)
        vouched_ago = now - self._vouched.get(node_id, -math.inf)
        is_vouched = vouched_ago <= VOUCHED_FOR_INTERVALS * self.heartbeat_interval_seconds
        if silence >= self.heartbeat_timeout_seconds and not is_vouched:
            return Liveness.FAILED
        if silence >= SUSPECT_AFTER_INTERVALS * self.heartbeat_interval_seconds:
            return Liveness.SUSPECT
        return Liveness.ALIVE
