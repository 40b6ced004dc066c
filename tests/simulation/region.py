"""A world whose nodes gossip, forget, are evicted, lose disks and join again."""

from collections.abc import Callable

from replication.core.events import ReplicationEvent
from tests.simulation import workloads
from tests.simulation.member import Member, MemberDisk, Record
from tests.simulation.replica import Dot, LaneRow, Write
from tests.simulation.world import World

GOSSIP_CHANCE = 0.6
KEEP_UP_SECONDS = 0.5
PAGE_SECONDS_MAX = 0.3
REST_SECONDS_MAX = 120.0
ACTOR_STEP = 1


class Region(World):
    """Members, and what happens to them."""

    node_type = Member
    nodes: dict[str, Member]

    def __init__(self, seed: int, **options):
        super().__init__(seed, **options)
        self.copying: dict[str, int] = {}
        self.copies = 0
        self.next_actor = 1000 + len(self.nodes)
        self.lost: set[Dot] = set()
        self.old_logs: list[ReplicationEvent] = []
        self.happened: dict[str, int] = {}
        for name in self.nodes:
            self.after(self.rng.random() * KEEP_UP_SECONDS, lambda name=name: self._keep_up(name))

    def count(self, what: str) -> None:
        """Note that something happened, so that a test can tell what schedules contain."""
        self.happened[what] = self.happened.get(what, 0) + 1

    def at_work(self) -> list[str]:
        """Return the nodes that clients can use."""
        return [name for name in self.up() if self.nodes[name].is_at_work()]

    # --- upkeep ------------------------------------------------------------------------------

    def _keep_up(self, name: str) -> None:
        node = self.nodes[name]
        if name not in self.down:
            now = self.wall(name)
            evicted, forgotten = set(node.disk.evicted), node.disk.forgotten
            node.enforce_limits(now)
            node.trim(now)
            node.forget(now)
            for other in set(node.disk.evicted) - evicted:
                self.trace(f"{name} evicts {other}")
                self.count("evicted")
            if node.disk.forgotten > forgotten:
                self.trace(f"{name} forgets {node.disk.forgotten - forgotten} values")
                self.count("forgotten")
            if not node.is_at_work() and name not in self.copying:
                self._begin_copy(name)
        self.after(KEEP_UP_SECONDS, lambda: self._keep_up(name))

    def _tick(self, name: str) -> None:
        if name not in self.down and self.rng.random() < GOSSIP_CHANCE:
            peer = self.rng.choice([other for other in self.nodes if other != name])
            said = self.nodes[name].say()
            self._deliver(name, peer, lambda: self._hears(peer, name, said))
        super()._tick(name)

    def _hears(self, name: str, sender: str, said: dict) -> None:
        node = self.nodes[name]
        was_at_work = node.is_at_work()
        node.hear(sender, said, self.wall(name))
        if was_at_work and not node.is_at_work():
            self.trace(f"{name} hears from {sender} that it was evicted")
            self.count("told")

    def _ask(self, sender: str, peer: str, request_id: str, data: bytes) -> None:
        if self.nodes[peer].refuses(sender):
            self.trace(f"{peer} refuses a batch of {sender}")
            return
        super()._ask(sender, peer, request_id, data)

    # --- joining -----------------------------------------------------------------------------

    def _begin_copy(self, name: str) -> None:
        node = self.nodes[name]
        sources = [
            other
            for other, record in node.disk.view.items()
            if other != name and record.is_member and self._reaches(name, other)
        ]
        if not sources:
            return
        source = self.rng.choice(sources)
        if not self.nodes[source].is_at_work():
            return
        self.copies += 1
        self.copying[name] = self.copies
        self.trace(f"{name} copies from {source}")
        frontiers = node.begin_copy(self.nodes[source])
        places = sorted(self.nodes[source].disk.keys)
        self._copy_next(name, source, self.copies, frontiers, places)

    def _copy_next(self, name, source, number, frontiers, places) -> None:
        if self.copying.get(name) != number:
            return
        if not self._reaches(name, source):
            del self.copying[name]
            return
        node, from_node = self.nodes[name], self.nodes[source]
        if places:
            node.copy_key(from_node, places[0])
            delay_seconds = self.rng.random() * PAGE_SECONDS_MAX
            self.after(
                delay_seconds,
                lambda: self._copy_next(name, source, number, frontiers, places[1:]),
            )
            return
        del self.copying[name]
        reached = [
            other for other in node.members() if other != source and self._reaches(name, other)
        ]
        asked = [self.nodes[other] for other in reached if self.nodes[other].is_at_work()]
        node.finish_copy([from_node, *asked], frontiers, self.wall(name))
        self.trace(f"{name} has joined, {len(node.disk.quarantine)} in quarantine")
        self.count("joined")

    def _reaches(self, name: str, other: str) -> bool:
        is_up = name not in self.down and other not in self.down
        return is_up and frozenset((name, other)) not in self.cut

    def kill(self, name: str) -> None:
        """Let a node die; a copy under way breaks off."""
        super().kill(name)
        self.copying.pop(name, None)
        self.nodes[name].heard_at.clear()

    def start(self, name: str) -> None:
        """Start a node that died."""
        super().start(name)
        node = self.nodes[name]
        node.change(is_member=node.record().is_member)

    def lose_disk(self, name: str) -> None:
        """Replace the disk of a node while all others are at work, and let it join again."""
        node = self.nodes[name]
        others = [other for other in self.nodes.values() if other is not node]
        is_whole = all(other.is_at_work() and not other.disk.evicted for other in others)
        if name in self.down or not is_whole or not node.is_at_work():
            return
        for write in self.writes:
            if write.dot[0] == node.actor and not all(_has(other, write.dot) for other in others):
                self.lost.add(write.dot)
        self.kill(name)
        self.trace(f"{name} has a new disk")
        self.count("new disk")
        incarnation = 1 + max(other.disk.view[name].incarnation for other in self.nodes.values())
        self.old_logs += node.disk.log
        view = dict(node.disk.view)
        node.disk = MemberDisk(lanes={peer: LaneRow() for peer in node.peers})
        node.disk.view = view
        if not node.rules.keeps_actor:
            node.actor, self.next_actor = self.next_actor, self.next_actor + ACTOR_STEP
            node.actors.append(node.actor)
        node.disk.view[name] = Record(incarnation, node.actor, is_member=False)
        self.start(name)

    # --- evidence ----------------------------------------------------------------------------

    def dots_of(self, key: str) -> set[Dot]:
        """Return all writes of a key."""
        return {write.dot for write in self.writes if write.key == key}

    @staticmethod
    def version_of(write: Write) -> str:
        """Return the version id that a write made."""
        actor, seq = write.dot
        return f"v{actor}.{seq}" if write.key.startswith("versioned") else "null"

    # --- the end -----------------------------------------------------------------------------

    def rest(self, is_done: Callable[[], bool]) -> None:
        """Let the region be quiet until something holds, for a bounded time."""
        for name in self.nodes:
            self.skews[name] = 0.0
        deadline = self.now + REST_SECONDS_MAX
        while self.now < deadline and not is_done():
            self.run(2.0)


def _has(node: Member, dot: Dot) -> bool:
    return dot[0] in node.disk.applied and node.disk.applied[dot[0]].contains(dot[1])


def forgetting(region: Region, *, seconds: float = 12.0, rate: float = 6.0) -> None:
    """Put and delete objects while nodes are cut off for long, lose disks and join again."""
    workloads.create_photos(region)
    rng = region.rng
    workloads.misfortune(region, seconds)
    for _ in range(2):
        _absence(region, rng.choice(list(region.nodes)), seconds)
    for name in region.nodes:
        if rng.random() < 0.4:
            region.after(rng.random() * seconds, lambda name=name: region.lose_disk(name))
    for _ in range(int(seconds * rate)):
        region.after(rng.random() * seconds, lambda: _object(region))
    region.run(seconds)


def _absence(region: Region, name: str, seconds: float) -> None:
    """Cut a node off for a large part of the time, or let it be down."""
    begin, length = region.rng.random() * seconds * 0.6, region.rng.uniform(2, seconds * 0.5)
    if region.rng.random() < 0.5:
        region.after(begin, lambda: region.split([name]))
        region.after(begin + length, region.cut.clear)
    else:
        region.after(begin, lambda: region.kill(name))
        region.after(begin + length, lambda: region.start(name))


def _object(region: Region) -> None:
    nodes = region.at_work()
    if nodes:
        workloads.one_object(region, "photos", region.rng.choice(nodes))
