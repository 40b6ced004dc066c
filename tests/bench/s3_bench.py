"""A node under S3 requests, beside moto and beside a handler that stores nothing.

    python -m tests.bench.s3_bench [--rounds 3] [--seconds 2] [--write-docs] [--profile]

The servers take turns in each round, and the medians of the rounds are compared.
"""

import argparse
import os
import random
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.bench import generator, listing, report
from tests.bench.servers import LARGE_BYTES, SMALL_BYTES, Moto, Node, Raw
from tests.crash.client import signed_headers, target_of

CONNECTIONS = 16
LARGE_CONNECTIONS = 2
BUCKET, LIST_BUCKET = "bench", "listed"
LISTED_KEYS = 1000
PAGE_KEYS = 100
# Enough that a round seldom sends the same request twice.
REQUESTS_A_CONNECTION = 250
DELETES_A_CONNECTION = 60


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of the table: requests a second, or MB/s when `size_bytes` is given."""

    name: str
    size_bytes: int | None = None


MEASURES = [
    Measure("PUT 4 KiB"),
    Measure("GET 4 KiB"),
    Measure("HEAD"),
    Measure("DELETE"),
    Measure(f"LIST {PAGE_KEYS} of {LISTED_KEYS}"),
    Measure("PUT 64 MiB", LARGE_BYTES),
    Measure("GET 64 MiB", LARGE_BYTES),
]


def request(port, method, bucket, key="", *, query=(), body=b""):
    """Return a whole signed request; its payload is not signed."""
    path, text = target_of(bucket, key, query)
    headers = signed_headers(method, f"127.0.0.1:{port}", path, text, {})
    lines = [f"{method} {path}{'?' if text else ''}{text} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if method in ("PUT", "POST"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _names(connections, count, kind="k"):
    return [
        [f"c{connection:02d}/{kind}{number:04d}" for number in range(count)]
        for connection in range(connections)
    ]


def _small_puts(port, names, rng):
    return [
        [request(port, "PUT", BUCKET, key, body=rng.randbytes(SMALL_BYTES)) for key in keys]
        for keys in names
    ]


def _loads(port, seconds, rng, connections):
    """Yield each measure with its load; what a load needs, an earlier one has made."""
    names = _names(connections, REQUESTS_A_CONNECTION)
    small = _small_puts(port, names, rng)
    yield None, generator.Load(small)
    yield MEASURES[0], generator.Load(small, seconds)
    for measure, method in ((MEASURES[1], "GET"), (MEASURES[2], "HEAD")):
        asked = [[request(port, method, BUCKET, key) for key in keys] for keys in names]
        yield measure, generator.Load(asked, seconds, has_body=method != "HEAD")
    doomed = _names(connections, DELETES_A_CONNECTION, "d")
    yield None, generator.Load(_small_puts(port, doomed, rng))
    deletes = [[request(port, "DELETE", BUCKET, key) for key in keys] for keys in doomed]
    yield MEASURES[3], generator.Load(deletes)
    query = [("list-type", "2"), ("max-keys", str(PAGE_KEYS))]
    page = [request(port, "GET", LIST_BUCKET, query=query)]
    yield MEASURES[4], generator.Load([page] * connections, seconds)
    body = rng.randbytes(LARGE_BYTES)
    keys = [f"large{number}" for number in range(min(LARGE_CONNECTIONS, connections))]
    puts = [[request(port, "PUT", BUCKET, key, body=body)] * 2 for key in keys]
    yield MEASURES[5], generator.Load(puts)
    gets = [[request(port, "GET", BUCKET, key)] * 4 for key in keys]
    yield MEASURES[6], generator.Load(gets)


def _prepare(port):
    """Make the buckets, and the objects that are listed."""
    for bucket in (BUCKET, LIST_BUCKET):
        _send(port, generator.Load([[request(port, "PUT", bucket)]]))
    keys = [f"photos/{number:06d}.jpg" for number in range(LISTED_KEYS)]
    _send(port, generator.Load([[request(port, "PUT", LIST_BUCKET, k, body=b"x") for k in keys]]))


def _send(port, load):
    result = generator.run(port, load)
    if result.failures:
        raise SystemExit(f"{result.failures} of {result.answers} requests failed")
    return result


def measure_round(port, seconds, rng, connections=CONNECTIONS):
    """Return the figure of each measure, and the generator's share of one processor in it."""
    figures = {}
    for measure, load in _loads(port, seconds, rng, connections):
        result = _send(port, load)
        if measure is not None:
            rate = result.per_second
            if measure.size_bytes is not None:
                rate *= measure.size_bytes / 1e6
            figures[measure.name] = (rate, result.client_seconds / result.seconds)
    return figures


def compare(rounds, seconds):
    """Measure all servers in turn; return by measure and server (median, generator's share)."""
    servers = {"node": Node(), "moto": Moto(), "raw": Raw()}
    found = {name: [] for name in servers}
    try:
        for server in servers.values():
            _prepare(server.port)
        for number in range(rounds):
            for name, server in servers.items():
                found[name].append(measure_round(server.port, seconds, random.Random(number)))
                sys.stderr.write(f"round {number + 1}, {name}: done\n")
    finally:
        for server in servers.values():
            server.stop()
    return {
        measure.name: {
            name: tuple(
                statistics.median(column)
                for column in zip(*(one[measure.name] for one in found[name]), strict=True)
            )
            for name in servers
        }
        for measure in MEASURES
    }


def profile(seconds):
    """Run one round against a profiled node, and say where the profiles are.

    One connection: with more, threads that wait for each other would count as work.
    """
    node = Node(is_profiled=True)
    try:
        _prepare(node.port)
        measure_round(node.port, seconds, random.Random(0), connections=1)
    finally:
        node.stop()
    sys.stdout.write(f"profiles: {node.directory}/profile-*.txt\n")


def main():
    """Measure, print, and write docs/benchmarks.md when asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--keys", type=int, default=1_000_000, help="keys of the large bucket")
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md")
    parser.add_argument("--profile", action="store_true", help="profile a node instead")
    options = parser.parse_args()
    if options.profile:
        profile(options.seconds)
        return
    machine = report.machine()
    figures = compare(options.rounds, options.seconds)
    pages = listing.compare(options.keys, options.rounds)
    text = report.document(
        machine,
        figures,
        pages,
        rounds=options.rounds,
        connections=CONNECTIONS,
        large_connections=LARGE_CONNECTIONS,
        keys=f"{options.keys:,}",
        group=f"{options.keys // listing.GROUPS:,}",
    )
    sys.stdout.write(text)
    if options.write_docs:
        path = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    os.environ.pop("RS3GW_DATA_DIR", None)
    main()
