"""Let this node leave its cluster for good."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cluster import services
from rs3gw.common import identity


class Command(BaseCommand):
    """`manage.py leave`."""

    help = "Let this node leave its cluster for good; stopping a node is no leave."

    def handle(self, *args: Any, **options: Any) -> None:
        """Leave and say who knows."""
        try:
            told = services.leave()
        except services.ClusterConflict as error:
            raise CommandError(error.message) from None
        names = ", ".join(sorted(told)) or "nobody, there is no other node"
        self.stdout.write(f"{identity.load().node_id} has left; told: {names}.")
