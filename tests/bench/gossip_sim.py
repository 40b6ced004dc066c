"""How gossip and failure detection do in large regions: `make gossip-sim`.

The decisions are those of production (`cluster.core`); only the network is pretended, with messages
that are lost by chance. Every figure follows from the seed. Writes docs/gossip.md and
docs/gossip.svg.
"""

import argparse
import json
import math
import random
import sys
from pathlib import Path

from cluster.core.failure_detector import FailureDetector
from cluster.core.gossip import answer, choose_peers, closing, opening
from cluster.core.membership import Facts, MemberRecord, Membership, Status
from cluster.core.node import Lifecycle, Liveness, NodeInfo, project
from cluster.core.probing import HELPERS
from tests.bench.gossip_chart import chart

DOCS = Path(__file__).resolve().parents[2] / "docs"
SIZES = (10, 30, 100, 300, 1000)
SEEDS = 3
RUNS = 5
HEARTBEAT_SECONDS, TIMEOUT_SECONDS = 5.0, 15.0
DETECTED = 100
HOUR_SECONDS = 3600
LOSSES = (0.01, 0.10)
WATCHED = (100, 1000)
HOURS = 20
TEMPLATE = Path(__file__).with_name("gossip.md.in")


def record(number, incarnation=1):
    """Return the record of one pretended node."""
    facts = Facts(
        region="us-east-1",
        address=f"10.0.{number // 250}.{number % 250}:9001",
        lifecycle=Lifecycle.ACTIVE,
        is_member=True,
        actor=number << 8,
        version="0.1.0",
        s3_url=f"http://10.0.{number // 250}.{number % 250}:9000",
        admin_url=f"http://10.0.{number // 250}.{number % 250}:9000/admin/",
        metadata={"zone": f"zone-{number % 3}"},
    )
    return MemberRecord(
        node_id=f"node-{number:04}", incarnation=incarnation, status=Status.ALIVE, facts=facts
    )


def info(found):
    """Return a record as what the choice of peers reads."""
    return NodeInfo(
        node_id=found.node_id,
        address=found.facts.address,
        state=project(found.facts.lifecycle, Liveness.ALIVE),
        last_seen=None,
    )


class Wire:
    """Counts the bytes of messages; a record's size is measured once."""

    def __init__(self):
        self.bytes = 0
        self._record_bytes = len(json.dumps(record(1).to_json()))
        self._bare_bytes = {}

    def send(self, message):
        """Count one message: its envelope once for each kind, its records by their number."""
        kind = type(message)
        if kind not in self._bare_bytes:
            parts = message.to_json()
            parts.pop("records", None)
            self._bare_bytes[kind] = len(json.dumps(parts))
        self.bytes += self._bare_bytes[kind] + len(message.records) * self._record_bytes


def rounds_until_all_know(size, rng, seed_count=SEEDS):
    """Return the rounds until all know of a node that joins, and bytes a node and round.

    Args:
        size: How many nodes.
        rng: Source of chance.
        seed_count: How many of them are seeds, which every node also talks to.

    Returns:
        Rounds, bytes a node and round while the news spreads, and the same when all agree.
    """
    records = [record(number) for number in range(size)]
    table = Membership(records[:-1])
    newcomer = records[-1]
    tables = dict.fromkeys([r.node_id for r in records], table)
    met = records[rng.randrange(SEEDS)].node_id
    for name in (newcomer.node_id, met):
        tables[name] = Membership(records)
    peers = [info(found) for found in records]
    by_address = {peer.address: peer.node_id for peer in peers}
    seeds = [peer.address for peer in peers[:seed_count]]
    known = Membership(records).digest()
    wire, rounds = Wire(), 0
    while any(held.digest() != known for held in tables.values()):
        rounds += 1
        one_round(tables, peers, seeds, by_address, wire, rng)
    spreading = wire.bytes / size / rounds
    wire.bytes = 0
    one_round(tables, peers, seeds, by_address, wire, rng)
    return rounds, spreading, wire.bytes / size


def one_round(tables, peers, seeds, by_address, wire, rng):
    """Let every node have its turn; all begin with what they knew before the round."""
    before = dict(tables)
    for peer in peers:
        others = [p for p in rng.sample(peers, min(len(peers), 4)) if p is not peer]
        own_seeds = [address for address in seeds if address != peer.address]
        for address in choose_peers(others, own_seeds, rng):
            called = by_address[address]
            for node_id, learnt in exchange(before, peer.node_id, called, wire):
                tables[node_id] = joined(tables[node_id], learnt)


_exchanges: dict[tuple[str, str], tuple] = {}
_joins: dict[tuple[str, str], Membership] = {}


def exchange(tables, caller, called, wire):
    """Return what two nodes know after they spoke, as production exchanges it.

    Nodes that know the same say the same, so each pair of tables is played once.
    """
    pair = tables[caller].digest(), tables[called].digest()
    if pair not in _exchanges:
        _exchanges[pair] = _speak(tables[caller], tables[called], caller, called)
    messages, ours, theirs = _exchanges[pair]
    for message in messages:
        wire.send(message)
    return (caller, ours), (called, theirs)


def _speak(ours, theirs, caller, called):
    message = opening(caller, ours, {})
    reply = answer(called, theirs, message)
    ours = Membership([*ours, *reply.records])
    last = closing(caller, ours, reply)
    if last is None:
        return (message, reply), ours, theirs
    return (message, reply, last), ours, Membership([*theirs, *last.records])


def joined(one, other):
    """Return what both tables know."""
    pair = one.digest(), other.digest()
    if pair[0] == pair[1]:
        return one
    if pair not in _joins:
        _joins[pair] = one.merge(other)
    return _joins[pair]


def false_failures(size, loss, hours, rng):
    """Return how often a node of a healthy region judges another failed, a node and hour."""
    wrong = 0
    detector = _detector()
    watched = [f"n{number}" for number in range(size - 1)]
    for name in watched:
        detector.expect(name, 0.0)
    failed = set()
    for beat in range(1, int(hours * HOUR_SECONDS / HEARTBEAT_SECONDS)):
        now = beat * HEARTBEAT_SECONDS
        detector.tick(now)
        for name in watched:
            if _heartbeat_heard(loss, rng):
                detector.observe(name, now)
                failed.discard(name)
                continue
            if detector.is_silent(name, now) and _vouched(loss, rng):
                detector.vouch(name, now)
            if detector.verdict(name, now) == Liveness.FAILED and name not in failed:
                failed.add(name)
                wrong += 1
    return wrong / hours


def _detector():
    return FailureDetector(
        heartbeat_interval_seconds=HEARTBEAT_SECONDS,
        heartbeat_timeout_seconds=TIMEOUT_SECONDS,
        tick_interval_seconds=HEARTBEAT_SECONDS,
    )


def _arrives(loss, messages, rng):
    return all(rng.random() >= loss for _ in range(messages))


def _heartbeat_heard(loss, rng):
    """Return whether a node hears another one in an interval: its own call, or the other's."""
    return _arrives(loss, 2, rng) or _arrives(loss, 1, rng)


def _vouched(loss, rng):
    """Return whether one of the helpers reaches the silent node and says so: four messages."""
    return any(_arrives(loss, 4, rng) for _ in range(HELPERS))


def detection_seconds(rng):
    """Return the times from a death to the verdict, for deaths at any moment of an interval."""
    found = []
    for _ in range(DETECTED):
        died_after = rng.uniform(0, HEARTBEAT_SECONDS)
        detector = _detector()
        detector.observe("n", 0.0)
        now = 0.0
        while detector.verdict("n", now) != Liveness.FAILED:
            now += 1.0
        found.append(now - died_after)
    return found


def say(line):
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main():
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    chosen = parser.parse_args()
    rng = random.Random(chosen.seed)
    rows = []
    for size in chosen.sizes:
        runs = [rounds_until_all_know(size, rng) for _ in range(RUNS)]
        alone = sorted(rounds_until_all_know(size, rng, 0)[0] for _ in range(RUNS))
        rounds = sorted(run[0] for run in runs)
        spreading = sum(run[1] for run in runs) / RUNS
        quiet = sum(run[2] for run in runs) / RUNS
        rows.append((size, rounds[RUNS // 2], alone[RUNS // 2], alone[-1], spreading, quiet))
        say(f"{size:5} nodes: {rounds} rounds, {alone} without seeds, {spreading:,.0f} bytes")
    wrong = [
        (size, loss, false_failures(size, loss, HOURS, rng)) for size in WATCHED for loss in LOSSES
    ]
    for size, loss, count in wrong:
        say(f"{size:5} nodes, {loss:.0%} lost: {count:.3f} false failures a node and hour")
    seconds = sorted(detection_seconds(rng))
    write(rows, wrong, seconds, chosen.seed)


def write(rows, wrong, seconds, seed):
    """Write the page and the picture."""
    lines = [
        f"| {size} | {seeded} | {alone} | {most} | {math.log2(size):.1f} "
        f"| {spreading:,.0f} | {quiet:,.0f} |"
        for size, seeded, alone, most, spreading, quiet in rows
    ]
    losses = [f"| {size} | {loss:.0%} | {count:.3f} |" for size, loss, count in wrong]
    text = TEMPLATE.read_text().format(
        rows="\n".join(lines),
        losses="\n".join(losses),
        seed=seed,
        runs=RUNS,
        median=seconds[len(seconds) // 2],
        most=seconds[-1],
    )
    (DOCS / "gossip.md").write_text(text)
    (DOCS / "gossip.svg").write_text(chart([(row[0], row[2]) for row in rows]))


if __name__ == "__main__":
    main()
