"""Read all bodies of this node and compare their hashes."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.forms.models import model_to_dict

from replication.errors import ControlError
from replication.healing import jobs, rounds, scrub
from replication.healing.jobs import Turn
from replication.models import HealingJob, JobKind, JobState
from rs3gw.common.units import format_bytes

SHOWN = [
    "id",
    "state",
    "reason",
    "total_bodies",
    "total_bytes",
    "done_bodies",
    "done_bytes",
    "damaged_bodies",
    "last_error",
]


class Command(BaseCommand):
    """`manage.py scrub [--now] [--json]`."""

    help = (
        "Have the worker read all bodies of this node and compare their hashes; with --now do it "
        "here, without rests, and wait for the end."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add `--now` and `--json`."""
        parser.add_argument("--now", action="store_true", help="read here, without rests")
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Begin a scrub, or go on with the open one, and say how far it is."""
        try:
            found = jobs.open_jobs([JobKind.SCRUB])
            job = found[0] if found else rounds.start_scrub("manage.py scrub")
            if job.state == JobState.PAUSED:
                jobs.resume(job, author="manage.py scrub")
        except ControlError as error:
            raise CommandError(error.message) from None
        if options["now"]:
            _finish(job)
        job.refresh_from_db()
        if options["json"]:
            shown = model_to_dict(job, fields=SHOWN)
            self.stdout.write(json.dumps({"id": job.pk, **shown}, indent=2))
            return
        self.stdout.write(_sentence(job))


def _finish(job: HealingJob) -> None:
    while job.state == JobState.RUNNING:
        turn = Turn.take(job)
        if turn is None:
            raise CommandError("The worker is reading just now; it goes on by itself.")
        try:
            scrub.advance(turn, tranquility=0.0)
        finally:
            turn.release()
        job.refresh_from_db()


def _sentence(job: HealingJob) -> str:
    return (
        f"scrub {job.pk} is {job.get_state_display().lower()}: {job.done_bodies} of "
        f"{job.total_bodies} bodies read ({format_bytes(job.done_bytes)}), "
        f"{job.damaged_bodies} damaged"
    )
