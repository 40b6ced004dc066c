"""Access keys: several for each user, made on one node and valid on all."""

from replication import registers
from replication import services as replication
from rs3gw.common import clock, ids, secretbox
from rs3gw.common.errors import Rs3gwError
from rs3gw.s3.core import accounts
from rs3gw.s3.models import AccessKey
from rs3gw.s3.services import users, values

PURPOSE = "access-key"


class AccessKeyError(Rs3gwError):
    """An access key cannot be made or changed as asked."""

    code = "InvalidRequest"


def create_access_key(
    *,
    name: str = "",
    owner: str = accounts.ROOT,
    access_key_id: str | None = None,
    secret_key: str | None = None,
    author: str = "",
) -> tuple[AccessKey, str]:
    """Make an access key that every node of the region accepts.

    Args:
        name: For people.
        owner: Id of the user it belongs to.
        access_key_id: A given id; a random one when None.
        secret_key: A given secret; a random one when None.
        author: Who asked for it.

    Returns:
        The key and its secret, which cannot be read again.

    Raises:
        AccessKeyError: The id or the secret cannot be used, or the id is in use.
        NoSuchUser: There is no such owner.
    """
    user = users.get_user(owner)
    key_id = ids.new_access_key_id() if access_key_id is None else access_key_id
    secret = ids.new_secret_key() if secret_key is None else secret_key
    problem = accounts.access_key_id_problem(key_id) or accounts.secret_key_problem(secret)
    if problem:
        raise AccessKeyError(problem)
    if AccessKey.objects.filter(access_key_id=key_id).exists():
        raise AccessKeyError(f"The access key {key_id} exists already.")
    value = {
        "name": name,
        "owner": owner,
        "account": user.account_id or owner,
        "secret": secretbox.seal_for_cluster(secret.encode(), purpose=PURPOSE),
        "is_enabled": True,
        "revoked": 0,
        "created_at_ms": clock.now_ms(),
    }
    replication.put_register(scope=values.KEY_SCOPE, name=key_id, value=value, author=author)
    return AccessKey.objects.get(access_key_id=key_id), secret


def secret_of(key: AccessKey) -> str:
    """Return a key's secret, to compare it: it is never shown again."""
    return secretbox.unseal(key.sealed_secret, purpose=PURPOSE).decode()


def disable_access_key(key: AccessKey, *, author: str = "") -> None:
    """Revoke a key on every node; no concurrent change can undo it."""
    _put(key, values.disabled(_current(key)), author)


def enable_access_key(key: AccessKey, *, author: str = "") -> None:
    """Accept a revoked key again, on every node that has seen the revocation."""
    _put(key, {**_current(key), "is_enabled": True}, author)


def delete_access_key(key: AccessKey, *, author: str = "") -> None:
    """Remove a key on every node."""
    replication.delete_register(scope=values.KEY_SCOPE, name=key.access_key_id, author=author)


def _put(key: AccessKey, value: dict[str, object], author: str) -> None:
    name = key.access_key_id
    replication.put_register(scope=values.KEY_SCOPE, name=name, value=value, author=author)


def _current(key: AccessKey) -> dict[str, object]:
    value = registers.read(values.KEY_SCOPE, key.access_key_id)
    if value is None:
        raise AccessKeyError(f"The access key {key.access_key_id} was deleted meanwhile.")
    return dict(value)


def apply_access_key(name: str, value: registers.Value) -> None:
    """Make a key's row what its register says."""
    if value is None:
        AccessKey.objects.filter(access_key_id=name).delete()
        return
    secret = secretbox.unseal_from_cluster(str(value["secret"]), purpose=PURPOSE)
    key, _ = AccessKey.objects.get_or_create(
        access_key_id=name,
        defaults={"created_at": clock.from_ms(values.number(value, "created_at_ms"))},
    )
    key.sealed_secret = secretbox.seal(secret, purpose=PURPOSE)
    key.name = str(value["name"])
    key.owner = str(value["owner"])
    key.is_enabled = bool(value["is_enabled"])
    key.revision = values.next_revision(key.revision)
    key.save()
    # Owners of older releases were accounts by their name alone. The key of a user never makes
    # one: until that user is known here, its key is nobody's.
    if str(value.get("account", key.owner)) == key.owner:
        users.ensure_account(key.owner)
