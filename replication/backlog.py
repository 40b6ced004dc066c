"""What the members of the region lack of this node's log, cheaply: writes ask for it.

Looked up at most once a second in each process, from cursors and positions; the log itself is only
asked for the age of one entry of each shard.
"""

import threading

from django.conf import settings

from replication.core.backpressure import Backlog, BackpressureLimits, BackpressurePolicy
from replication.models import DestinationKind, Lane, ReplicationEventRecord
from rs3gw.common import clock
from rs3gw.storage.models import ClockShard

REFRESH_SECONDS = 1.0


def default_limits() -> BackpressureLimits:
    """Return what the cluster's settings say of writers."""
    return BackpressureLimits(
        policy=BackpressurePolicy(settings.RS3GW_BACKPRESSURE_POLICY),
        soft_age_seconds=settings.RS3GW_BACKPRESSURE_SOFT_AGE_SECONDS,
        hard_age_seconds=settings.RS3GW_BACKPRESSURE_HARD_AGE_SECONDS,
        soft_events=settings.RS3GW_BACKPRESSURE_SOFT_EVENTS,
        hard_events=settings.RS3GW_BACKPRESSURE_HARD_EVENTS,
    )


def read() -> Backlog:
    """Return what the member that is furthest behind lacks now."""
    positions = dict(ClockShard.objects.values_list("shard", "position"))
    lacking: dict[str, int] = {}
    oldest_cursors: dict[int, int] = {}
    members = Lane.objects.filter(destination_kind=DestinationKind.MEMBER)
    for name, shard, cursor in members.values_list("destination", "shard", "cursor"):
        count = positions.get(shard, 0) - cursor
        if count > 0:
            lacking[name] = lacking.get(name, 0) + count
            oldest_cursors[shard] = min(cursor, oldest_cursors.get(shard, cursor))
    ages = [_age_seconds(shard, cursor) for shard, cursor in oldest_cursors.items()]
    return Backlog(age_seconds=max(ages, default=0.0), events=max(lacking.values(), default=0))


def _age_seconds(shard: int, cursor: int) -> float:
    waiting = ReplicationEventRecord.objects.filter(shard=shard, position__gt=cursor)
    first = waiting.order_by("position").values_list("created_at", flat=True).first()
    return max(0.0, (clock.utcnow() - first).total_seconds()) if first else 0.0


class _Kept:
    """The backlog as it was up to a second ago."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._backlog = Backlog()
        self._read_at: float | None = None

    def current(self) -> Backlog:
        """Return the backlog; one caller a second reads it, the others take what is known."""
        now = clock.monotonic()
        with self._lock:
            if self._read_at is not None and now - self._read_at < REFRESH_SECONDS:
                return self._backlog
            self._read_at = now
        found = read()
        with self._lock:
            self._backlog = found
        return found

    def forget(self) -> None:
        """Forget it; for tests."""
        with self._lock:
            self._read_at, self._backlog = None, Backlog()


_kept = _Kept()
current = _kept.current
forget = _kept.forget
