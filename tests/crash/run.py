"""A campaign: one data directory, many kills, everything checked after each.

python -m tests.crash.run --kills 200 --seed 7 --prove
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from tests.crash import audit, load, observe
from tests.crash.aim import AIMS, Trigger
from tests.crash.broken_manage import MUTANTS
from tests.crash.ledger import DamageError, Ledger
from tests.crash.node import CrashNode
from tests.servers import PostgresServer

COLLECT_EVERY = 5
MUTANT_KILLS_MAX = 60


class Campaign:
    """One node and what is known of it.

    Args:
        seed: Chooses load, aims and moments.
        database_url: A PostgreSQL server's; empty for SQLite.
        mutant: A deliberate fault, or "".
    """

    def __init__(self, *, seed, database_url="", mutant=""):
        self.directory = Path(tempfile.mkdtemp(prefix="rs3gw-crash-"))
        self.ledger = Ledger()
        self.hits = Counter()
        self.kills = 0
        self._rng = random.Random(seed)
        self._node = CrashNode(self.directory, database_url=database_url, mutant=mutant)
        self._audit = audit.Audit(self._node)

    def __enter__(self):
        (self.directory / "incoming").mkdir()
        self._node.migrate()
        self._node.start()
        load.prepare(self._node.port, self.ledger)
        return self

    def __exit__(self, kind, error, trace):
        self._node.stop()
        # Damage is evidence: it stays for whoever looks at it.
        if kind is None or self._node.is_broken:
            shutil.rmtree(self.directory, ignore_errors=True)

    def run(self, kills):
        """Kill and check `kills` times, and collect at the end.

        Raises:
            DamageError: An acknowledged change is lost, or something fits nothing.
        """
        aims = _spread(kills, self._rng)
        for number, aim in enumerate(aims, start=1):
            self.kill_once(aim)
            if number % COLLECT_EVERY == 0 or number == len(aims):
                self.collect(is_disturbed=self._rng.random() < 0.4)
            self._node.start()
            observe.compare(self._node.port, self.ledger)
        self._node.kill()
        self._node.wait_dead()
        self._audit.check()

    def kill_once(self, aim):
        """Load the node, kill it at the moment that `aim` names, and check what it left."""
        if aim == "the start":
            self._kill_at_start()
            return
        trigger = Trigger(self._node, aim, self._rng)
        workers = [
            load.Worker(
                number, self._node.port, self.ledger, trigger, random.Random(self._rng.random())
            )
            for number in range(load.THREADS)
        ]
        for worker in workers:
            worker.start()
        trigger.run()
        self._node.wait_dead()
        for worker in workers:
            worker.join(timeout=90)
            load.check(not worker.is_alive(), "a client still waits for the dead node")
        self.kills += 1
        self.hits[aim] += trigger.was_hit
        for worker in workers:
            if worker.failure is not None and not self._node.is_broken:
                raise worker.failure
        self.ledger.counts.leftovers += self._audit.leftovers()
        self._audit.check()

    def _kill_at_start(self):
        self._node.kill()
        self._node.wait_dead()
        self._node.launch()
        time.sleep(self._rng.uniform(0.05, 1.5))
        self._node.kill()
        self._node.wait_dead()
        self.kills += 1
        self._audit.check()

    def collect(self, *, is_disturbed):
        """Sweep twice without grace; kill the collector itself first when `is_disturbed`."""
        if is_disturbed:
            with self._node.collector() as process:
                time.sleep(self._rng.uniform(0.4, 1.2))
                process.kill()
            self._audit.check()
        with self._node.collector() as process:
            answer = process.communicate(timeout=120)[0]
        load.check(process.returncode == 0, "the collector failed")
        self.ledger.counts.orphans += int(answer.split()[-1])
        self._audit.check_collected()

    def report(self):
        """Return one line about the campaign."""
        facts = {"kills": self.kills, **asdict(self.ledger.counts)}
        words = [f"{name.replace('_', ' ')} {count}" for name, count in facts.items()]
        aimed = ", ".join(f"{aim} {count}" for aim, count in sorted(self.hits.items()) if count)
        return f"{', '.join(words)}; moments hit: {aimed}"


def _spread(kills, rng):
    """Return aims in random order, each as often as the others."""
    aims = [AIMS[index % len(AIMS)] for index in range(kills)]
    rng.shuffle(aims)
    return aims


def caught(mutant, *, seed, kills=MUTANT_KILLS_MAX):
    """Return what a campaign says of a node that is broken on purpose, and after how many kills.

    What its clients notice does not count: the checks after the crash must find the fault. None
    when they find nothing.
    """
    campaign = Campaign(seed=seed, mutant=mutant)
    try:
        with campaign:
            campaign.run(kills)
    except DamageError as damage:
        return campaign.kills, str(damage)
    return None


def _prove(seed):
    survived = 0
    for mutant in MUTANTS:
        found = caught(mutant, seed=seed)
        survived += found is None
        what = "NOT CAUGHT" if found is None else f"caught at kill {found[0]}: {found[1][:160]}"
        sys.stdout.write(f"broken on purpose, {mutant}: {what}\n")
    return survived


def main():
    """Run a campaign from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--prove", action="store_true", help="catch deliberate faults afterwards")
    options = parser.parse_args()
    sys.stdout.write(f"seed {options.seed}, {options.database}\n")
    server = PostgresServer() if options.database == "postgres" else None
    try:
        if server is not None:
            server.start()
        url = server.url if server is not None else ""
        with Campaign(seed=options.seed, database_url=url) as campaign:
            sys.stdout.write(f"data in {campaign.directory}\n")
            sys.stdout.flush()
            campaign.run(options.kills)
        sys.stdout.write(f"{campaign.report()}\n")
    finally:
        if server is not None:
            server.stop()
    if options.prove and _prove(options.seed):
        raise SystemExit("a fault that was made on purpose was not caught")


if __name__ == "__main__":
    main()
