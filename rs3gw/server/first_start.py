"""What a new node needs before it can serve: identity, clock, first admin, first access key."""

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth import get_user_model

from cluster import services as cluster_services
from replication import lanes
from rs3gw.common import identity, keyring
from rs3gw.s3 import services as s3_services
from rs3gw.s3.models import AccessKey
from rs3gw.storage import services as storage


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstStart:
    """What was made, for the person who started the node.

    Attributes:
        node_id: The node's name.
        admin_user: Name of the admin that was made, "" when there was one or none was asked for.
        access_key: Id of the access key that was made, "" when there was one.
        secret_key: Its secret, which is shown this once.
    """

    node_id: str
    admin_user: str = ""
    access_key: str = ""
    secret_key: str = ""


def prepare() -> FirstStart:
    """Make what this node lacks; leave alone what it has.

    Raises:
        IdentityError: Data directory, settings and database do not belong together.
    """
    node = identity.ensure()
    storage.init_clock()
    admin_user = _ensure_admin()
    access_key, secret_key = _ensure_access_key()
    return FirstStart(
        node_id=node.node_id, admin_user=admin_user, access_key=access_key, secret_key=secret_key
    )


def _ensure_admin() -> str:
    name, password = settings.RS3GW_INIT_ADMIN_USER, settings.RS3GW_INIT_ADMIN_PASSWORD
    users = get_user_model().objects
    if not name or not password or users.filter(username=name).exists():
        return ""
    users.create_superuser(username=name, password=password)
    return str(name)


def _ensure_access_key() -> tuple[str, str]:
    wanted = settings.RS3GW_INIT_ACCESS_KEY
    keys = AccessKey.objects.filter(access_key_id=wanted) if wanted else AccessKey.objects.all()
    if keys.exists():
        return "", ""
    key, secret = s3_services.create_access_key(
        name="first",
        access_key_id=wanted or None,
        secret_key=settings.RS3GW_INIT_SECRET_KEY or None,
    )
    return key.access_key_id, secret


def check() -> None:
    """Refuse to serve with a database that another data directory wrote.

    Raises:
        IdentityError: `init_node` was not run, or the two do not belong together.
        SettingError: The keyring cannot be used.
    """
    identity.load()
    keyring.check()
    storage.init_clock()


def join_cluster() -> None:
    """Begin this node's life in its region; the worker's ticks go on from there."""
    cluster_services.start()
    lanes.ensure_lanes()
