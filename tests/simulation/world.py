"""A region in one thread: a seeded scheduler, a bad network, bad clocks, nodes that die.

Everything that happens follows from the seed. Messages are lost, duplicated, delayed and so
reordered; links break; nodes lose what is not on their disk; clocks are wrong and jump. With
`SEED=n` in the environment the tests run that seed alone and print one line per event.
"""

import heapq
import itertools
import os
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.simulation.replica import Replica, Rules, Write

TICK_SECONDS = 0.2
SETTLE_SECONDS_MAX = 4000.0
EPOCH_SECONDS = 1_700_000_000.0


def seeds(count: int) -> list[int]:
    """Return the seeds to run: `count` of them, or the one that the environment names."""
    named = os.environ.get("SEED")
    return [int(named)] if named else list(range(count))


@dataclass(frozen=True, kw_only=True)
class Weather:
    """How bad it is.

    Attributes:
        loss: Share of messages that never arrive.
        duplicates: Share that arrive twice.
        delay_seconds_max: Longest time on the way; uneven delays reorder messages.
        skew_seconds_max: Largest error of a clock at any time; clocks jump within it.
        crashes: Whether nodes die and come back.
        partitions: Whether links break and heal.
        item_failures: Share of events that a node cannot take at the moment.
    """

    loss: float = 0.15
    duplicates: float = 0.15
    delay_seconds_max: float = 0.4
    skew_seconds_max: float = 3.0
    crashes: bool = True
    partitions: bool = True
    item_failures: float = 0.1


CALM = Weather(
    loss=0,
    duplicates=0,
    delay_seconds_max=0.01,
    skew_seconds_max=0,
    crashes=False,
    partitions=False,
    item_failures=0,
)


class World:
    """Nodes, the links between them, and the time."""

    node_type: type[Replica] = Replica

    def __init__(
        self,
        seed: int,
        *,
        node_count: int = 3,
        weather: Weather | None = None,
        rules: Rules | None = None,
    ) -> None:
        self.rng = random.Random(seed)
        self.weather = weather or Weather()
        self.now = EPOCH_SECONDS
        self.is_traced = "SEED" in os.environ
        self.writes: list[Write] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        names = [f"n{index}" for index in range(node_count)]
        actors = {name: 1000 + index for index, name in enumerate(names)}
        rules = rules or Rules()
        self.nodes = {name: self.node_type(name, actors, rules) for name in names}
        self.down: set[str] = set()
        self.cut: set[frozenset[str]] = set()
        self.skews = dict.fromkeys(names, 0.0)
        for name, node in self.nodes.items():
            node.item_failures = self.weather.item_failures
            self.set_skew(name)
            self.after(self.rng.random() * TICK_SECONDS, lambda name=name: self._tick(name))

    # --- time --------------------------------------------------------------------------------

    def after(self, seconds: float, happens: Callable[[], None]) -> None:
        """Let something happen later."""
        heapq.heappush(self._events, (self.now + seconds, next(self._order), happens))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self.now, _, happens = heapq.heappop(self._events)
            happens()
        self.now = end

    def wall(self, name: str) -> float:
        """Return what a node's clock shows."""
        return self.now + self.skews[name]

    def settle(self) -> None:
        """Mend everything and wait until every node has delivered all it has."""
        self.weather = CALM
        self.cut.clear()
        for name, node in self.nodes.items():
            node.item_failures = 0
            if name in self.down:
                self.start(name)
        self.wait_until_drained(self.nodes)

    def wait_until_drained(self, names: Iterable[str]) -> None:
        """Wait until these nodes have delivered all they have; parked events do not count."""
        names = list(names)
        deadline = self.now + SETTLE_SECONDS_MAX
        while not all(self.nodes[name].is_drained() for name in names):
            assert self.now < deadline, "the lanes do not empty"
            self.run(2.0)

    def trace(self, text: str) -> None:
        """Print one line when a single seed is replayed."""
        if self.is_traced:
            print(f"{self.now - EPOCH_SECONDS:9.3f}  {text}")  # noqa: T201

    # --- what goes wrong ---------------------------------------------------------------------

    def set_skew(self, name: str) -> None:
        """Set a node's clock wrong, within the weather's bounds."""
        bound = self.weather.skew_seconds_max
        self.skews[name] = self.rng.uniform(-bound, bound)

    def kill(self, name: str) -> None:
        """Let a node die; its disk stays."""
        self.trace(f"{name} dies")
        self.down.add(name)
        self.nodes[name].restart()

    def start(self, name: str) -> None:
        """Start a node that died."""
        self.trace(f"{name} starts")
        self.down.discard(name)

    def split(self, side: Iterable[str]) -> None:
        """Cut all links between these nodes and the others."""
        inside = set(side)
        self.trace(f"{sorted(inside)} are cut off")
        self.cut = {frozenset((a, b)) for a in inside for b in self.nodes if b not in inside}

    def up(self) -> list[str]:
        """Return the nodes that run."""
        return [name for name in self.nodes if name not in self.down]

    # --- clients and messages ----------------------------------------------------------------

    def do(self, name: str, text: str, ask: Callable[[Replica, float], Write | None]) -> None:
        """Let a client ask a node for a change, and record what it was told."""
        write = ask(self.nodes[name], self.wall(name))
        self.trace(f"{name} {text}: {'refused' if write is None else write.dot}")
        if write is not None:
            self.writes.append(write)
        self._send_all(name)

    def _tick(self, name: str) -> None:
        if name not in self.down:
            self.nodes[name].tick(self.wall(name), self.rng)
            self._send_all(name)
        self.after(TICK_SECONDS, lambda: self._tick(name))

    def _send_all(self, name: str) -> None:
        node = self.nodes[name]
        outbound, node.outbound = node.outbound, []
        for peer, request_id, data in outbound:
            self._deliver(name, peer, lambda d=data, p=peer, r=request_id: self._ask(name, p, r, d))

    def _ask(self, sender: str, peer: str, request_id: str, data: bytes) -> None:
        answer = self.nodes[peer].receive(sender, data, self.wall(peer), self.rng)
        self.trace(f"{peer} takes a batch of {sender}: {answer.decode()}")

        def arrives() -> None:
            self.nodes[sender].answered(request_id, answer, self.wall(sender), self.rng)

        self._deliver(peer, sender, arrives)

    def _deliver(self, source: str, target: str, arrives: Callable[[], None]) -> None:
        weather, rng = self.weather, self.rng
        copies = 1 + (rng.random() < weather.duplicates)
        for _ in range(copies):
            if rng.random() < weather.loss:
                continue
            delay_seconds = rng.uniform(0.001, weather.delay_seconds_max)
            self.after(delay_seconds, lambda: self._arrive(source, target, arrives))

    def _arrive(self, source: str, target: str, arrives: Callable[[], None]) -> None:
        if target not in self.down and frozenset((source, target)) not in self.cut:
            arrives()
