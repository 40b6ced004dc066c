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
class Answer:
    """What one member knows of a value that another brings back.

    Attributes:
        has_row: It holds this very value.
        has_version: It holds some value of this version, a tombstone perhaps.
        was_applied: It has applied the change that made the value.
        will_send: It has that change in its log, for others to get.
        refuses: It has evicted the writer, who will therefore not send it.
    """

    has_row: bool
    has_version: bool
    was_applied: bool
    will_send: bool = False
    refuses: bool = False

    @property
    def was_replaced(self) -> bool:
        """Return whether it held the value, and something has taken its place."""
        return self.was_applied and not self.has_row


@dataclass(frozen=True, slots=True)
class Known:
    """What the members that were asked know of a value.

    Attributes:
        source: The one that the index was copied from, and whose frontiers were taken over: what
            it has replaced, and forgotten what by, nobody will replace here.
        others: Those of the others that answered.
    """

    source: Answer
    others: tuple[Answer, ...] = ()

    def any(self, name: str) -> bool:
        """Return whether a field is true of one of them."""
        return any(getattr(answer, name) for answer in (self.source, *self.others))

    @property
    def is_coming(self) -> bool:
        """Return whether the change that made the value will reach everyone by a log."""
        return self.any("will_send") and not self.any("refuses")


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """A value that a member brings back.

    Attributes:
        is_own: The node that joins again made it.
        is_old: It did so before it was told to join again; of no account for others' values.
        is_shared: It is its own, and every member has taken it.
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
    if value.is_own and not value.is_shared:
        return _unheard(known, value)
    if known.source.has_row:
        return Fate.KEEP
    if not known.source.was_applied and known.is_coming:
        return Fate.KEEP
    if not known.any("has_version"):
        return Fate.DROP if value.is_tombstone else Fate.SET_ASIDE
    if known.any("was_replaced") or not value.is_winner:
        return Fate.DROP
    return Fate.WRITE_AGAIN


def _unheard(known: Known, value: Brought) -> Fate:
    """Judge a value of this node's own that some member has not taken."""
    if not known.any("has_version"):
        # A client was told of a delete, and a member that was not asked may hold what it deleted.
        is_delete = value.is_tombstone and value.is_winner
        return Fate.WRITE_AGAIN if is_delete else Fate.SET_ASIDE
    if known.any("was_replaced"):
        return Fate.DROP
    if known.any("has_row") and value.is_named:
        # Written again it would become the newest version; no delete of it was forgotten, since
        # the one that holds it would have to have that delete.
        return Fate.SEND
    if value.is_winner:
        return Fate.WRITE_AGAIN
    return Fate.KEEP if known.any("has_row") else Fate.DROP


def uncovers(fate: Fate, *, is_tombstone: bool, has_live_rival: bool) -> bool:
    """Return whether taking a value out would show what it hides.

    Args:
        fate: What it was judged to.
        is_tombstone: It is a delete.
        has_live_rival: A value of the same version that is none stays.
    """
    return is_tombstone and has_live_rival and fate in (Fate.DROP, Fate.SET_ASIDE)
