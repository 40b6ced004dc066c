"""Let this node join its cluster once more."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cluster import services


class Command(BaseCommand):
    """`manage.py join`."""

    help = "Let this node join its cluster once more, also after it has left."

    def handle(self, *args: Any, **options: Any) -> None:
        """Send the node back to the start; its worker does the rest."""
        try:
            node = services.join()
        except services.ClusterConflict as error:
            raise CommandError(error.message) from None
        self.stdout.write(f"{node.node_id} is {node.state}; its worker finds the other nodes.")
