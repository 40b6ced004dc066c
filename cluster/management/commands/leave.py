"""Let this node leave its cluster for good."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cluster import services
from cluster.models import LeaveRun, LeaveState
from rs3gw.common import clock, identity

POLL_SECONDS = 0.5
WORKER_SECONDS = 10.0


class Command(BaseCommand):
    """`manage.py leave [--no-wait | --cancel]`."""

    help = "Let this node leave its cluster for good; stopping a node is no leave."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument("--no-wait", action="store_true", help="return at once")
        choice.add_argument("--cancel", action="store_true", help="call a leave off")

    def handle(self, *args: Any, **options: Any) -> None:
        """Begin the leave, show how far it is, and say who knows."""
        try:
            if options["cancel"]:
                self._cancel()
                return
            run = services.request_leave("manage.py leave")
            if options["no_wait"]:
                self.stdout.write("The worker takes this node out; see manage.py cluster_status.")
                return
            self._wait(run)
        except services.ClusterConflict as error:
            raise CommandError(error.message) from None
        names = ", ".join(sorted(run.told)) or "nobody, there is no other node"
        self.stdout.write(f"{identity.load().node_id} has left; told: {names}.")

    def _cancel(self) -> None:
        if not services.cancel_leave():
            raise CommandError("No leave is under way.")
        self.stdout.write("The leave is called off; the node goes back to work.")

    def _wait(self, run: LeaveRun) -> None:
        """Wait until the leave is over; carry it out here when no worker does."""
        shown, deadline = "", clock.monotonic() + WORKER_SECONDS
        while run.finished_at is None:
            text = f"{run}, {run.done} of {run.total}, {run.rate_per_second:.0f}/s"
            if run.step and text != shown:
                shown = text
                self.stdout.write(text)
                self.stdout.flush()
            if run.state == LeaveState.WAITING and clock.monotonic() >= deadline:
                self.stdout.write("No worker runs: leaving from here.")
                services.leave()
            else:
                clock.sleep(POLL_SECONDS)
            run.refresh_from_db()
        if run.state != LeaveState.DONE:
            raise CommandError(f"This node has not left: {run.error}")
