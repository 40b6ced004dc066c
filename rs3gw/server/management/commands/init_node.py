"""`manage.py init_node`: make what a new node needs, once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from rs3gw.common.errors import Rs3gwError
from rs3gw.server import first_start


class Command(BaseCommand):
    """Make identity, clock, first admin and first access key where they are missing."""

    help = "Make what a new node needs: identity, first admin user, first access key."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command."""
        try:
            made = first_start.prepare()
        except Rs3gwError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"node        {made.node_id}")
        if made.admin_user:
            self.stdout.write(f"admin user  {made.admin_user}")
        if made.access_key:
            self.stdout.write(f"access key  {made.access_key}")
            self.stdout.write(f"secret key  {made.secret_key}   (shown this once)")
