"""Compare this node's index with other nodes', and repair what differs."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from replication.anti_entropy import runs
from replication.errors import ControlError
from replication.models import Comparison, ComparisonState
from rs3gw.common import clock

COLUMNS = ("PEER", "OUTCOME", "BUCKETS", "DIFFER", "IN FLIGHT", "REPAIRED", "CAUSES")
AUTHOR = "command line"


class Command(BaseCommand):
    """`manage.py compare [--peer NAME] [--bucket NAME] [--repair] [--json]`."""

    help = (
        "Compare this node's index with that of one peer, or of every peer that is alive. "
        "Ends with status 1 when something differs that was not repaired."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("--peer", default="", help="only with this node")
        parser.add_argument("--all", action="store_true", help="with every node; the default")
        parser.add_argument("--bucket", default="", help="only this bucket")
        parser.add_argument("--repair", action="store_true", help="join what either side lacks")
        parser.add_argument("--dry-run", action="store_true", help="only look; the default")
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Compare now, in this process, and print what was found."""
        if options["repair"] and options["dry_run"]:
            raise CommandError("Give --repair or --dry-run, not both.")
        try:
            asked = runs.ask_for(
                peer=options["peer"],
                bucket=options["bucket"],
                is_dry_run=not options["repair"],
                author=AUTHOR,
                is_for_worker=False,
            )
        except ControlError as error:
            raise CommandError(error.message) from None
        made = [runs.carry_out(run) for run in asked]
        if options["json"]:
            self.stdout.write(json.dumps([_told(run) for run in made], indent=2))
        else:
            self._print(made)
        if not all(is_clean(run) for run in made):
            raise SystemExit(1)

    def _print(self, made: list[Comparison]) -> None:
        rows = [COLUMNS, *(_cells(run) for run in made)]
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
        for row in rows:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write(line.rstrip())
        for run in made:
            for said in run.sample:
                self.stdout.write(f"{run.peer}: {said['bucket']}/{said['key']}: {said['cause']}")


def is_clean(run: Comparison) -> bool:
    """Return whether both nodes hold the same after a comparison."""
    is_repaired = run.keys_repaired == run.keys_differing
    return run.state == ComparisonState.DONE and run.is_control_equal and is_repaired


def _outcome(run: Comparison) -> str:
    if run.state != ComparisonState.DONE:
        return f"{run.state}: {run.error}"
    return "equal" if run.is_equal else "repaired" if is_clean(run) else "different"


def _cells(run: Comparison) -> tuple[str, ...]:
    causes = ", ".join(f"{cause} {count}" for cause, count in sorted(run.causes.items()))
    control = [] if run.is_control_equal else ["registers"]
    return (
        run.peer,
        _outcome(run),
        str(run.total),
        str(run.keys_differing),
        str(run.keys_in_flight),
        str(run.keys_repaired),
        ", ".join(filter(None, [*control, causes])) or "-",
    )


def _told(run: Comparison) -> dict[str, object]:
    ended = run.ended_at or clock.utcnow()
    started = run.started_at or run.created_at
    return {
        "peer": run.peer,
        "bucket": run.bucket,
        "outcome": _outcome(run),
        "buckets": run.total,
        "is_control_equal": run.is_control_equal,
        "keys_differing": run.keys_differing,
        "keys_in_flight": run.keys_in_flight,
        "keys_repaired": run.keys_repaired,
        "keys_left": run.keys_left,
        "causes": run.causes,
        "sample": run.sample,
        "seconds": (ended - started).total_seconds(),
    }
