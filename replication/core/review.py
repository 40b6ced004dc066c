"""What becomes of each value that a member brings back after it was evicted.

Nobody waited for it, so the region may have forgotten deletes that its values would undo. What it
wrote and some member has not taken is therefore not sent as it is: where the region knows the
version, the value competes with what is there, and is written again as a new change when it wins.
Where the region knows nothing, a person decides.
"""

from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    """What is done with a value.

    KEEP leaves it, SEND leaves it and its event too, WRITE_AGAIN makes a new change of it; DROP and
    SET_ASIDE take it out of the index.
    """

    KEEP = "keep"
    SEND = "send"
    DROP = "drop"
    WRITE_AGAIN = "write_again"
    SET_ASIDE = "set_aside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the members that were asked know of a value that a member brings back.

    Attributes:
        has_row: One of them holds this very value.
        has_version: One of them holds some value of this version, a tombstone perhaps.
        was_applied: One of them has applied the change that made the value.
        was_replaced: One of them has, and does not hold the value any more.
    """

    has_row: bool = False
    has_version: bool = False
    was_applied: bool = False
    was_replaced: bool = False

    def along_with(self, other: "Known") -> "Known":
        """Return what two members know together."""
        return Known(
            has_row=self.has_row or other.has_row,
            has_version=self.has_version or other.has_version,
            was_applied=self.was_applied or other.was_applied,
            was_replaced=self.was_replaced or other.was_replaced,
        )


def known_by(*, has_row: bool, has_version: bool, was_applied: bool) -> Known:
    """Return what one member knows of a value."""
    return Known(
        has_row=has_row,
        has_version=has_version,
        was_applied=was_applied,
        was_replaced=was_applied and not has_row,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """A value that a member brings back.

    Attributes:
        is_own: The node that joins again made it.
        is_old: It did so before it was told to join again; of no account for others' values.
        is_shared: For its own: every member has taken it. For others': their writer is a member,
            whose lanes bring it to everyone.
        is_winner: It is what readers of its version see, now that the copy has been joined.
        is_named: It is a version with an id of its own, which nothing but a delete replaces.
        is_tombstone: It is a delete.
    """

    is_own: bool
    is_old: bool
    is_shared: bool
    is_winner: bool
    is_named: bool
    is_tombstone: bool


def judge(known: Known, value: Brought) -> Fate:
    """Return what is done with a value."""
    if value.is_own and not value.is_old:
        return Fate.SEND
    if not value.is_own and value.is_shared and not known.was_applied:
        return Fate.KEEP
    if not known.has_version:
        return _unknown(value)
    return _rival(known, value)


def _unknown(value: Brought) -> Fate:
    if not value.is_tombstone:
        return Fate.SET_ASIDE
    # A client was told that this is deleted; a member that was not asked may hold it.
    is_unheard = value.is_own and not value.is_shared
    return Fate.WRITE_AGAIN if is_unheard and value.is_winner else Fate.DROP


def _rival(known: Known, value: Brought) -> Fate:
    if known.was_replaced:
        return Fate.DROP
    if known.has_row and (value.is_shared or not value.is_own):
        return Fate.KEEP
    if known.has_row and value.is_named:
        # Written again it would become the newest version; no delete of it was forgotten, since
        # the one that holds it would have to have that delete.
        return Fate.SEND
    if value.is_winner:
        return Fate.WRITE_AGAIN
    return Fate.KEEP if known.has_row else Fate.DROP
