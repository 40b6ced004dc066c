"""Registers: control-plane values that every node may write.

A register is `(scope, name) -> value`. The write with the greatest (hlc, actor, seq) wins; all
writes are kept as revisions. Each scope names a function that makes the winning value effective
here, which runs in the transaction of the write.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from replication.models import Register, RegisterRevision
from rs3gw.common import clock
from rs3gw.storage.core.siblings import Stamp

Value = Mapping[str, object] | None
Apply = Callable[[str, Value], None]
# Given the current and the incoming value, tells whether the current one must stay.
Keeps = Callable[[Value, Value], bool]


@dataclass(frozen=True, slots=True)
class _Scope:
    apply: Apply
    keeps: Keeps | None


_scopes: dict[str, _Scope] = {}


def define(scope: str, apply: Apply, *, keeps: Keeps | None = None) -> None:
    """Say how the values of a scope take effect on this node.

    Args:
        scope: Name of the scope, or its part before the first colon.
        apply: Called with the name and the winning value, None when it was deleted.
        keeps: For values that must not be overwritten by a concurrent change, such as a
            revoked key; must be a function of the two values alone.
    """
    _scopes[scope] = _Scope(apply, keeps)


def is_defined(scope: str) -> bool:
    """Return whether this node knows what to do with a scope."""
    return scope.partition(":")[0] in _scopes


def read(scope: str, name: str) -> Value:
    """Return the value of a register, or None when it was never set or was deleted."""
    register = Register.objects.filter(scope=scope, name=name, is_deleted=False).first()
    return None if register is None else register.value


def hlc_of(scope: str, name: str) -> int:
    """Return the time of a register's newest write; 0 when there was none."""
    found = Register.objects.filter(scope=scope, name=name).values_list("hlc", flat=True)
    return found.first() or 0


def read_newest(scopes: Iterable[str], name: str) -> Value:
    """Return the newest value that any of these scopes holds under a name, or None."""
    found = Register.objects.filter(scope__in=list(scopes), name=name)
    newest = max(found, key=lambda row: (row.hlc, row.actor, row.seq), default=None)
    return None if newest is None or newest.is_deleted else newest.value


def read_all(scopes: Iterable[str]) -> dict[str, Mapping[str, object]]:
    """Return the newest value of each name that any of these scopes holds."""
    newest: dict[str, Register] = {}
    for row in Register.objects.filter(scope__in=list(scopes)).order_by("hlc", "actor", "seq"):
        newest[row.name] = row
    return {
        name: row.value
        for name, row in newest.items()
        if row.value is not None and not row.is_deleted
    }


def write(scope: str, name: str, value: Value, *, stamp: Stamp, author: str) -> bool:
    """Join a value into a register, inside the caller's transaction.

    Returns:
        Whether it is the winning value now.
    """
    register = Register.objects.filter(scope=scope, name=name).first()
    definition = _scopes[scope.partition(":")[0]]
    if register is None:
        register = Register(scope=scope, name=name)
        wins = True
    else:
        current = Stamp(register.actor, register.seq, register.hlc)
        wins = stamp.order_key() > current.order_key()
        if definition.keeps is not None:
            wins = _wins_with_rule(definition.keeps, register, value, wins=wins)
    fields = {
        "value": None if value is None else dict(value),
        "is_deleted": value is None,
        "actor": stamp.actor,
        "seq": stamp.seq,
        "hlc": stamp.hlc,
        "author": author,
    }
    if wins:
        for field, content in fields.items():
            setattr(register, field, content)
        register.updated_at = clock.utcnow()
        register.save()
        definition.apply(name if ":" not in scope else f"{scope}/{name}", value)
    RegisterRevision.objects.create(
        register=register, is_winner=wins, created_at=clock.utcnow(), **fields
    )
    return wins


def _wins_with_rule(keeps: Keeps, register: Register, value: Value, *, wins: bool) -> bool:
    current = None if register.is_deleted else register.value
    if keeps(current, value):
        return False
    return True if keeps(value, current) else wins
