"""How careful a bucket is: who confirms its writes, and who is asked before it is read."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from cluster.core.config import ReplicationMode
from rs3gw.common.errors import Rs3gwError

DEGRADE_SECONDS_MAX = 7 * 24 * 3600


class ReadMode(StrEnum):
    """Who is asked before an object is read."""

    LOCAL = "local"
    QUORUM = "quorum"


class BadConsistency(Rs3gwError):
    """The setting is none."""

    code = "InvalidRequest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """What a bucket asks for.

    Attributes:
        write: Who must confirm a write; None for the cluster's default.
        read: `local`: this node answers from what it has; `quorum`: it asks a majority first.
        degrade_after_seconds: A synchronous bucket whose write mode has been out of reach for as
            long takes writes asynchronously until all members are back; 0 for never.
    """

    write: ReplicationMode | None = None
    read: ReadMode = ReadMode.LOCAL
    degrade_after_seconds: int = 0

    def to_text(self) -> str:
        """Return the setting as it is stored."""
        return json.dumps(
            {
                "write": str(self.write or ""),
                "read": str(self.read),
                "degrade_after_seconds": self.degrade_after_seconds,
            },
            separators=(",", ":"),
        )


DEFAULT = Consistency()


def make(write: str = "", read: str = "local", degrade_after_seconds: int = 0) -> Consistency:
    """Return a setting from what a form or a request gives.

    Raises:
        BadConsistency: A value is none of those that there are; the message names them.
    """
    try:
        mode = ReplicationMode(write) if write else None
    except ValueError:
        raise BadConsistency(
            f"There is no write mode {write!r}: use async, quorum or sync, or nothing."
        ) from None
    try:
        read_mode = ReadMode(read)
    except ValueError:
        raise BadConsistency(f"There is no read mode {read!r}: use local or quorum.") from None
    if not 0 <= degrade_after_seconds <= DEGRADE_SECONDS_MAX:
        raise BadConsistency(f"degrade_after_seconds must be 0 to {DEGRADE_SECONDS_MAX}.")
    if degrade_after_seconds and mode != ReplicationMode.SYNCHRONOUS:
        raise BadConsistency("degrade_after_seconds needs the write mode sync.")
    return Consistency(write=mode, read=read_mode, degrade_after_seconds=degrade_after_seconds)


def parse(text: str) -> Consistency:
    """Return the setting that `to_text` wrote.

    Raises:
        BadConsistency: It is another text.
    """
    try:
        value = json.loads(text)
        return make(str(value["write"]), str(value["read"]), int(value["degrade_after_seconds"]))
    except (ValueError, KeyError, TypeError):
        raise BadConsistency("The consistency of a bucket is a JSON object.") from None


def is_degraded(wanted: Consistency, silences_seconds: Iterable[float]) -> bool:
    """Return whether a bucket goes on without those that must confirm its writes.

    Args:
        wanted: The bucket's setting.
        silences_seconds: For how long each member that cannot be reached has been silent.
    """
    after = wanted.degrade_after_seconds
    return after > 0 and any(silence >= after for silence in silences_seconds)


def effective_write(
    wanted: Consistency, default: ReplicationMode, silences_seconds: Iterable[float]
) -> ReplicationMode:
    """Return who must confirm a write now."""
    if is_degraded(wanted, silences_seconds):
        return ReplicationMode.ASYNCHRONOUS
    return wanted.write or default
