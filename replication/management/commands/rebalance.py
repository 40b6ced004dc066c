"""Show what a change of the members would move, or have bodies moved to where they belong."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from replication.core.healing import Plan
from replication.errors import ControlError
from replication.healing import report, rounds
from replication.healing.report import Preview
from replication.models import JobKind
from replication.placement import current
from rs3gw.common.units import format_bytes


class Command(BaseCommand):
    """`manage.py rebalance [--dry-run] [--leaving NODE | --weight NODE=W] [--json]`."""

    help = (
        "Begin a look at all bodies, which moves those that lie in the wrong place. With --dry-run "
        "only show what each member holds and what would move."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("--dry-run", action="store_true", help="move nothing")
        change = parser.add_mutually_exclusive_group()
        change.add_argument("--leaving", metavar="NODE", help="as if this member left")
        change.add_argument(
            "--weight", metavar="NODE=WEIGHT", help="as if a member had this weight"
        )
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Show the change, and begin the job unless it is a dry run."""
        is_thought = bool(options["leaving"] or options["weight"])
        if is_thought and not options["dry_run"]:
            raise CommandError("--leaving and --weight are for --dry-run: nothing is changed here.")
        try:
            found = report.preview(_plan(options))
            if not options["dry_run"]:
                rounds.start_walk(JobKind.AUDIT, "manage.py rebalance", current())
        except ControlError as error:
            raise CommandError(error.message) from None
        if options["json"]:
            self.stdout.write(json.dumps(asdict(found), indent=2))
        else:
            self._print(found)
        if not options["dry_run"]:
            self.stdout.write("\nThe worker begins to look at all bodies.")

    def _print(self, found: Preview) -> None:
        for node_id, load in found.before.items():
            after = found.after.get(node_id)
            now = f"{load.bodies} bodies, {format_bytes(load.size_bytes)}"
            then = f"{after.bodies} bodies, {format_bytes(after.size_bytes)}" if after else "gone"
            self.stdout.write(f"{node_id}: {now}; afterwards {then}")
        for move in found.moves:
            self.stdout.write(
                f"{move.giver} to {move.taker}: {move.load.bodies} bodies, "
                f"{format_bytes(move.load.size_bytes)}"
            )
        total = sum(move.load.size_bytes for move in found.moves)
        self.stdout.write(f"{format_bytes(total)} move in all.")
        for text in found.violations:
            self.stdout.write(text)


def _plan(options: dict[str, Any]) -> Plan | None:
    if options["leaving"]:
        return report.plan_with(options["leaving"], weight=0.0)
    if not options["weight"]:
        return None
    node_id, _, text = str(options["weight"]).partition("=")
    try:
        return report.plan_with(node_id, weight=float(text))
    except ValueError:
        raise CommandError("--weight takes NODE=WEIGHT, such as node-1=0.5.") from None
