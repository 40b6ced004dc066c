"""Many minutes of load with a fault in each, and whether anything breaks or grows.

    python -m tests.chaos.soak 20 --nodes 5 --seed 7 --write-docs

The seed chooses faults, their order and the load again, though not their timing.
"""

import argparse
import random
import sqlite3
import statistics
import sys
import time
from dataclasses import dataclass

from tests.chaos import checkers, faults
from tests.chaos.conftest import PAGE
from tests.chaos.experiment import Experiment
from tests.chaos.lab import able
from tests.chaos.region import ChaosCluster, Plan
from tests.chaos.report import write_table

SETTINGS = (("RS3GW_EVENT_RETENTION", "30s"), ("RS3GW_BLOB_GRACE", "60s"))
MINUTE_SECONDS = 60.0
REST_SECONDS = 20.0
FAULT_SECONDS = (5.0, 20.0)
CONVERGENCE_SECONDS = 120
GROWTH_MAX = 1.10
TABLES = ("replication_replicationeventrecord", "replication_delivery")


def _pair(cluster, rng):
    return rng.sample(list(cluster.all), 2)


def _half(cluster, rng):
    nodes = list(cluster.all)
    rng.shuffle(nodes)
    return nodes[: len(nodes) // 2], nodes[len(nodes) // 2 :]


FAULTS = {
    "one is killed": lambda c, rng: faults.killed(c, rng.choice(c.all)),
    "two are killed": lambda c, rng: faults.killed(c, *_pair(c, rng)),
    "all are killed": lambda c, rng: faults.killed(c, *c.all),
    "two lose their power": lambda c, rng: faults.power_lost(c, *_pair(c, rng)),
    "one is frozen": lambda c, rng: faults.frozen(c, rng.choice(c.all)),
    "a minority is cut off": lambda c, rng: faults.partitioned(c, *_half(c, rng)),
    "each is alone": lambda c, rng: faults.partitioned(c, *[[node] for node in c.all]),
    "one is mute": lambda c, rng: faults.mute(c, rng.choice(c.all)),
    "one is deaf": lambda c, rng: faults.deaf(c, rng.choice(c.all)),
    "a fifth of the frames is lost": lambda c, rng: faults.lossy(c, 0.2),
    "one is far away": lambda c, rng: faults.slow(c, rng.choice(c.all), delay_ms=80, kbit=4000),
    "a disk is full": lambda c, rng: faults.full_disk(c, rng.choice(c.all)),
    "brokers die": lambda c, rng: faults.without_broker(c, *_pair(c, rng)),
    "a worker dies": lambda c, rng: faults.without_worker(c, rng.choice(c.all)),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """What one node used at one moment; `rows` are those of the log and its deliveries."""

    minute: int
    node: int
    rss_kib: int
    threads: int
    files: int
    rows: int


def rows_of(cluster, node):
    """Return how many rows a node's log and its deliveries have."""
    path = cluster.data_dir(node) / "rs3gw.sqlite3"
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        return sum(
            database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES
        )
    finally:
        database.close()


def sample(cluster, minute):
    """Return what all nodes use now."""
    return [
        Sample(minute, node, **cluster.machines[node].usage(), rows=rows_of(cluster, node))
        for node in cluster.all
    ]


def deck(rng, minutes):
    """Return the faults of a run: all of them in some order before any comes again."""
    names = []
    while len(names) < minutes:
        names += rng.sample(sorted(FAULTS), len(FAULTS))
    return names[:minutes]


def growth(samples, name, node):
    """Return the medians of the middle and the last third of a node's samples."""
    values = [getattr(s, name) for s in samples if s.node == node]
    third = max(1, len(values) // 3)
    return statistics.median(values[-2 * third : -third] or values), statistics.median(
        values[-third:]
    )


def usage_table(samples, nodes):
    """Return a Markdown table: of each node the middle and the last third of the run."""
    lines = [
        "| Node | Resident MiB | Threads | Open files | Rows of the log |",
        "|---|---|---|---|---|",
    ]
    for node in nodes:
        cells = []
        for name, scale in (("rss_kib", 1024), ("threads", 1), ("files", 1), ("rows", 1)):
            middle, last = growth(samples, name, node)
            cells.append(f"{middle / scale:.0f} → {last / scale:.0f}")
        lines.append(f"| {node + 1} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


class Soak:
    """One run."""

    def __init__(self, minutes, seed, nodes, mode):
        self.minutes, self.seed = minutes, seed
        self.plan = Plan(nodes=nodes, mode=mode, settings=SETTINGS)
        self.rng = random.Random(seed)
        self.samples = []

    def say(self, text):
        """Print a line at once."""
        sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
        sys.stdout.flush()

    def run(self):
        """Torment a region; return (experiment, what broke)."""
        with ChaosCluster(self.plan) as cluster:
            load = {"clients_per_node": 1, "keys": 12, "think_seconds": (0.1, 0.3)}
            with Experiment(cluster, f"soak-{self.seed}", seed=self.seed, **load) as experiment:
                for minute, name in enumerate(deck(self.rng, self.minutes)):
                    experiment.workload.prefix = f"m{minute:03}-"
                    self._minute(experiment, minute, name)
                experiment.converge(CONVERGENCE_SECONDS)
            try:
                experiment.check()
            except AssertionError as error:
                return experiment, str(error)
        return experiment, ""

    def _minute(self, experiment, minute, name):
        cluster, began = experiment.cluster, time.monotonic()
        seconds = self.rng.uniform(*FAULT_SECONDS)
        experiment.work(5)
        self.say(f"minute {minute}: {name} for {seconds:.0f} s")
        with FAULTS[name](cluster, self.rng):
            experiment.work(seconds)
        cluster.wait_whole()
        experiment.work(max(REST_SECONDS, MINUTE_SECONDS - (time.monotonic() - began)))
        self.samples += sample(cluster, minute)

    def summary(self, experiment, broken):
        """Return the result as Markdown."""
        told = checkers.outcomes(experiment.history)
        counts = ", ".join(f"{count} {name}" for name, count in sorted(told.items()))
        seconds = experiment.figures.convergence_seconds
        after = "never" if seconds is None else f"{seconds:.1f} s after the last fault"
        return "\n".join(
            [
                f"{self.plan.nodes} nodes, `{self.plan.mode}`, {self.minutes} minutes with a fault "
                f"in each, seed {self.seed}: {counts}; the same everywhere {after}; "
                f"violations: {broken or 'none'}.",
                "",
                usage_table(self.samples, range(self.plan.nodes)),
            ]
        )


def main():
    """Run, print and tell by the exit status whether everything held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", nargs="?", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--mode", default="quorum", choices=["async", "quorum"])
    parser.add_argument("--write-docs", action="store_true")
    options = parser.parse_args()
    reasons = able.missing()
    if reasons:
        sys.exit("soak: skipped, " + "; ".join(reasons))
    seed = random.SystemRandom().randrange(10_000) if options.seed is None else options.seed
    soak = Soak(options.minutes, seed, options.nodes, options.mode)
    soak.say(f"seed {seed}")
    experiment, broken = soak.run()
    text = soak.summary(experiment, broken)
    sys.stdout.write(text + "\n")
    if options.write_docs:
        write_table(PAGE, "soak", text)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
