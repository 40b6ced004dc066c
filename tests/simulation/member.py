"""A node that trims its log, forgets deletes, evicts who is away, and joins again when evicted.

As in production: what members say of themselves travels by gossip, membership too, so that nodes
know different things at one time. The decisions are those of `replication.core.stability`.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace

from replication.core.applied import AppliedRanges
from replication.core.events import EventKind
from replication.core.review import Answer, Brought, Fate, Known, uncovers
from replication.core.stability import Limits, Told, cut, exceeded, may_evict, ranges_of
from rs3gw.common import hlc
from rs3gw.storage.core.siblings import Sibling, winner
from tests.simulation.replica import Disk, Dot, LaneRow, Replica

RETENTION_SECONDS = 1.0
TOMBSTONE_AGE_SECONDS = 1.0
HEARD_SECONDS = 2.0
STAYING = (Fate.KEEP, Fate.SEND)
LIMITS = Limits(events=14)


@dataclass(frozen=True)
class Record:
    """What is said of a node's membership; the higher incarnation is believed."""

    incarnation: int
    actor: int
    is_member: bool


@dataclass
class MemberDisk(Disk):
    """What a member keeps besides: the words of others, evictions, what left the log."""

    view: dict[str, Record] = field(default_factory=dict)
    told: dict[str, tuple[int, Told]] = field(default_factory=dict)
    evicted: dict[str, int] = field(default_factory=dict)
    was_back: dict[str, int] = field(default_factory=dict)
    notice: tuple[int, int] | None = None
    rejoined: int = 0
    gone: set[int] = field(default_factory=set)
    low: int = 0
    skipped: list[tuple[int, int, int]] = field(default_factory=list)
    quarantine: dict[Dot, tuple[str, str]] = field(default_factory=dict)
    forgotten: int = 0
    rewritten: dict[Dot, Dot] = field(default_factory=dict)


class Member(Replica):
    """One node of a region whose nodes forget."""

    disk: MemberDisk

    def __init__(self, node_id, actors, rules):
        super().__init__(node_id, actors, rules)
        self.heard_at = {}
        self.disk = MemberDisk(lanes=self.disk.lanes)
        self.disk.view = {name: Record(1, actor, True) for name, actor in actors.items()}

    # --- gossip ------------------------------------------------------------------------------

    def record(self) -> Record:
        """Return its own record."""
        return self.disk.view[self.node_id]

    def change(self, *, is_member: bool) -> None:
        """Take a step of its own life under a new incarnation."""
        old = self.record()
        self.disk.view[self.node_id] = Record(old.incarnation + 1, self.actor, is_member)

    def is_at_work(self) -> bool:
        """Return whether clients are served."""
        return self.record().is_member

    def word(self) -> Told:
        """Return what it says of itself."""
        frontiers = {actor: ranges.frontier for actor, ranges in self.disk.applied.items()}
        frontiers[self.actor] = self.disk.seq
        return Told(
            writers=frozenset({self.actor}),
            frontiers=frontiers,
            settled={self.actor: self.settled()},
        )

    def settled(self) -> int:
        """Return up to where its log is empty."""
        disk = self.disk
        while disk.low + 1 in disk.gone:
            disk.low += 1
        return disk.low

    def say(self) -> dict[str, object]:
        """Return what it tells a peer."""
        return {
            "view": dict(self.disk.view),
            "word": self.word() if self.record().is_member else None,
            "evicted": dict(self.disk.evicted),
            "rejoined": self.disk.rejoined,
            "skipped": list(self.disk.skipped),
        }

    def hear(self, sender: str, said: dict, now: float) -> None:
        """Take in what a peer tells."""
        disk = self.disk
        self.heard_at[sender] = now
        for name, record in said["view"].items():
            if name != self.node_id and record.incarnation > disk.view[name].incarnation:
                self._know_record(name, record)
        if disk.evicted.get(sender, 2**60) <= said["rejoined"]:
            disk.was_back[sender] = disk.evicted.pop(sender)
            self._begin_lane(sender)
        for name, incarnation in said["evicted"].items():
            if name == self.node_id:
                self._hear_own(incarnation)
            elif disk.was_back.get(name, 0) < incarnation:
                self.evict(name, incarnation)
        for actor, low, high in said["skipped"]:
            ranges = disk.applied.get(actor, AppliedRanges())
            disk.applied[actor] = ranges.add_through(low, high)
        record, word = disk.view[sender], said["word"]
        is_known = record == said["view"][sender]
        if word is not None and record.is_member and is_known and sender not in disk.evicted:
            disk.told[sender] = (record.incarnation, word)

    def _begin_lane(self, name: str) -> None:
        """Begin a lane anew; an answer that is on its way belongs to the old one."""
        self.disk.lanes[name] = LaneRow()
        self.requests = {i: r for i, r in self.requests.items() if r.destination != name}

    def _know_record(self, name: str, record: Record) -> None:
        disk = self.disk
        if disk.view[name].actor != record.actor:
            self._begin_lane(name)
            disk.told.pop(name, None)
            disk.evicted.pop(name, None)
        if not record.is_member:
            disk.told.pop(name, None)
        disk.view[name] = record

    def _hear_own(self, incarnation: int) -> None:
        own = self.record()
        is_news = self.disk.rejoined < incarnation <= own.incarnation
        if is_news and own.is_member and self.disk.notice is None:
            self.disk.notice = (own.incarnation, self.disk.seq)
            self.change(is_member=False)

    # --- what may go -------------------------------------------------------------------------

    def members(self) -> list[str]:
        """Return the registered members that it knows, itself included."""
        return [name for name, record in self.disk.view.items() if record.is_member]

    def cut(self, now: float):
        """Return what everyone has."""
        others = {}
        for name in self.members():
            ago = now - self.heard_at.get(name, 0.0)
            if name != self.node_id and name not in self.disk.evicted and self.rules.counts(ago):
                told = self.disk.told.get(name)
                others[name] = told[1] if told else None
        return cut(self.word(), others)

    def forget(self, now: float) -> None:
        """Remove settled deletes, unless somebody is joining."""
        found = self.cut(now)
        is_quiet = all(record.is_member for record in self.disk.view.values())
        if not is_quiet or self.disk.notice or found.silent:
            return
        before = hlc.pack(int((now - TOMBSTONE_AGE_SECONDS) * 1000))
        for place, values in list(self.disk.keys.items()):
            deleted = {value.version_id for value in values if value.is_tombstone}
            versions = defaultdict(list)
            for value in values:
                if value.version_id in deleted:
                    versions[value.version_id].append(value)
            going = [
                value
                for same in versions.values()
                for value in self.rules.forgettable(
                    same,
                    lambda s: s.stamp.hlc < before and self.rules.is_settled(found, s),
                )
            ]
            if going:
                self._remove(place, going)
            self.disk.forgotten += len(going)

    def _remove(self, place: tuple[str, str], going: list[Sibling]) -> None:
        gone = {(value.stamp.actor, value.stamp.seq) for value in going}
        kept = tuple(
            v for v in self.disk.keys.get(place, ()) if (v.stamp.actor, v.stamp.seq) not in gone
        )
        if kept:
            self.disk.keys[place] = kept
        else:
            self.disk.keys.pop(place, None)

    def trim(self, now: float) -> None:
        """Delete from the log what every lane has passed and every member has."""
        disk, stable = self.disk, self.cut(now).stable
        lanes = [lane for name, lane in disk.lanes.items() if name not in disk.evicted]
        passed = self.rules.passed([len(disk.log), *(lane.cursor for lane in lanes)])
        waiting = {position for lane in lanes for position in (*lane.retry, *lane.parked)}
        before = hlc.pack(int((now - RETENTION_SECONDS) * 1000))
        for position in range(self.settled() + 1, passed + 1):
            event = disk.log[position - 1]
            if position not in waiting and event.hlc < before and self.rules.trims(event, stable):
                disk.gone.add(position)

    def enforce_limits(self, now: float) -> None:
        """Evict who is beyond a limit, where that may be decided."""
        self.now, members = now, self.members()
        reachable = [n for n in members if now - self.heard_at.get(n, 0) < HEARD_SECONDS]
        for name in members:
            if name == self.node_id or name in self.disk.evicted:
                continue
            decides = may_evict(
                registered=len(members),
                reachable=1 + len(set(reachable) - {self.node_id}),
                evicted=len(self.disk.evicted),
            )
            if decides and (self._is_beyond(name) or self._lacks_what_is_gone(name)):
                self.evict(name, self.disk.view[name].incarnation)

    def _is_beyond(self, name: str) -> bool:
        _, told = self.disk.told.get(name, (0, None))
        is_heard = self.now - self.heard_at.get(name, 0) < HEARD_SECONDS
        if told is None and is_heard:
            return False
        lane = self.disk.lanes[name]
        start = max(lane.cursor, told.frontiers.get(self.actor, 0) if told else 0)
        behind = [p for p in range(start + 1, len(self.disk.log) + 1) if p not in self.disk.gone]
        waiting = len(behind) + len(lane.retry)
        return bool(exceeded(LIMITS, events=waiting, size_bytes=0, age_seconds=0))

    def _lacks_what_is_gone(self, name: str) -> bool:
        incarnation, told = self.disk.told.get(name, (0, None))
        if told is None or incarnation != self.disk.view[name].incarnation:
            return False
        known = told.frontiers.get(self.actor, 0)
        is_skipped = any(low <= known + 1 <= high for _, low, high in self.disk.skipped)
        return known < self.settled() and not is_skipped

    def evict(self, name: str, incarnation: int) -> None:
        """Stop waiting for a member."""
        if name not in self.disk.evicted:
            self.disk.evicted[name] = incarnation
            self._begin_lane(name)
            self.disk.told.pop(name, None)

    def refuses(self, sender: str) -> bool:
        """Return whether what a node sends is not taken."""
        return self.rules.refuses and sender in self.disk.evicted

    # --- joining -----------------------------------------------------------------------------

    def begin_copy(self, source: "Member") -> dict[int, int]:
        """Take over buckets; return the source's frontiers."""
        for life in source.disk.lives.values():
            self._know(life)
        return dict(source.word().frontiers)

    def copy_key(self, source: "Member", place: tuple[str, str]) -> None:
        """Join what the source holds of one key."""
        for value in source.disk.keys.get(place, ()):
            self.disk.hlc = max(self.disk.hlc, value.stamp.hlc)
            if value.payload:
                self.disk.bodies[value.payload] = source.disk.bodies[value.payload]
            current = self.disk.keys.get(place, ())
            same = [s for s in current if s.version_id == value.version_id]
            others = [s for s in current if s.version_id != value.version_id]
            joined = [*others, *self.rules.join(same, value).siblings]
            self.disk.keys[place] = tuple(sorted(joined, key=lambda s: s.stamp.order_key()))

    def finish_copy(self, asked: list["Member"], frontiers: dict[int, int], now: float) -> None:
        """Review what only it holds, and become a member."""
        for actor, frontier in frontiers.items():
            if actor != self.actor and frontier:
                ranges = self.disk.applied.get(actor, AppliedRanges())
                self.disk.applied[actor] = ranges.add_through(1, frontier)
        if self.disk.notice is not None:
            incarnation, old = self.disk.notice
            if self.rules.reviews:
                self._review(asked, old, now)
            self.disk.rejoined, self.disk.notice = incarnation, None
        self.change(is_member=True)

    def _review(self, asked: list["Member"], old: int, now: float) -> None:
        """Set aside, drop or write again what the others do not know."""
        sent: set[int] = set()
        for place, values in list(self.disk.keys.items()):
            fates = [(value, self._judge(asked, place, value, values, old)) for value in values]
            staying = {v.version_id for v, f in fates if f in STAYING and not v.is_tombstone}
            fates = [
                (v, f)
                for v, f in fates
                if not uncovers(
                    f, is_tombstone=v.is_tombstone, has_live_rival=v.version_id in staying
                )
            ]
            for value, fate in fates:
                dot = (value.stamp.actor, value.stamp.seq)
                if fate == Fate.SET_ASIDE:
                    self.disk.quarantine[dot] = place
                if fate == Fate.WRITE_AGAIN:
                    self.write_again(place, value, now)
                if fate == Fate.SEND:
                    sent.add(value.stamp.seq)
            self._remove(place, [v for v, f in fates if f in (Fate.DROP, Fate.SET_ASIDE)])
        self._drop_unsent(old, sent)

    def knows(self, place: tuple[str, str], value: Sibling) -> Answer:
        """Return what it knows of another node's value."""
        actor, seq = value.stamp.actor, value.stamp.seq
        held = self.disk.keys.get(place, ())
        return Answer(
            has_row=(actor, seq) in {(s.stamp.actor, s.stamp.seq) for s in held},
            has_version=value.version_id in {s.version_id for s in held},
            was_applied=self.disk.applied.get(actor, AppliedRanges()).contains(seq),
            will_send=actor == self.actor and seq not in self.disk.gone and not self.disk.notice,
            refuses=actor in {self.disk.view[name].actor for name in self.disk.evicted},
        )

    def _judge(self, asked, place, value, values, old: int) -> Fate:
        actor, seq = value.stamp.actor, value.stamp.seq
        is_own = actor == self.actor
        others = [name for name in self.members() if name != self.node_id]
        told = [
            self.disk.told[name][1].frontiers if name in self.disk.told else {} for name in others
        ]
        shared = min((frontiers.get(self.actor, 0) for frontiers in told), default=0)
        same = [s for s in values if s.version_id == value.version_id]
        answers = [other.knows(place, value) for other in asked]
        known = Known(answers[0], tuple(answers[1:]))
        brought = Brought(
            is_own=is_own,
            is_old=seq <= old,
            is_shared=is_own and seq <= shared,
            is_winner=winner(same) is value,
            is_named=value.version_id != "null",
            is_tombstone=value.is_tombstone,
        )
        return self.rules.judge(known, brought)

    def write_again(self, place: tuple[str, str], value: Sibling, now: float) -> None:
        """Write a value that only this node has as a new change."""
        stamp = self._take_stamp(now)
        kind = EventKind.DELETE_OBJECT if value.is_tombstone else EventKind.PUT_OBJECT
        life = self.disk.lives[place[0]]
        event = self._event(kind, stamp, life.incarnation, life.name, key=place[1])
        body = value.payload or ""
        event = replace(
            event,
            version_id=value.version_id,
            context=self.rules.context(self.disk.keys[place]),
            body_sha256=body,
            body_size_bytes=len(self.disk.bodies[body]) if body else 0,
        )
        self._join_object(event)
        self.disk.rewritten[stamp.actor, stamp.seq] = (value.stamp.actor, value.stamp.seq)
        self._commit(event, now, frozenset())

    def _drop_unsent(self, old: int, sent: set[int]) -> None:
        dropped = [
            event.seq
            for position, event in enumerate(self.disk.log, start=1)
            if event.key and event.seq <= old and position not in {*self.disk.gone, *sent}
        ]
        self.disk.gone |= set(dropped)
        self.disk.skipped += [(self.actor, low, high) for low, high in ranges_of(dropped)]
        for lane in self.disk.lanes.values():
            lane.retry = {p: plan for p, plan in lane.retry.items() if p not in self.disk.gone}

    # --- lanes -------------------------------------------------------------------------------

    def _drain(self, peer, now, rng):
        if self.disk.notice is None and peer not in self.disk.evicted:
            super()._drain(peer, now, rng)

    def gone(self):
        return self.disk.gone

    def is_drained(self) -> bool:
        """Return whether all it has to send was delivered; nobody is left out."""
        return self.is_at_work() and not self.disk.evicted and super().is_drained()
