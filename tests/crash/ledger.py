"""What must be found after a crash: what was acknowledged, and what may have happened.

A key is written by one thread at a time, so at most one change of it is open at any moment. After
a crash the key must be exactly as before that change or exactly as after it.
"""

import itertools
import threading
from dataclasses import dataclass, field, replace

NULL = "null"


class DamageError(AssertionError):
    """What was found cannot be what the acknowledged requests left."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a key; None as its id stands for one that nobody was told.

    `number` names the write that made it and travels as metadata; None for a delete marker.
    """

    version_id: str | None
    number: int | None = None
    etag: str = ""
    sha256: str = ""
    size_bytes: int = 0

    def is_marker(self):
        """Return whether it is a delete marker."""
        return self.number is None

    def could_be(self, found):
        """Return whether `found` is this version."""
        wanted = self if self.version_id is not None else replace(self, version_id=found.version_id)
        return wanted == found


@dataclass(slots=True)
class KeyState:
    """The versions of one key, newest first; and what they are if the open change was made."""

    is_versioned: bool
    settled: tuple[Version, ...] = ()
    maybe: tuple[Version, ...] | None = None

    def after_put(self, version):
        """Return the versions after a write of `version`."""
        return (version, *self.settled) if self.is_versioned else (version,)

    def after_delete(self):
        """Return the versions after a delete without a version id."""
        return (Version(None), *self.settled) if self.is_versioned else ()

    def open(self, after):
        """Note that a change is under way."""
        assert self.maybe is None
        self.maybe = after

    def acknowledge(self, version_id=None):
        """Note that the open change was acknowledged, with the id of the version it made."""
        assert self.maybe is not None
        if len(self.maybe) > len(self.settled) and self.maybe[0].version_id is None:
            self.maybe = (replace(self.maybe[0], version_id=version_id), *self.maybe[1:])
        self.settled, self.maybe = self.maybe, None

    def compare(self, found):
        """Take what was found after a crash for settled.

        Returns:
            True when the open change was made, False when it was not, None when none was open.

        Raises:
            DamageError: It is neither.
        """
        was_open = self.maybe is not None
        is_old, is_new = _matches(self.settled, found), was_open and _matches(self.maybe, found)
        if not is_old and not is_new:
            raise DamageError(f"found {found}, settled {self.settled}, maybe {self.maybe}")
        self.settled, self.maybe = found, None
        return is_new if was_open else None


def _matches(expected, found):
    return len(expected) == len(found) and all(
        mine.could_be(other) for mine, other in zip(expected, found, strict=True)
    )


@dataclass(slots=True)
class Upload:
    """An upload in parts: the acknowledged parts, the open one, and whether its end is open."""

    bucket: str
    key: str
    upload_id: str
    number: int
    parts: dict[int, tuple[str, int]] = field(default_factory=dict)
    data: dict[int, bytes] = field(default_factory=dict)
    maybe: tuple[int, str, int] | None = None
    ending: str = ""

    def compare_parts(self, found):
        """Take the parts that were found, by number as (entity tag, size), for settled.

        Raises:
            DamageError: An acknowledged part is missing or another.
        """
        expected = dict(self.parts)
        if self.maybe is not None and found != expected:
            number, *part = self.maybe
            expected[number] = tuple(part)
        if found != expected:
            raise DamageError(f"{self}: found {found}")
        self.parts, self.maybe = found, None


@dataclass(slots=True)
class Counts:
    """What the load did and what became of it."""

    acknowledged: int = 0
    refused: int = 0
    kept: int = 0
    not_kept: int = 0
    orphans: int = 0
    leftovers: int = 0


class Ledger:
    """All keys and uploads of a campaign."""

    def __init__(self):
        self.keys = {}
        self.uploads = {}
        self.creating = set()
        self.counts = Counts()
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def next_number(self):
        """Return a number that no write had yet."""
        return next(self._numbers)

    def count(self, name):
        """Count one more of `name`."""
        with self._lock:
            setattr(self.counts, name, getattr(self.counts, name) + 1)

    def add_key(self, bucket, key, *, is_versioned):
        """Make room for a key."""
        self.keys[bucket, key] = KeyState(is_versioned)
