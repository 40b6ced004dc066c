"""The registers of users and access keys: their scopes, and what outlasts a change.

Both stay disabled: a change that did not know of it does not undo it.
"""

from collections.abc import Mapping

from replication import registers
from rs3gw.common import clock

USER_SCOPE = "s3_user"
KEY_SCOPE = "access_key"


def revocation_stays(current: registers.Value, incoming: registers.Value) -> bool:
    """Return whether `current` revokes what a change that did not know of it would revive."""
    if current is None or incoming is None:
        return False
    return number(current, "revoked") > number(incoming, "revoked")


def number(value: Mapping[str, object], name: str) -> int:
    """Return a whole number of a register's value, 0 when it is not there."""
    return int(str(value.get(name, 0)))


def disabled(value: Mapping[str, object]) -> dict[str, object]:
    """Return a value after it was disabled, known to every later change."""
    return {**value, "is_enabled": False, "revoked": number(value, "revoked") + 1}


def next_revision(revision: int) -> int:
    """Return a row's next revision: greater, and never that of a row that was deleted before."""
    return max(revision + 1, int(clock.now() * 1_000_000))
