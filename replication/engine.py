"""The replication engine: who must confirm a change before its writer is answered."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from cluster import selectors as cluster_selectors
from cluster.core.config import ClusterConfig, ReplicationMode
from replication import outbox, session
from replication.bodies import is_inline
from replication.core.events import ReplicationEvent
from replication.core.quorum import AckTracker, acks_needed, bodies_needed
from replication.doorbell import doorbell
from replication.entries import event_bodies
from replication.errors import ControlError, WriteIndeterminate, WriteRefused
from replication.placement import taker_ids
from replication.pusher import PendingWrite, pusher
from replication.selectors import replication_stats
from rs3gw.common import clock, identity
from rs3gw.storage.core.siblings import Newer

BODY_BYTES_PER_SECOND_MIN = 1024 * 1024
RESTAMPS_MAX = 8

Restamp = Callable[[Newer], ReplicationEvent]


@dataclass(frozen=True, slots=True)
class EngineStats:
    """What `ReplicationEngine.get_stats` tells.

    Attributes:
        events_replicated: Events that other nodes confirmed, since this node was made.
        events_pending: Events that some destination has not confirmed yet.
        avg_replication_lag: Mean age of the oldest unconfirmed event of each lane.
    """

    events_replicated: int
    events_pending: int
    avg_replication_lag: timedelta


def default_mode() -> ReplicationMode:
    """Return the cluster's write mode."""
    return ReplicationMode(settings.RS3GW_REPLICATION_MODE)


def needed_acks(mode: ReplicationMode) -> int:
    """Return how many members must have the entry, this node included."""
    return acks_needed(mode, cluster_selectors.quorum_size())


def require_open() -> None:
    """Refuse a change while this node may not make any: it was removed, or has just started.

    Raises:
        WriteRefused: That is so; the message says what to do.
    """
    reason = cluster_selectors.closed_because()
    if reason:
        raise WriteRefused(reason)


def _reachable() -> set[str]:
    """Return the members that can be written to now, this node included."""
    own = identity.load().node_id
    return {
        node.node_id
        for node in cluster_selectors.routable()
        if node.node_id == own or not pusher.peer(node.node_id).is_cooling()
    }


def preflight(mode: ReplicationMode | None = None) -> None:
    """Refuse a write that its mode cannot complete now, before its body is read.

    Args:
        mode: Write mode; the cluster's default when None.

    Raises:
        WriteRefused: Too few members can be reached.
    """
    require_open()
    mode = mode or default_mode()
    if mode == ReplicationMode.ASYNCHRONOUS:
        return
    routable = _reachable()
    electorate = cluster_selectors.electorate()
    is_enough = electorate.is_reached(routable)
    if len(routable) < needed_acks(mode) or not is_enough:
        raise WriteRefused(
            f"This write needs {needed_acks(mode)} nodes of the region and {len(routable)} can be "
            "reached. Nothing was stored. Retry when the others are back."
        )


def complete(
    event: ReplicationEvent,
    *,
    shard: int,
    inline: bytes | None = None,
    mode: ReplicationMode | None = None,
    restamp: Restamp | None = None,
) -> None:
    """Carry a committed event on, and return when its write mode is satisfied.

    Args:
        event: The event, as it stands in this node's log.
        shard: Its shard of the log.
        inline: Its small body, when the caller has it at hand.
        mode: Write mode; the cluster's default when None.
        restamp: Writes the change once more, above what a member shows instead of it, and
            returns its new event. Without it, a change that a concurrent one beats counts.

    Raises:
        WriteIndeterminate: Too few members confirmed in time. The change stays and travels on.
    """
    mode = mode or default_mode()
    session.note(event.actor, event.seq)
    peers = [node.node_id for node in cluster_selectors.registered_peers()]
    if mode == ReplicationMode.ASYNCHRONOUS or not peers:
        doorbell.ring(shard)
        _require_alone(event, needed_acks(mode))
        return
    extra_seconds = event.body_size_bytes / BODY_BYTES_PER_SECOND_MIN
    deadline = clock.monotonic() + settings.RS3GW_WRITE_TIMEOUT_SECONDS + extra_seconds
    for attempt in range(RESTAMPS_MAX + 1):
        write = _pending(event, inline, mode, can_be_overtaken=restamp is not None)
        pusher.push(write, peers)
        outcome = write.wait(max(0.0, deadline - clock.monotonic()))
        if outcome != "overtaken" or attempt == RESTAMPS_MAX:
            break
        assert restamp is not None and write.newer is not None
        event = restamp(write.newer)
        session.note(event.actor, event.seq)
    # The lanes to members have nothing left to do unless one of them failed just now.
    doorbell.ring(shard, regions_only=not write.failed_members)
    if outcome != "reached":
        raise WriteIndeterminate(
            version_id=event.version_id,
            acked=write.trackers[0].acked_count,
            needed=write.trackers[0].needed,
        )


def _pending(
    event: ReplicationEvent, inline: bytes | None, mode: ReplicationMode, *, can_be_overtaken: bool
) -> PendingWrite:
    own = identity.load().node_id
    peers = [node.node_id for node in cluster_selectors.registered_peers()]
    trackers = [AckTracker(needed=needed_acks(mode), members=[own, *peers])]
    takers = _body_takers(event)
    write = PendingWrite(
        event,
        inline,
        trackers + [_body_tracker(names, mode) for names in takers.values()],
        takers=takers,
        can_be_overtaken=can_be_overtaken,
        counts_majorities=mode == ReplicationMode.QUORUM,
    )
    write.confirm(own)
    write.consider([members for members, _ in cluster_selectors.electorate().sets()[1:]])
    return write


def _body_takers(event: ReplicationEvent) -> dict[str, list[str]]:
    """Return which members take the copies of each body that only some members keep."""
    large = [sha256 for sha256, size_bytes in event_bodies(event) if not is_inline(size_bytes)]
    reachable = _reachable() if large else set()
    return {sha256: taker_ids(sha256, reachable) for sha256 in large}


def _body_tracker(takers: list[str], mode: ReplicationMode) -> AckTracker:
    """Return what counts the copies of a body.

    This node's own copy counts, whether it belongs here or not: it is kept until the holders have
    theirs.
    """
    needed = bodies_needed(mode, max(1, len(takers)))
    return AckTracker(needed=needed, members={identity.load().node_id, *takers})


def _require_alone(event: ReplicationEvent, needed: int) -> None:
    if needed > 1:
        raise WriteIndeterminate(version_id=event.version_id, acked=1, needed=needed)


class ReplicationEngine:
    """The specification's engine: takes an event, returns when the mode is satisfied."""

    def __init__(self, config: ClusterConfig) -> None:
        self.config = config

    def replicate(self, event: ReplicationEvent) -> ReplicationEvent:
        """Carry a change that is stored here to the members, and wait as the mode asks.

        Args:
            event: What changed: kind, bucket, key and, for an object, its entity tag.

        Returns:
            The event as it stands in the log, with its dot and timestamp.

        Raises:
            ControlError: No change in the log matches.
            WriteRefused: The mode cannot be met now; nothing was sent.
            WriteIndeterminate: Too few members confirmed it in time.
        """
        stored = outbox.find(event)
        if stored is None:
            raise ControlError(
                f"No stored change matches {event.kind} {event.bucket}/{event.key}. Make the "
                "change through replication.services; the engine carries what is stored."
            )
        preflight(self.config.replication_mode)
        complete(stored.event, shard=stored.shard, mode=self.config.replication_mode)
        return stored.event

    def get_stats(self) -> EngineStats:
        """Return what has been replicated and what waits."""
        stats = replication_stats()
        return EngineStats(
            events_replicated=stats.events_replicated,
            events_pending=stats.events_pending,
            avg_replication_lag=timedelta(seconds=stats.lag.average_seconds),
        )
