"""The replication engine: who must confirm a change before its writer is answered."""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from cluster import selectors as cluster_selectors
from cluster.core.config import ClusterConfig, ReplicationMode
from replication import outbox
from replication.bodies import is_inline
from replication.core.events import ReplicationEvent
from replication.core.quorum import AckTracker, acks_needed, bodies_needed
from replication.doorbell import doorbell
from replication.entries import event_bodies
from replication.errors import ControlError, WriteIndeterminate, WriteRefused
from replication.placement import holder_ids
from replication.pusher import PendingWrite, pusher
from replication.selectors import replication_stats
from rs3gw.common import identity

BODY_BYTES_PER_SECOND_MIN = 1024 * 1024


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


def preflight(mode: ReplicationMode | None = None) -> None:
    """Refuse a write that its mode cannot complete now, before its body is read.

    Raises:
        WriteRefused: Too few members can be reached.
    """
    mode = mode or default_mode()
    if mode == ReplicationMode.ASYNCHRONOUS:
        return
    needed = needed_acks(mode)
    own = identity.load().node_id
    routable = [
        node
        for node in cluster_selectors.routable()
        if node.node_id == own or not pusher.peer(node.node_id).is_cooling()
    ]
    if len(routable) < needed:
        raise WriteRefused(
            f"This write needs {needed} nodes of the region and {len(routable)} can be reached. "
            "Nothing was stored. Retry when the others are back."
        )


def complete(
    event: ReplicationEvent,
    *,
    shard: int,
    inline: bytes | None = None,
    mode: ReplicationMode | None = None,
) -> None:
    """Carry a committed event on, and return when its write mode is satisfied.

    Args:
        event: The event, as it stands in this node's log.
        shard: Its shard of the log.
        inline: Its small body, when the caller has it at hand.
        mode: Write mode; the cluster's default when None.

    Raises:
        WriteIndeterminate: Too few members confirmed in time. The change stays and travels on.
    """
    mode = mode or default_mode()
    peers = [node.node_id for node in cluster_selectors.registered_peers()]
    if mode == ReplicationMode.ASYNCHRONOUS or not peers:
        doorbell.ring(shard)
        _require_alone(event, needed_acks(mode))
        return
    needed = needed_acks(mode)
    own = identity.load().node_id
    tracker = AckTracker(needed=needed, members=[own, *peers])
    write = PendingWrite(event, inline, (tracker, *_body_trackers(event, mode)))
    write.confirm(own)
    pusher.push(write, peers)
    extra_seconds = event.body_size_bytes / BODY_BYTES_PER_SECOND_MIN
    reached = write.wait(settings.RS3GW_WRITE_TIMEOUT_SECONDS + extra_seconds)
    # The lanes to members have nothing left to do unless one of them failed just now.
    doorbell.ring(shard, regions_only=not write.failed_members)
    if not reached:
        raise WriteIndeterminate(
            version_id=event.version_id, acked=tracker.acked_count, needed=needed
        )


def _body_trackers(event: ReplicationEvent, mode: ReplicationMode) -> list[AckTracker]:
    """Return what counts the copies of bodies that only their holders keep.

    This node's own copy counts, holder or not: it is kept until the holders have theirs.
    """
    trackers = []
    for sha256, size_bytes in event_bodies(event):
        if not is_inline(size_bytes):
            holders = holder_ids(sha256)
            needed = bodies_needed(mode, max(1, len(holders)))
            members = {identity.load().node_id, *holders}
            trackers.append(AckTracker(needed=needed, members=members))
    return trackers


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
