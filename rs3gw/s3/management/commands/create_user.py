"""`manage.py create_user`: make an account or a user of one, and an access key for it."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rs3gw.common import identity
from rs3gw.common.errors import Rs3gwError
from rs3gw.s3 import services
from rs3gw.s3.models import AccessKey, S3User

AUTHOR = "create_user"


class Command(BaseCommand):
    """Make what is missing of a user and its key; the node may run meanwhile."""

    help = "Make an S3 account or user and an access key for it; every node gets to know them."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--id", default=None, help="canonical id; random when not given")
        parser.add_argument("--display-name", default=None, help="for people; else the id")
        parser.add_argument("--email", default=None)
        parser.add_argument("--account", default=None, help="the account it is to be a user of")
        parser.add_argument("--access-key", default=None, help="access key id; else random")
        parser.add_argument("--secret-key", default=None, help="needs --access-key; else random")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command."""
        if options["secret_key"] is not None and options["access_key"] is None:
            raise CommandError("--secret-key needs the --access-key that it belongs to.")
        try:
            identity.load()
            user, is_new = _ensure_user(options)
            key, secret = _ensure_key(user, options["access_key"], options["secret_key"])
        except Rs3gwError as error:
            raise CommandError(error.message) from error
        facts = {
            "user_id": user.user_id,
            "account_id": user.account_id,
            "display_name": user.display_name,
            "email": user.email,
            "access_key": key.access_key_id,
            "secret_key": secret,
            "user_created": is_new,
            "key_created": secret is not None,
        }
        if options["json"]:
            self.stdout.write(json.dumps(facts))
        else:
            self._tell(facts)

    def _tell(self, facts: dict[str, Any]) -> None:
        known = "" if facts["user_created"] else "   (existed already)"
        self.stdout.write(f"user        {facts['user_id']}{known}")
        if facts["account_id"] != facts["user_id"]:
            self.stdout.write(f"account     {facts['account_id']}")
        known = "" if facts["key_created"] else "   (existed already)"
        self.stdout.write(f"access key  {facts['access_key']}{known}")
        if facts["key_created"]:
            self.stdout.write(f"secret key  {facts['secret_key']}   (shown this once)")


def _ensure_user(options: dict[str, Any]) -> tuple[S3User, bool]:
    user_id = options["id"]
    if user_id is not None:
        try:
            user = services.get_user(user_id)
        except services.NoSuchUser:
            pass
        else:
            _check_same(user, options)
            return user, False
    made = services.create_user(
        user_id=user_id,
        display_name=options["display_name"] or "",
        email=options["email"] or "",
        account_id=options["account"] or "",
        author=AUTHOR,
    )
    return made, True


def _check_same(user: S3User, options: dict[str, Any]) -> None:
    """Refuse to go on with a user that is another than the one that was asked for."""
    for option, name, current in (
        ("display_name", "display name", user.display_name),
        ("email", "e-mail address", user.email),
        ("account", "account", user.account_id),
    ):
        wanted = options[option]
        if option == "email" and wanted is not None:
            wanted = wanted.lower()
        if wanted is not None and (wanted or user.user_id) != (current or user.user_id):
            raise services.UserConflict(
                f"The user {user.user_id} exists already, with the {name} {current!r}. "
                "Change it in the admin or by REST, or give another id."
            )


def _ensure_key(
    user: S3User, access_key_id: str | None, secret_key: str | None
) -> tuple[AccessKey, str | None]:
    """Return the user's key, and its secret when it is new."""
    key = AccessKey.objects.filter(access_key_id=access_key_id).first()
    if access_key_id is None or key is None:
        return services.create_access_key(
            owner=user.user_id, access_key_id=access_key_id, secret_key=secret_key, author=AUTHOR
        )
    if key.owner != user.user_id:
        raise services.UserConflict(f"The access key {access_key_id} is another user's.")
    if secret_key is not None and secret_key != services.secret_of(key):
        raise services.UserConflict(
            f"The access key {access_key_id} exists already, with another secret."
        )
    return key, None
