"""What the benchmark found, as a document."""

import os
import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from string import Template

TEMPLATE = Path(__file__).with_name("benchmarks.md.in")
SYNC_SECONDS = 1.0


def document(facts, figures, pages, **values):
    """Return the page as Markdown.

    Args:
        facts: About the machine, from before the run.
        figures: By request and server, (rate, generator's share of a processor).
        pages: By page and bucket, seconds.
        values: What else the template names.
    """
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        machine="\n".join(f"| {name} | {value} |" for name, value in facts.items()),
        requests="\n".join(_request_row(*item) for item in figures.items()),
        pages="\n".join(_page_row(*item) for item in pages.items()),
        **values,
    )


def _request_row(name, servers):
    rates = {server: rate for server, (rate, _) in servers.items()}
    unit = "MB/s" if "MiB" in name else "/s"
    # The raw handler has no pages to make: it is no measure of listing.
    others = ["moto"] if name.startswith("LIST") else ["moto", "raw"]
    blank = [""] * (2 - len(others))
    cells = [f"{rates[server]:,.0f} {unit}" for server in ("node", *others)] + blank
    cells += [f"{rates['node'] / rates[server]:.2f}" for server in others] + blank
    cells.append(f"{servers['node'][1]:.0%}")
    return f"| {name} | {' | '.join(cells)} |"


def _page_row(name, seconds):
    few, many = seconds["few"], seconds["many"]
    return f"| {name} | {few * 1000:.0f} ms | {many * 1000:.0f} ms | {many / few:.1f} |"


def machine():
    """Return facts about this machine."""
    return {
        "Date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "Processor": _processor(),
        "Cores": os.cpu_count(),
        "Other work on the machine at the start": f"load average {os.getloadavg()[0]:.1f}",
        "Appends of 4 KiB, each synced": f"{_syncs_per_second():,.0f} /s",
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
        while time.perf_counter() - began < SYNC_SECONDS:
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            count += 1
        return count / (time.perf_counter() - began)
