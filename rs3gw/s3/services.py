"""Access keys: made on one node, valid on all."""

from collections.abc import Mapping

from replication import registers
from replication import services as replication
from rs3gw.common import clock, ids, secretbox
from rs3gw.common.errors import Rs3gwError
from rs3gw.s3.models import AccessKey

SCOPE = "access_key"
PURPOSE = "access-key"


class AccessKeyError(Rs3gwError):
    """An access key cannot be made or changed as asked."""

    code = "InvalidRequest"


def define_registers() -> None:
    """Tell the registers what to do with access keys; a revoked key wins over any change."""
    registers.define(SCOPE, apply_access_key, keeps=_revocation_stays)


def _revocation_stays(current: registers.Value, incoming: registers.Value) -> bool:
    """Return whether `current` revokes what a change that did not know of it would revive."""
    if current is None or incoming is None:
        return False
    revoked, known = _number(current, "revoked"), _number(incoming, "revoked")
    return revoked > known


def _number(value: Mapping[str, object], name: str) -> int:
    return int(str(value.get(name, 0)))


def create_access_key(
    *,
    name: str = "",
    owner: str = "root",
    access_key_id: str | None = None,
    secret_key: str | None = None,
    author: str = "",
) -> tuple[AccessKey, str]:
    """Make an access key that every node of the region accepts.

    Args:
        name: For people.
        owner: Account that what it creates belongs to.
        access_key_id: A given id; a random one when None.
        secret_key: A given secret; a random one when None.
        author: Who asked for it.

    Returns:
        The key and its secret, which cannot be read again.

    Raises:
        AccessKeyError: The id is in use.
    """
    key_id = access_key_id or ids.new_access_key_id()
    secret = secret_key or ids.new_secret_key()
    if AccessKey.objects.filter(access_key_id=key_id).exists():
        raise AccessKeyError(f"The access key {key_id} exists already.")
    value = {
        "name": name,
        "owner": owner,
        "secret": secretbox.seal_for_cluster(secret.encode(), purpose=PURPOSE),
        "is_enabled": True,
        "revoked": 0,
        "created_at_ms": clock.now_ms(),
    }
    replication.put_register(scope=SCOPE, name=key_id, value=value, author=author)
    return AccessKey.objects.get(access_key_id=key_id), secret


def disable_access_key(key: AccessKey, *, author: str = "") -> None:
    """Revoke a key on every node; no concurrent change can undo it."""
    value = _current(key)
    revoked = _number(value, "revoked") + 1
    changed = {**value, "is_enabled": False, "revoked": revoked}
    replication.put_register(scope=SCOPE, name=key.access_key_id, value=changed, author=author)


def enable_access_key(key: AccessKey, *, author: str = "") -> None:
    """Accept a revoked key again, on every node that has seen the revocation."""
    value = {**_current(key), "is_enabled": True}
    replication.put_register(scope=SCOPE, name=key.access_key_id, value=value, author=author)


def delete_access_key(key: AccessKey, *, author: str = "") -> None:
    """Remove a key on every node."""
    replication.delete_register(scope=SCOPE, name=key.access_key_id, author=author)


def _current(key: AccessKey) -> dict[str, object]:
    value = registers.read(SCOPE, key.access_key_id)
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
        defaults={"created_at": clock.from_ms(_number(value, "created_at_ms"))},
    )
    key.sealed_secret = secretbox.seal(secret, purpose=PURPOSE)
    key.name = str(value["name"])
    key.owner = str(value["owner"])
    key.is_enabled = bool(value["is_enabled"])
    key.revision += 1
    key.save()
