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
    """What is known of a value that a member brings back.

    Attributes:
        has_row: The source of the copy holds this very value.
        has_version: It holds some value of this version, a tombstone perhaps.
        was_applied: It has applied the change that made the value.
    """

    has_row: bool
    has_version: bool
    was_applied: bool


def judge(
    known: Known, *, is_own: bool, is_old: bool, is_shared: bool, is_winner: bool, is_named: bool
) -> Fate:
    """Return what is done with a value.

    Args:
        known: What the source of the copy knows of it.
        is_own: The node that joins again made it.
        is_old: It did so before it was told to join again; of no account for others' values.
        is_shared: For its own: every member has taken it. For others': their writer is a member,
            whose lanes bring it to everyone.
        is_winner: It is what readers of its version see, now that the copy has been joined.
        is_named: It is a version with an id of its own, which nothing but a delete replaces.
    """
    if is_own and not is_old:
        return Fate.SEND
    if is_own and not is_shared:
        return _unshared(known, is_winner=is_winner, is_named=is_named)
    if known.has_row or (is_shared and not is_own and not known.was_applied):
        return Fate.KEEP
    if not known.has_version:
        return Fate.SET_ASIDE
    return Fate.WRITE_AGAIN if is_winner and not known.was_applied else Fate.DROP


def _unshared(known: Known, *, is_winner: bool, is_named: bool) -> Fate:
    if not known.has_version:
        return Fate.SET_ASIDE
    if is_named and known.has_row:
        # Written again it would become the newest version; no delete of it was forgotten, since
        # the source would have to have it.
        return Fate.SEND
    if is_winner and (known.has_row or not known.was_applied):
        return Fate.WRITE_AGAIN
    return Fate.KEEP if known.has_row else Fate.DROP
