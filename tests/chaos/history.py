"""What clients did and were told, and bodies that say themselves which write they are of."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

OK, FAILED, UNKNOWN = "ok", "failed", "unknown"
PUT, DELETE, GET, LIST = "put", "delete", "get", "list"
WRITES = (PUT, DELETE)
ABSENT = ""
MAGIC = b"rs3gw-chaos"


class DamageError(ValueError):
    """A body is not what any write made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One operation of a client.

    Attributes:
        number: Unique in its history.
        kind: `put`, `delete`, `get` or `list`.
        node: Who was asked.
        start, end: Seconds of the monotonic clock.
        outcome: `ok`, `failed` (it certainly did nothing) or `unknown`.
        status: HTTP status, 0 without an answer.
        value: What was written or read, by its id; "" when nothing was there.
        version: Version id that was told, "" for none.
        note: What was wrong with the answer; of a read that is `ok`, what is wrong with the body.
    """

    number: int
    kind: str
    node: int
    bucket: str
    key: str = ""
    start: float
    end: float
    outcome: str
    status: int = 0
    value: str = ABSENT
    version: str = ""
    note: str = ""

    @property
    def is_write(self) -> bool:
        """Return whether it changes something."""
        return self.kind in WRITES


@dataclass(frozen=True, slots=True)
class Shown:
    """What a node shows of one key: what a GET gave, and what its listing said."""

    value: str
    etag: str
    size_bytes: int
    metadata: tuple[tuple[str, str], ...] = ()
    modified: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """One line of a listing of versions."""

    key: str
    version_id: str
    is_marker: bool
    is_latest: bool
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that one node shows of one bucket."""

    node: int
    bucket: str
    objects: dict[str, Shown]
    versions: tuple[Version, ...] = ()


def body_of(value: str, size_bytes: int) -> bytes:
    """Return a body of a write: its id, its size, and bytes that follow from both."""
    head = b"%s %s %d\n" % (MAGIC, value.encode(), size_bytes)
    return head + hashlib.shake_128(head).digest(max(0, size_bytes - len(head)))


def value_of(body: bytes) -> str:
    """Return the id of the write that a body is of.

    Raises:
        DamageError: It is of none: cut, mixed, or changed.
    """
    head, _, _ = body.partition(b"\n")
    words = head.split(b" ")
    if len(words) != 3 or words[0] != MAGIC or not words[2].isdigit():
        raise DamageError(f"{len(body)} bytes begin with {body[:40]!r}")
    value, size_bytes = words[1].decode(), int(words[2])
    if len(body) != max(size_bytes, len(head) + 1):
        raise DamageError(f"{value} has {len(body)} bytes of {size_bytes}")
    if body != body_of(value, size_bytes):
        raise DamageError(f"the bytes of {value} are not its own")
    return value


def etag_of(body: bytes) -> str:
    """Return the entity tag of a body that was sent in one piece."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def doubted(history: Iterable[Op], node: int) -> list[Op]:
    """Return a history in which nothing that a node acknowledged is certain: its disk is gone."""
    return [
        replace(op, outcome=UNKNOWN) if op.is_write and op.node == node and op.outcome == OK else op
        for op in history
    ]


def to_lines(history: Iterable[Op]) -> str:
    """Return a history as JSON, one operation a line, for a person to search in."""
    return "".join(json.dumps(asdict(op)) + "\n" for op in history)
