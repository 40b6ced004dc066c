"""Direct delivery for quorum and synchronous writes.

One thread for each member batches the writes of all request threads: while one request is on its
way, the next batch gathers. A write waits on its tracker, which knows at once when enough members
confirmed or when enough can no longer do so. A member that failed is left alone for a moment, so
that a dead one costs its peers nothing; whatever was not delivered here is in the log, and its
lane delivers it.
"""

import logging
import queue
import threading
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from django.db import connection

from cluster import selectors as cluster_selectors
from cluster import transport as cluster_transport
from cluster.core.health import majority
from replication import entries, links, transport
from replication.bodies import is_inline
from replication.core.circuit_breaker import Outcome
from replication.core.events import ReplicationEvent
from replication.core.quorum import AckTracker
from rs3gw.common import clock
from rs3gw.storage.core.siblings import Newer

logger = logging.getLogger(__name__)
BATCH_EVENTS_MAX = 200
QUEUE_MAX = 2000
IDLE_SECONDS = 60.0
COOL_DOWN_SECONDS = 1.0
CONFIRMED_CODES = frozenset({"applied", "duplicate", "superseded"})


@dataclass(slots=True)
class PendingWrite:
    """One write that waits for the members to confirm it.

    Attributes:
        event: What is written.
        inline: Its small body, when it is at hand.
        trackers: The first counts who has the entry; further ones count it among other members,
            or count durable copies of bodies that only their holders keep. All must be reached.
        takers: Members that take a copy of each large body, by its hash, whether it belongs
            there or they stand in for others.
        can_be_overtaken: Whether a member that shows something newer, which the write had not
            seen, ends the wait: the write has to be stamped again, or it could be lost to a
            change that was confirmed before it began. Else such a member counts like the others.
        newer: What such a member shows.
        counts_majorities: Whether a majority of the members must confirm, also of members that
            this node does not count, or does not count any more, and that another one does.
    """

    event: ReplicationEvent
    inline: bytes | None
    trackers: list[AckTracker]
    takers: Mapping[str, Collection[str]] = field(default_factory=dict)
    can_be_overtaken: bool = False
    newer: Newer | None = None
    counts_majorities: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)
    failed_members: set[str] = field(default_factory=set)
    _confirmed: set[str] = field(default_factory=set)

    def confirm(self, node_id: str) -> None:
        """Count a member's confirmation."""
        with self._changed:
            self._confirmed.add(node_id)
            for tracker in self.trackers:
                tracker.ack(node_id)
            self._changed.notify_all()

    def consider(self, member_sets: Iterable[frozenset[str]]) -> None:
        """Ask for a majority also of each of these sets of members, as a peer counts them.

        A peer may know of a change of the membership that this node has not heard of yet.
        """
        if not self.counts_majorities:
            return
        with self._changed:
            for members in member_sets:
                if any(tracker.members == members for tracker in self.trackers):
                    continue
                tracker = AckTracker(needed=majority(len(members)), members=members)
                for node_id in self._confirmed:
                    tracker.ack(node_id)
                for node_id in self.failed_members:
                    tracker.fail(node_id)
                self.trackers.append(tracker)

    def overtake(self, node_id: str, newer: Newer) -> None:
        """Note that a member took the write in and shows something newer."""
        if not self.can_be_overtaken:
            self.confirm(node_id)
            return
        with self._changed:
            known = self.newer or newer
            hlc = max(known.hlc, newer.hlc)
            self.newer = Newer(hlc, known.context.merge(newer.context))
            self._changed.notify_all()

    def fail(self, node_id: str) -> None:
        """Count a member that will not confirm in time."""
        with self._changed:
            for tracker in self.trackers:
                tracker.fail(node_id)
            self.failed_members.add(node_id)
            self._changed.notify_all()

    def wait(self, timeout_seconds: float) -> str:
        """Wait until the write's fate is known or the time is over.

        Returns:
            `reached`, `impossible`, `overtaken`, or `pending` when the time was over first.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._state() != "pending", timeout_seconds)
            return self._state()

    def _state(self) -> str:
        states = {tracker.state for tracker in self.trackers}
        if states == {"reached"}:
            return "reached"
        if self.newer is not None:
            return "overtaken"
        return "impossible" if "impossible" in states else "pending"


class PeerPusher:
    """The queue and thread of one member."""

    def __init__(self, node_id: str) -> None:
        self.node_id = node_id
        self._queue: queue.Queue[PendingWrite] = queue.Queue(maxsize=QUEUE_MAX)
        self._cool_until = 0.0
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def is_cooling(self) -> bool:
        """Return whether the member failed a moment ago and is left alone."""
        return clock.monotonic() < self._cool_until or links.is_shut(self.node_id)

    def forgive(self) -> None:
        """Forget the last failure: the member said that it is back."""
        self._cool_until = 0.0

    def submit(self, write: PendingWrite) -> None:
        """Queue a write for this member, or fail it at once when that is hopeless."""
        if self.is_cooling():
            write.fail(self.node_id)
            return
        try:
            self._queue.put_nowait(write)
        except queue.Full:
            write.fail(self.node_id)
            return
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                name = f"push-{self.node_id}"
                self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
                self._thread.start()

    def _loop(self) -> None:
        try:
            while True:
                batch = self._take()
                if not batch:
                    with self._lock:
                        if self._queue.empty():
                            self._thread = None
                            return
                    continue
                self._deliver(batch)
        finally:
            connection.close()

    def _take(self) -> list[PendingWrite]:
        try:
            batch = [self._queue.get(timeout=IDLE_SECONDS)]
        except queue.Empty:
            return []
        while len(batch) < BATCH_EVENTS_MAX:
            try:
                batch.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return batch

    def _deliver(self, batch: list[PendingWrite]) -> None:
        try:
            self._send(batch)
        except Exception as error:
            if not isinstance(error, cluster_transport.PeerError):
                logger.exception("a push to %s failed", self.node_id)
            outcome = links.outcome_of(error)
            if outcome is not Outcome.BUSY:
                self._cool_until = clock.monotonic() + COOL_DOWN_SECONDS
            for write in batch:
                write.fail(self.node_id)
            links.record(links.of_member(self.node_id), outcome, str(error))
        else:
            links.record(links.of_member(self.node_id), Outcome.OK)

    def _send(self, batch: list[PendingWrite]) -> None:
        if self.is_cooling():
            raise links.LeftAlone(f"{self.node_id} failed a moment ago.")
        node = cluster_selectors.member(self.node_id)
        if node is None:
            raise links.LeftAlone(f"{self.node_id} is no member any more.")
        client = cluster_transport.client(node)
        inline = {w.event.body_sha256: w.inline for w in batch if w.inline is not None}
        events = [write.event for write in batch]
        answer = transport.send_batch(client, events, compression="identity", inline=inline)
        by_dot = {(result.actor, result.seq): result for result in answer.results}
        for write in batch:
            write.consider(answer.member_sets)
            result = by_dot.get((write.event.actor, write.event.seq))
            if result is None or result.code not in CONFIRMED_CODES:
                write.fail(self.node_id)
            elif result.newer is not None:
                write.overtake(self.node_id, result.newer)
            else:
                write.confirm(self.node_id)


class Pusher:
    """All members' pushers of this process."""

    def __init__(self) -> None:
        self._peers: dict[str, PeerPusher] = {}
        self._lock = threading.Lock()
        self._bodies = ThreadPoolExecutor(max_workers=16, thread_name_prefix="push-body")

    def peer(self, node_id: str) -> PeerPusher:
        """Return the pusher of one member."""
        with self._lock:
            if node_id not in self._peers:
                self._peers[node_id] = PeerPusher(node_id)
            return self._peers[node_id]

    def push(self, write: PendingWrite, node_ids: list[str]) -> None:
        """Start the delivery of a write to these members."""
        large = [
            (sha256, size)
            for sha256, size in entries.event_bodies(write.event)
            if not is_inline(size)
        ]
        for node_id in node_ids:
            peer = self.peer(node_id)
            if large and not peer.is_cooling():
                self._bodies.submit(self._send_bodies_first, write, peer, large)
            else:
                peer.submit(write)

    @staticmethod
    def _send_bodies_first(
        write: PendingWrite, peer: PeerPusher, bodies: list[tuple[str, int]]
    ) -> None:
        try:
            node = cluster_selectors.member(peer.node_id)
            if node is None:
                raise cluster_transport.PeerUnreachable(f"{peer.node_id} is no member any more.")
            taken = {sha for sha, names in write.takers.items() if peer.node_id in names}
            transport.send_bodies(cluster_transport.client(node), bodies, must_take=taken)
            peer.submit(write)
        except Exception as error:
            if not isinstance(error, cluster_transport.PeerError):
                logger.exception("bodies for %s were not sent", peer.node_id)
            write.fail(peer.node_id)
        finally:
            connection.close()


pusher = Pusher()
