"""Accounts and their users: made on one node, known to all.

A user is one register: of two changes made on different nodes at the same time the later stays.
"""

import threading

from django.db import transaction

from replication import registers
from replication import services as replication
from replication.models import Register
from rs3gw.common import clock, ids
from rs3gw.common.errors import Rs3gwError
from rs3gw.s3 import directory
from rs3gw.s3.core import accounts
from rs3gw.s3.models import AccessKey, S3User
from rs3gw.s3.services import values
from rs3gw.storage.models import Bucket, BucketState

NAMED_MAX = 3

# A change reads the register and writes it back: two threads of a process take turns.
_changing = threading.Lock()


class UserError(Rs3gwError):
    """A user cannot be made or changed as asked."""

    code = "InvalidRequest"


class UserConflict(UserError):
    """What exists stands against a change of a user."""

    code = "Conflict"


class NoSuchUser(UserError):
    """There is no user of this id."""

    code = "NoSuchUser"


class NoSuchUserPolicy(UserError):
    """A user has no inline policy of this name."""

    code = "NoSuchUserPolicy"


def get_user(user_id: str) -> S3User:
    """Return a user; the account root is made when it is not there yet.

    Raises:
        NoSuchUser: There is none of this id.
    """
    found = S3User.objects.filter(user_id=user_id).first()
    if found is None and user_id == accounts.ROOT:
        ensure_account(accounts.ROOT)
        found = S3User.objects.filter(user_id=user_id).first()
    if found is None:
        raise NoSuchUser(f"There is no user {user_id}. Make it first.")
    return found


def ensure_account(user_id: str) -> None:
    """Make the account that keys of older releases name; one that was deleted stays so."""
    if Register.objects.filter(scope=values.USER_SCOPE, name=user_id).exists():
        return
    S3User.objects.get_or_create(
        user_id=user_id,
        defaults={
            "account_id": user_id,
            "display_name": user_id,
            "created_at": clock.utcnow(),
            "revision": values.next_revision(0),
        },
    )
    _forget()


def create_user(
    *,
    user_id: str | None = None,
    display_name: str = "",
    email: str = "",
    account_id: str = "",
    author: str = "",
) -> S3User:
    """Make an account, or a user of one, on every node of the region.

    Args:
        user_id: Its canonical id; 64 random hexadecimal digits when None.
        display_name: For people; the id when blank.
        email: Blank or its own; kept in lower case.
        account_id: The account it belongs to; "" or its own id make it an account.
        author: Who asked for it.

    Raises:
        UserError: A value cannot be used.
        UserConflict: The id or the e-mail address is taken.
        NoSuchUser: There is no such account.
    """
    wanted = ids.new_canonical_id() if user_id is None else user_id
    _refuse(accounts.user_id_problem(wanted))
    account = account_id or wanted
    with _changing:
        if wanted == accounts.ROOT or S3User.objects.filter(user_id=wanted).exists():
            raise UserConflict(f"The user {wanted} exists already.")
        if account != wanted:
            _check_account(wanted, account)
        value = {
            "account_id": account,
            "display_name": _display_name(display_name or wanted),
            "email": _email(email, wanted),
            "policies": {},
            "is_enabled": True,
            "revoked": 0,
            "created_at_ms": clock.now_ms(),
        }
        _put(wanted, value, author)
    return S3User.objects.get(user_id=wanted)


def update_user(
    user: S3User,
    *,
    display_name: str | None = None,
    email: str | None = None,
    is_enabled: bool | None = None,
    author: str = "",
) -> S3User:
    """Change what is given of a user, on every node; a disabled one stays so until enabled.

    Raises:
        UserError: A value cannot be used.
        UserConflict: The e-mail address is another user's.
    """
    with _changing:
        value = _current(user)
        if display_name is not None:
            value["display_name"] = _display_name(display_name or user.user_id)
        if email is not None:
            value["email"] = _email(email, user.user_id)
        if is_enabled:
            value["is_enabled"] = True
        elif is_enabled is not None:
            value = values.disabled(value)
        _put(user.user_id, value, author)
    return S3User.objects.get(user_id=user.user_id)


def delete_user(user: S3User, *, author: str = "") -> None:
    """Remove a user on every node.

    Raises:
        UserConflict: It is the account root, or still has buckets, access keys or users.
    """
    if user.user_id == accounts.ROOT:
        raise UserConflict("The account root cannot be deleted.")
    buckets = Bucket.objects.filter(owner=user.user_id).exclude(state=BucketState.DELETED)
    keys = AccessKey.objects.filter(owner=user.user_id)
    users = S3User.objects.filter(account_id=user.user_id).exclude(user_id=user.user_id)
    for what, names in (
        ("buckets", buckets.values_list("name", flat=True)),
        ("access keys", keys.values_list("access_key_id", flat=True)),
        ("users", users.values_list("user_id", flat=True)),
    ):
        found = list(names[: NAMED_MAX + 1])
        if found:
            more = " and more" if len(found) > NAMED_MAX else ""
            raise UserConflict(
                f"{user.user_id} still has {what}: {', '.join(found[:NAMED_MAX])}{more}. "
                "Delete them first."
            )
    replication.delete_register(scope=values.USER_SCOPE, name=user.user_id, author=author)


def put_user_policy(user: S3User, name: str, text: str, *, author: str = "") -> S3User:
    """Give a user an inline policy, or replace the one of this name.

    Raises:
        UserError: The name cannot be used, or there are `accounts.POLICIES_MAX` others.
        S3Error: MalformedPolicy.
    """
    _refuse(accounts.policy_name_problem(name))
    accounts.check_user_policy(text)
    with _changing:
        value = _current(user)
        policies = {**_policies(value), name: text}
        if len(policies) > accounts.POLICIES_MAX:
            raise UserError(f"A user has at most {accounts.POLICIES_MAX} inline policies.")
        _put(user.user_id, {**value, "policies": policies}, author)
    return S3User.objects.get(user_id=user.user_id)


def delete_user_policy(user: S3User, name: str, *, author: str = "") -> S3User:
    """Take an inline policy away from a user.

    Raises:
        NoSuchUserPolicy: It has none of this name.
    """
    with _changing:
        value = _current(user)
        policies = _policies(value)
        if policies.pop(name, None) is None:
            raise NoSuchUserPolicy(f"{user.user_id} has no policy {name}.")
        _put(user.user_id, {**value, "policies": policies}, author)
    return S3User.objects.get(user_id=user.user_id)


def apply_user(name: str, value: registers.Value) -> None:
    """Make a user's row what its register says."""
    if value is None:
        S3User.objects.filter(user_id=name).delete()
    else:
        created_at = clock.from_ms(values.number(value, "created_at_ms"))
        user, _ = S3User.objects.get_or_create(user_id=name, defaults={"created_at": created_at})
        user.created_at = created_at
        user.account_id = str(value["account_id"]) or name
        user.display_name = str(value["display_name"])
        user.email = str(value["email"])
        user.policies = _policies(value)
        user.is_enabled = bool(value["is_enabled"])
        user.revision = values.next_revision(user.revision)
        user.save()
    _forget()


def _forget() -> None:
    directory.forget()
    # Another thread may read the old row until the transaction ends.
    transaction.on_commit(directory.forget)


def _put(user_id: str, value: dict[str, object], author: str) -> None:
    replication.put_register(scope=values.USER_SCOPE, name=user_id, value=value, author=author)


def _current(user: S3User) -> dict[str, object]:
    value = registers.read(values.USER_SCOPE, user.user_id)
    if value is not None:
        return dict(value)
    row = get_user(user.user_id)
    return {
        "account_id": row.account_id,
        "display_name": row.display_name,
        "email": row.email,
        "policies": row.policies,
        "is_enabled": row.is_enabled,
        "revoked": 0,
        "created_at_ms": int(row.created_at.timestamp() * 1000),
    }


def _policies(value: registers.Value) -> dict[str, str]:
    found = (value or {}).get("policies")
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _check_account(user_id: str, account_id: str) -> None:
    account = get_user(account_id)
    if not account.is_account():
        raise UserError(f"{account_id} is a user of {account.account_id} and cannot have users.")
    if Bucket.objects.filter(owner=user_id).exclude(state=BucketState.DELETED).exists():
        raise UserConflict(f"{user_id} owns buckets already, so it can only be an account.")


def _display_name(name: str) -> str:
    _refuse(accounts.display_name_problem(name))
    return name


def _email(email: str, user_id: str) -> str:
    _refuse(accounts.email_problem(email))
    folded = email.lower()
    taken = S3User.objects.filter(email=folded).exclude(user_id=user_id).first()
    if folded and taken is not None:
        raise UserConflict(f"The e-mail address {folded} is {taken.user_id}'s.")
    return folded


def _refuse(problem: str) -> None:
    if problem:
        raise UserError(problem)
