"""One node of the simulated region: the shells in memory, deciding with the code of production.

What `Disk` holds survives a crash; everything else of a `Replica` does not. A method is one
transaction: the world lets a node die between two of them, never inside one. Nothing here reads a
clock or a random source of its own, and what leaves a node are bytes.
"""

import hashlib
import random
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from cluster.core.config import ReplicationMode
from replication.core.applied import AppliedRanges
from replication.core.buckets import (
    BucketFamily,
    BucketLife,
    BucketStanding,
    delete_context,
    families,
    merge_lives,
    visible,
)
from replication.core.envelope import (
    Batch,
    ItemResult,
    decode_batch,
    decode_results,
    encode_batch,
    encode_results,
)
from replication.core.events import EventKind, ReplicationEvent
from replication.core.lanes import RetryPlan, Sent, lane_back_off, plan_batch, settle
from replication.core.quorum import AckTracker, acks_needed
from replication.core.review import judge
from replication.core.stability import Cut, forgettable
from rs3gw.common import hlc
from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage.core import siblings
from rs3gw.storage.core.siblings import Sibling, Stamp

BATCH_EVENTS_MAX = 8
REQUEST_SECONDS = 0.5
WRITE_SECONDS = 2.0
SKEW_MAX_MS = 30_000
Dot = tuple[int, int]


def everyone_counts(heard_seconds_ago: float) -> bool:
    """A registered member counts, however long ago it was heard."""
    return True


def everyone_has(event: ReplicationEvent, stable: VectorClock) -> bool:
    """An event may leave the log when every member has applied it."""
    return stable.covers(event.actor, event.seq)


@dataclass(frozen=True)
class Rules:
    """The decisions a replica takes; a mutant replaces one of them."""

    tick: Callable = hlc.tick
    observe: Callable = hlc.observe
    join: Callable = siblings.join
    context: Callable = siblings.key_context
    add_applied: Callable = AppliedRanges.add
    settle: Callable = settle
    acks_needed: Callable = acks_needed
    delete_context: Callable = delete_context
    is_settled: Callable = Cut.is_settled
    forgettable: Callable = forgettable
    counts: Callable = everyone_counts
    trims: Callable = everyone_has
    passed: Callable = min
    judge: Callable = judge
    reviews: bool = True
    refuses: bool = True
    keeps_actor: bool = False


@dataclass
class LaneRow:
    """A lane to one peer, as its row."""

    cursor: int = 0
    attempts: int = 0
    next_at: float = 0.0
    retry: dict[int, RetryPlan] = field(default_factory=dict)
    parked: dict[int, str] = field(default_factory=dict)


@dataclass
class Disk:
    """All that a node keeps when it dies."""

    seq: int = 0
    hlc: int = 0
    log: list[ReplicationEvent] = field(default_factory=list)
    lanes: dict[str, LaneRow] = field(default_factory=dict)
    applied: dict[int, AppliedRanges] = field(default_factory=dict)
    keys: dict[tuple[str, str], tuple[Sibling, ...]] = field(default_factory=dict)
    lives: dict[str, BucketLife] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    times_applied: dict[Dot, int] = field(default_factory=dict)


@dataclass
class Write:
    """What a client was told, and what the writing node had seen: the checkers' evidence."""

    dot: Dot
    kind: EventKind
    node_id: str
    name: str
    incarnation: str
    key: str = ""
    replaced: frozenset[Dot] = frozenset()
    outcome: str = "indeterminate"
    deadline: float = 0.0
    tracker: AckTracker | None = None


@dataclass(frozen=True)
class Request:
    """A batch that waits for its answer; `writes` when it is a direct push."""

    destination: str
    sent: tuple[Sent, ...]
    end: int
    deadline: float
    is_push: bool


class Replica:
    """One node."""

    def __init__(self, node_id: str, actors: dict[str, int], rules: Rules) -> None:
        self.node_id, self.actor, self.rules = node_id, actors[node_id], rules
        self.peers = [name for name in actors if name != node_id]
        self.actors = list(actors.values())
        self.disk = Disk(lanes={peer: LaneRow() for peer in self.peers})
        self.mode = ReplicationMode.ASYNCHRONOUS
        self.item_failures = 0.0
        self.outbound: list[tuple[str, str, bytes]] = []
        self.restart()

    def restart(self) -> None:
        """Begin again with what is on disk."""
        self.requests: dict[str, Request] = {}
        self.waiting: dict[Dot, Write] = {}
        self.outbound.clear()

    # --- what clients ask for ----------------------------------------------------------------

    def served(self, name: str) -> BucketFamily | None:
        """Return the bucket that answers under a name here."""
        return next((bucket for bucket in self.buckets() if bucket.name == name), None)

    def buckets(self) -> list[BucketFamily]:
        """Return all buckets that this node serves."""
        known = families(self.disk.lives.values(), ())
        showing = {
            (self._own_name(family), family.owner)
            for family in known
            if any(self.read(family, key) for key in self._keys(family))
        }
        found = families(self.disk.lives.values(), showing)
        return [family for family in found if family.standing != BucketStanding.DELETED]

    def read(self, family: BucketFamily, key: str) -> Sibling | None:
        """Return the value that a reader of this node gets."""
        return visible(self._values(family, key), family.seen)

    def listing(self) -> list[tuple[str, str, str, Dot]]:
        """Return (bucket, standing, key, dot) of everything that clients see."""
        return [
            (family.name, str(family.standing), key, (value.stamp.actor, value.stamp.seq))
            for family in self.buckets()
            for key in self._keys(family)
            if (value := self.read(family, key)) is not None
        ]

    def put(self, name: str, key: str, body: bytes | None, now: float) -> Write | None:
        """Store an object, or delete it when `body` is None; None when there is no bucket."""
        bucket = self.served(name)
        if bucket is None:
            return None
        current = self._values(bucket, key)
        stamp = self._take_stamp(now)
        version = f"v{stamp.actor}.{stamp.seq}" if key.startswith("versioned") else "null"
        kind = EventKind.DELETE_OBJECT if body is None else EventKind.PUT_OBJECT
        event = self._event(kind, stamp, bucket.home, name, key=key)
        event = replace(event, version_id=version, context=self.rules.context(current))
        if body is not None:
            sha256 = hashlib.sha256(body).hexdigest()
            self.disk.bodies[sha256] = body
            event = replace(event, body_sha256=sha256, body_size_bytes=len(body))
        same = [s for s in current if s.version_id == version]
        replaced = frozenset((s.stamp.actor, s.stamp.seq) for s in same)
        self._join_object(event)
        return self._commit(event, now, replaced)

    def create_bucket(self, name: str, owner: str, rng: random.Random, now: float) -> Write | None:
        """Create a bucket; None when the name is in use here."""
        if self.served(name) is not None:
            return None
        incarnation = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        stamp = self._take_stamp(now)
        event = self._event(EventKind.CREATE_BUCKET, stamp, incarnation, name)
        event = replace(event, payload={"owner": owner, "region": "here"})
        self._know(BucketLife(incarnation=incarnation, name=name, owner=owner, created=stamp))
        return self._commit(event, now, frozenset())

    def delete_bucket(self, name: str, now: float) -> Write | None:
        """Delete a bucket; None when it is not here, not empty, or still being filled."""
        bucket = self.served(name)
        if bucket is None or any(listed[0] == name for listed in self.listing()):
            return None
        histories = [s.history() for key in self._keys(bucket) for s in self._values(bucket, key)]
        frontiers = {actor: ranges.frontier for actor, ranges in self.disk.applied.items()}
        known = {**dict.fromkeys(self.actors, 0), **frontiers}
        seen = self.rules.delete_context(histories, known)
        if seen is None:
            return None
        stamp = self._take_stamp(now)
        event = self._event(EventKind.DELETE_BUCKET, stamp, bucket.home, name)
        payload = {"context": seen.to_json(), "incarnations": list(bucket.incarnations)}
        event = replace(event, payload=payload)
        self._apply_delete_bucket(event)
        return self._commit(event, now, self._applied_dots())

    # --- what other nodes send ---------------------------------------------------------------

    def receive(self, sender: str, data: bytes, now: float, rng: random.Random) -> bytes:
        """Apply a batch in one transaction and return the results."""
        batch = decode_batch(data)
        return encode_results([self._apply_once(e, batch, now, rng) for e in batch.events])

    def answered(self, request_id: str, data: bytes, now: float, rng: random.Random) -> None:
        """Take in the answer to a request; an answer that comes too late changes nothing."""
        request = self.requests.pop(request_id, None)
        if request is None:
            return
        results = decode_results(data)
        if request.is_push:
            self._count_acks(request.destination, results)
            return
        lane = self.disk.lanes[request.destination]
        settlement = self.rules.settle(
            request.sent,
            results,
            cursor=request.end,
            attempts={position: plan.attempts for position, plan in lane.retry.items()},
            now=now,
            rng=rng,
        )
        lane.cursor, lane.attempts, lane.next_at = settlement.cursor, 0, 0.0
        for sent in request.sent:
            lane.retry.pop(sent.position, None)
        lane.retry.update({plan.position: plan for plan in settlement.retry})
        lane.parked.update({plan.position: plan.reason for plan in settlement.parked})

    def tick(self, now: float, rng: random.Random) -> None:
        """Give up what takes too long, and send what is due."""
        for request_id, request in list(self.requests.items()):
            if now >= request.deadline:
                del self.requests[request_id]
                self._request_failed(request, now, rng)
        for write in [w for w in self.waiting.values() if now >= w.deadline]:
            del self.waiting[write.dot]
        for peer in self.peers:
            self._drain(peer, now, rng)

    def gone(self) -> Collection[int]:
        """Return the positions that have left the log."""
        return ()

    def is_drained(self) -> bool:
        """Return whether every lane has delivered all of the log."""
        return not self.requests and all(
            lane.cursor >= len(self.disk.log) and not lane.retry
            for lane in self.disk.lanes.values()
        )

    # --- inside ------------------------------------------------------------------------------

    def _take_stamp(self, now: float) -> Stamp:
        self.disk.seq += 1
        self.disk.hlc = self.rules.tick(self.disk.hlc, int(now * 1000))
        return Stamp(self.actor, self.disk.seq, self.disk.hlc)

    def _event(
        self, kind: EventKind, stamp: Stamp, incarnation: str, name: str, key: str = ""
    ) -> ReplicationEvent:
        event = ReplicationEvent(
            kind=kind,
            bucket=name,
            key=key,
            bucket_incarnation=incarnation,
            origin_node=self.node_id,
            origin_region="here",
        )
        return event.stamped(actor=stamp.actor, seq=stamp.seq, hlc=stamp.hlc, context=VectorClock())

    def _commit(self, event: ReplicationEvent, now: float, replaced: frozenset[Dot]) -> Write:
        self.disk.log.append(event)
        ranges, _ = self.disk.applied.get(self.actor, AppliedRanges()).add(event.seq)
        self.disk.applied[self.actor] = ranges
        dot = (event.actor, event.seq)
        write = Write(
            dot,
            event.kind,
            self.node_id,
            event.bucket,
            event.bucket_incarnation,
            event.key,
            replaced,
            deadline=now + WRITE_SECONDS,
        )
        needed = self.rules.acks_needed(self.mode, len(self.peers) + 1)
        write.tracker = AckTracker(needed=needed, members=[self.node_id, *self.peers])
        write.tracker.ack(self.node_id)
        if write.tracker.state == "reached":
            write.outcome = "acknowledged"
            return write
        self.waiting[dot] = write
        sent = (Sent(len(self.disk.log), event.actor, event.seq),)
        for peer in self.peers:
            self._send(peer, sent, end=0, now=now, is_push=True)
        return write

    def _count_acks(self, peer: str, results: list[ItemResult]) -> None:
        for result in results:
            write = self.waiting.get((result.actor, result.seq))
            if write is None or write.tracker is None:
                continue
            if result.code in {"applied", "duplicate", "superseded", "stale_bucket"}:
                write.tracker.ack(peer)
            if write.tracker.state == "reached":
                write.outcome = "acknowledged"
                del self.waiting[write.dot]

    def _request_failed(self, request: Request, now: float, rng: random.Random) -> None:
        if not request.is_push:
            lane = self.disk.lanes[request.destination]
            lane.attempts += 1
            lane.next_at = now + lane_back_off(lane.attempts, rng)

    def _drain(self, peer: str, now: float, rng: random.Random) -> None:
        lane = self.disk.lanes[peer]
        is_busy = any(r.destination == peer and not r.is_push for r in self.requests.values())
        if is_busy or now < lane.next_at:
            return
        due = [position for position, plan in lane.retry.items() if plan.next_at <= now][:4]
        read = self.disk.log[lane.cursor : lane.cursor + BATCH_EVENTS_MAX]
        count = plan_batch(
            [event.body_size_bytes for event in read], inline_max_bytes=16, total_max_bytes=64
        )
        end = lane.cursor + count
        positions = sorted(due) + list(range(lane.cursor + 1, end + 1))
        positions = [position for position in positions if position not in self.gone()]
        if not positions:
            lane.cursor = end
        else:
            log = self.disk.log
            sent = tuple(Sent(p, log[p - 1].actor, log[p - 1].seq) for p in positions)
            self._send(peer, sent, end=end, now=now, is_push=False)

    def _send(
        self, peer: str, sent: tuple[Sent, ...], *, end: int, now: float, is_push: bool
    ) -> None:
        events = tuple(self.disk.log[item.position - 1] for item in sent)
        lives = {e.bucket_incarnation: self.disk.lives[e.bucket_incarnation] for e in events}
        batch = Batch(
            sender_node=self.node_id,
            sender_region="here",
            cluster_id="simulated",
            events=events,
            inline_bodies={
                e.body_sha256: self.disk.bodies[e.body_sha256] for e in events if e.body_sha256
            },
            bucket_records={
                incarnation: {
                    "name": life.name,
                    "owner": life.owner,
                    "stamp": [life.created.actor, life.created.seq, life.created.hlc],
                }
                for incarnation, life in lives.items()
                if life.created is not None
            },
        )
        request_id = f"{self.node_id}-{len(self.outbound)}-{now}-{peer}-{end}-{sent[0].position}"
        self.requests[request_id] = Request(peer, sent, end, now + REQUEST_SECONDS, is_push)
        self.outbound.append((peer, request_id, encode_batch(batch)))

    def _apply_once(
        self, event: ReplicationEvent, batch: Batch, now: float, rng: random.Random
    ) -> ItemResult:
        dot = (event.actor, event.seq)
        if hlc.drift_ms(event.hlc, int(now * 1000)) > SKEW_MAX_MS:
            return ItemResult(actor=dot[0], seq=dot[1], code="parked", reason="clock_skew")
        ranges = self.disk.applied.get(event.actor, AppliedRanges())
        if ranges.contains(event.seq):
            return ItemResult(actor=dot[0], seq=dot[1], code="duplicate")
        if rng.random() < self.item_failures:
            return ItemResult(actor=dot[0], seq=dot[1], code="retry", reason="the disk is full")
        if event.body_sha256:
            if event.body_sha256 not in batch.inline_bodies:
                return ItemResult(actor=dot[0], seq=dot[1], code="need_body")
            self.disk.bodies[event.body_sha256] = batch.inline_bodies[event.body_sha256]
        self.disk.hlc = self.rules.observe(self.disk.hlc, event.hlc, int(now * 1000))
        self.disk.applied[event.actor] = self.rules.add_applied(ranges, event.seq)[0]
        self.disk.times_applied[dot] = self.disk.times_applied.get(dot, 0) + 1
        return ItemResult(actor=dot[0], seq=dot[1], code=self._apply(event, batch))

    def _apply(self, event: ReplicationEvent, batch: Batch) -> str:
        record = batch.bucket_records.get(event.bucket_incarnation)
        if record is not None:
            self._know(
                BucketLife(
                    incarnation=event.bucket_incarnation,
                    name=record["name"],
                    owner=record["owner"],
                    created=Stamp(*record["stamp"]),
                )
            )
        if event.kind == EventKind.DELETE_BUCKET:
            self._apply_delete_bucket(event)
        if event.kind not in {EventKind.PUT_OBJECT, EventKind.DELETE_OBJECT}:
            return "applied"
        outcome = self._join_object(event)
        seen = self.disk.lives[event.bucket_incarnation].delete_seen
        return "stale_bucket" if seen.covers(event.actor, event.seq) else outcome

    def _know(self, life: BucketLife) -> None:
        known = self.disk.lives.get(life.incarnation)
        self.disk.lives[life.incarnation] = life if known is None else merge_lives(known, life)

    def _apply_delete_bucket(self, event: ReplicationEvent) -> None:
        seen = VectorClock.from_json(event.payload["context"])
        for incarnation in event.payload["incarnations"]:
            life = BucketLife(incarnation=incarnation, name=event.bucket)
            self._know(life.deleted(event.hlc, seen))

    def _join_object(self, event: ReplicationEvent) -> str:
        place = (event.bucket_incarnation, event.key)
        incoming = Sibling(
            Stamp(event.actor, event.seq, event.hlc),
            event.context,
            event.kind == EventKind.DELETE_OBJECT,
            event.version_id,
            event.body_sha256,
        )
        current = self.disk.keys.get(place, ())
        same = [s for s in current if s.version_id == event.version_id]
        result = self.rules.join(same, incoming)
        others = [s for s in current if s.version_id != event.version_id]
        self.disk.keys[place] = tuple(
            sorted([*others, *result.siblings], key=lambda s: s.stamp.order_key())
        )
        return result.outcome

    def _keys(self, family: BucketFamily) -> list[str]:
        return sorted({key for home, key in self.disk.keys if home in family.incarnations})

    def _values(self, family: BucketFamily, key: str) -> list[Sibling]:
        held = self.disk.keys
        return [s for home in family.incarnations for s in held.get((home, key), ())]

    def _own_name(self, family: BucketFamily) -> str:
        return self.disk.lives[family.home].name

    def _applied_dots(self) -> frozenset[Dot]:
        return frozenset(self.disk.times_applied) | {(e.actor, e.seq) for e in self.disk.log}
