"""`manage.py list_users`: accounts and their users."""

import json
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from rs3gw.s3.models import AccessKey, S3User


class Command(BaseCommand):
    """Show accounts, their users, and how many access keys each has."""

    help = "Show S3 accounts and users."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="print one JSON list")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command."""
        keys = Counter(AccessKey.objects.order_by().values_list("owner", flat=True))
        found = [
            {
                "user_id": user.user_id,
                "account_id": user.account_id,
                "display_name": user.display_name,
                "email": user.email,
                "is_enabled": user.is_enabled,
                "policies": sorted(user.policies),
                "access_keys": keys[user.user_id],
            }
            for user in S3User.objects.order_by("account_id", "user_id")
        ]
        if options["json"]:
            self.stdout.write(json.dumps(found))
            return
        for facts in found:
            state = "enabled" if facts["is_enabled"] else "disabled"
            whose = "account" if facts["account_id"] == facts["user_id"] else facts["account_id"]
            self.stdout.write(
                f"{facts['user_id']}  {whose}  {state}  {facts['access_keys']} keys  "
                f"{facts['display_name']}  {facts['email']}".rstrip()
            )
