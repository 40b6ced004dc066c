"""Show who is in the cluster, as this node knows it."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from cluster import selectors
from cluster.core.node import NodeInfo
from rs3gw.common import clock
from rs3gw.common.units import format_duration

COLUMNS = ("NODE", "STATE", "MEMBER", "ADDRESS", "VERSION", "LAST SEEN")


class Command(BaseCommand):
    """`manage.py cluster_status [--json]`."""

    help = "Show who is in the cluster, as this node knows it."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add `--json`."""
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the members and the counts."""
        now = selectors.read()
        health = selectors.health()
        summary = {
            **asdict(health),
            "quorum_size": now.quorum_size,
            "quorum_available": selectors.is_quorum_available(),
            "epoch": now.removals.epoch,
            "takes_no_writes_because": now.closed_because,
        }
        if options["json"]:
            nodes = [asdict(node) for node in now.members]
            self.stdout.write(json.dumps({**summary, "nodes": nodes}, default=str, indent=2))
            return
        self._print_table([COLUMNS, *(_cells(node) for node in now.members)])
        can = "can" if summary["quorum_available"] else "cannot"
        self.stdout.write(
            f"\n{health.healthy_nodes} of {health.total_nodes} nodes are healthy, "
            f"{health.failed_nodes} failed; quorum writes {can} be confirmed."
        )
        if now.closed_because:
            self.stdout.write(now.closed_because)

    def _print_table(self, rows: list[tuple[str, ...]]) -> None:
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
        for row in rows:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write(line.rstrip())


def _cells(node: NodeInfo) -> tuple[str, ...]:
    silence = max(0.0, (clock.utcnow() - node.last_seen).total_seconds())
    seen = "this node" if node.is_self else f"{format_duration(silence)} ago"
    member = "yes" if node.is_member else "no"
    return node.node_id, node.state.value, member, node.address, node.version, seen
