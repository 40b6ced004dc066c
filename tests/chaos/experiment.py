"""One experiment: clients work, something happens, it passes, and what is left is checked."""

import time
from dataclasses import dataclass, field

from tests.chaos import checkers
from tests.chaos.history import to_lines
from tests.chaos.region import HEARTBEAT_SECONDS, TIMEOUT_SECONDS
from tests.chaos.workload import (
    Load,
    Workload,
    make_buckets,
    snapshot,
    wait_converged,
)
from tests.probe.cluster import KEEP, wait_until

# The promise is the timeout and one tick; the rest is for machines that do something else too.
DETECTION_SECONDS_MAX = TIMEOUT_SECONDS + 3 * HEARTBEAT_SECONDS + 2
SHOWN_MAX = 12


@dataclass(slots=True)
class Figures:
    """What one experiment measured; None where it does not apply."""

    scenario: str
    mode: str
    operations: int = 0
    detection_seconds: float | None = None
    gap_seconds: float | None = None
    convergence_seconds: float | None = None
    notes: list[str] = field(default_factory=list)


class Experiment:
    """A context manager in which clients work on two buckets, the second one with versions."""

    def __init__(self, cluster, name, *, seed=1, **load):
        self.cluster, self.mode = cluster, cluster.plan.mode
        self.is_strong = self.mode != "async"
        self.name = name
        self.figures = Figures(name, self.mode)
        self.buckets = make_buckets(cluster, name)
        self.workload = Workload(cluster, Load(self.buckets, **load), seed)
        self.broken = []
        self.last = []
        # Whether the region is one to go on with.
        self.is_spoiled = False

    @property
    def history(self):
        """What the clients were told so far."""
        return list(self.workload.history)

    def __enter__(self):
        self.workload.__enter__()
        return self

    def __exit__(self, *_):
        self.workload.__exit__()
        if KEEP:
            file = self.cluster.directory / f"{self.name}.history"
            file.write_text(to_lines(self.history))

    def work(self, seconds):
        """Let the clients work for a while; return the moments before and after."""
        begin = time.monotonic()
        self.workload.run_for(seconds)
        return begin, time.monotonic()

    def detect(self, victims, by, word="failed"):
        """Wait until some nodes see others as failed; return the seconds it took."""
        begin = time.monotonic()
        for node in by:
            wait_until(
                lambda node=node: all(
                    self.cluster.liveness(node).get(victim) == word
                    for victim in victims
                    if victim != node
                ),
                DETECTION_SECONDS_MAX,
                f"node {node} sees {sorted(victims)} as {word}",
            )
        seconds = time.monotonic() - begin
        self.figures.detection_seconds = max(seconds, self.figures.detection_seconds or 0)
        return seconds

    def require(self, found):
        """Note what one of the checkers found."""
        self.broken += found

    def look(self, nodes, *, missing_max=None):
        """Let the clients rest, see what nodes show, and check that enough have what they must."""
        self.workload.rest()
        if missing_max is None:
            missing_max = 0 if self.mode == "sync" else (len(self.cluster.all) - 1) // 2
        if self.is_strong:
            shown = [self._snapshot(node, bucket) for bucket in self.buckets for node in nodes]
            self.require(
                checkers.enough_nodes_have_it(self.history, shown, missing_max=missing_max)
            )
        self.workload.go_on()

    def _snapshot(self, node, bucket):
        return snapshot(self.cluster, node, bucket, has_versions=bucket == self.buckets[1])

    def converge(self, deadline_seconds=30):
        """Stop the clients, and wait until all nodes show the same."""
        self.workload.rest()
        self.cluster.wait_whole()
        seconds = wait_converged(self.cluster, self.buckets, deadline_seconds)
        self.figures.convergence_seconds = seconds
        self.show()

    def show(self, nodes=None):
        """Take what nodes, all by default, show now for what they show in the end."""
        asked = self.cluster.all if nodes is None else nodes
        self.last = [self._snapshot(n, b) for b in self.buckets for n in asked]

    def check(self, *, history=None, but=()):
        """Ask all checkers; fail with what they found.

        Args:
            history: What to take for certain; everything that was told when None.
            but: Nodes whose disk was replaced.
        """
        told = self.history if history is None else history
        order = {"is_strong": self.is_strong}
        is_sync = self.mode == "sync"
        self.require(checkers.bodies_certify(told))
        self.require(checkers.refused_writes_stay_away(told, self.last))
        self.require(checkers.finals_are_explained(told, self.last, **order))
        self.require(checkers.nodes_agree(self.last))
        self.require(checkers.reads_go_forward(told, **order, is_global=is_sync, but=but))
        self.require(checkers.versions_are_made_once(told, self.last))
        self.figures.operations = len(told)
        assert not self.broken, "\n".join(
            [f"{len(self.broken)} violations:", *self.broken[:SHOWN_MAX]]
        )
