"""What the benchmark found, as a document."""

import os
import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

FSYNC_SECONDS = 1.0
HEAD = """\
# Benchmarks

`make bench` measures one node beside two references, in turns on one machine, and
`tests/bench/s3_bench.py --write-docs` writes this page. **Read the ratios; the digits belong to the machine.**

| Fact | Value |
|---|---|
"""
WHO_SYNCS = """
## Who is compared

| Name | What it is | What an acknowledged write has survived |
|---|---|---|
| node | one rs3gw process with its defaults: SQLite, no cluster, signatures checked | loss of power: \
the body's file and directory are synced, and so is the commit. Small bodies are in the commit, and writes that wait \
together share one |
| moto | `moto_server`, the test double that many projects use, with its threads; signatures not checked | nothing: it \
keeps objects in memory and in temporary files, and never syncs |
| raw | our own HTTP server with a handler that computes the MD5 and SHA-256 of the body, and answers a \
constant: the most that any handler could reach on that server | nothing: it stores nothing |

Requests are signed before the clock runs and are sent over raw sockets by two processes apart. Those compete with the \
servers for the same cores; "client" is how much of one core they used while the node was measured. Each figure is the \
median of {rounds} rounds, and the servers take turns within each round. Bodies are random, so none is stored twice.
"""
HOW_TO_READ = """
`node/moto` above 1 means that the node is faster. `node/raw` is the part of what the HTTP server can do that is left after \
authentication, the index, the event log and the disk. The `PUT` row is bounded by syncs only when the machine's sync rate, \
above, is near it: {connections} connections share their syncs, which is why it can exceed that rate.
"""
LISTING = """
## Listing

One page of 1000 keys, and one of 1000 groups under the delimiter `/`, asked for on a connection of its own, from a bucket of \
1,000 keys and from one of {keys:,} keys. In the second each group has {group:,} keys, in the first one key.

| Page | bucket of 1,000 | bucket of {keys:,} | ratio |
|---|---:|---:|---:|
"""
LISTING_NOTE = """
A page costs what it shows, whatever the bucket holds. A page of large groups costs more than one of groups of one key, \
because each group is one seek in the index; it does not cost more the larger the groups are.
"""


def document(figures, pages, options):
    """Return the page as Markdown."""
    lines = [HEAD]
    lines += [f"| {name} | {value} |\n" for name, value in machine().items()]
    lines.append(WHO_SYNCS.format(rounds=options.rounds))
    lines.append("\n## Requests\n\n16 connections; 2 for objects of 64 MiB.\n\n")
    lines.append("| Request | node | moto | raw | node/moto | node/raw | client |\n")
    lines.append("|---|---:|---:|---:|---:|---:|---:|\n")
    lines += [_row(name, servers) for name, servers in figures.items()]
    lines.append(HOW_TO_READ.format(connections=16))
    lines.append(LISTING.format(keys=options.keys, group=options.keys // 1000))
    for name, found in pages.items():
        few, many = found["few"], found["many"]
        few_ms, many_ms = few * 1000, many * 1000
        lines.append(f"| {name} | {few_ms:.0f} ms | {many_ms:.0f} ms | {many / few:.1f} |\n")
    lines.append(LISTING_NOTE)
    return "".join(lines)


def _row(name, servers):
    rates = {server: rate for server, (rate, _) in servers.items()}
    unit = "MB/s" if "MiB" in name else "/s"
    # Listing is what the raw handler has no counterpart of: its answer is no page.
    raw = ["raw"] if not name.startswith("LIST") else []
    cells = [f"{rates[server]:,.0f} {unit}" for server in ("node", "moto", *raw)]
    cells += [""] * (1 - len(raw))
    cells += [f"{rates['node'] / rates[server]:.2f}" for server in ("moto", *raw)]
    cells += [""] * (1 - len(raw))
    cells.append(f"{servers['node'][1]:.0%}")
    return f"| {name} | {' | '.join(cells)} |\n"


def machine():
    """Return facts about this machine."""
    return {
        "Date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "Processor": _processor(),
        "Cores": str(os.cpu_count()),
        "Appends of 4 KiB with a sync, one after the other": f"{_syncs_per_second():,.0f} /s",
        "Python": platform.python_version(),
        "System": f"{platform.system()} {platform.release()}",
    }


def _processor():
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _syncs_per_second():
    with tempfile.TemporaryFile(buffering=0) as file:
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < FSYNC_SECONDS:
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            count += 1
        return count / (time.perf_counter() - began)
