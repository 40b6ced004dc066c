"""The walk over all bodies that the index names: what is missing, misplaced or of a wrong size.

It goes from the newest row to the oldest, so that what is written meanwhile, which lanes deliver
by the same placement, does not lengthen it. A rebuild goes twice: first for bodies that one node
or none has, then for the rest.
"""

from collections.abc import Iterable

from django.conf import settings
from django.db.models import Sum

from replication import bodies, damage
from replication.core.healing import Verdict, judge
from replication.healing import carry, offers
from replication.healing.jobs import Turn
from replication.healing.peers import Body
from replication.models import ItemKind, JobKind
from replication.placement import holder_ids
from rs3gw.common import identity
from rs3gw.storage import blobs, rows
from rs3gw.storage.core.objects import Entry
from rs3gw.storage.models import ObjectState, ObjectVersion, PartReference

PAGE_ROWS = 200
BODIES_AT_ONCE = 400
ITEMS_AHEAD_MAX = 2000
_PAGE = (
    f"SELECT {rows.ENTRY_COLUMNS} FROM storage_objectversion "  # noqa: S608  (our own columns)
    "WHERE id < %s AND state = 'live' ORDER BY id DESC LIMIT %s"
)
_END = 2**62


def totals(kind: str) -> dict[str, int]:
    """Return how much a walk of this kind has to look at, roughly."""
    live = ObjectVersion.objects.filter(state=ObjectState.LIVE)
    rounds = 2 if kind == JobKind.REBUILD else 1
    single = live.exclude(sha256="").count()
    size_bytes = int(live.aggregate(total=Sum("size_bytes"))["total"] or 0)
    return {
        "total_bodies": rounds * (single + PartReference.objects.count()),
        "total_bytes": rounds * size_bytes,
    }


def advance(turn: Turn) -> None:
    """Go on with a walk until its turn ends, and mark the job as done when nothing is left."""
    job = turn.job
    last_phase = 1 if job.kind == JobKind.REBUILD else 0
    while turn.goes_on():
        if carry.waiting().count() >= ITEMS_AHEAD_MAX:
            carry.work_off(turn)
            if carry.waiting().count() >= ITEMS_AHEAD_MAX:
                return
            continue
        if _look_at_page(turn, is_urgent=job.phase < last_phase):
            continue
        carry.work_off(turn)
        if carry.waiting().exists():
            # They are due again in a moment; the job waits for them and shows why.
            return
        if job.phase >= last_phase:
            turn.finish(lost_text())
            return
        turn.save(phase=job.phase + 1, cursor="")


def repair(turn: Turn) -> None:
    """Fetch what was noted as missing, without a walk."""
    before = carry.waiting().count()
    carry.work_off(turn)
    left = carry.waiting().count()
    turn.add(done_bodies=max(0, before - left))
    if turn.goes_on() and not left:
        turn.finish(lost_text())


def lost_text() -> str:
    """Return what could not be fetched, "" when everything was."""
    count = carry.given_up()
    return f"Bodies that no node that answers has: {count}." if count else ""


def next_page(turn: Turn) -> list[Entry]:
    """Return the entries behind the job's cursor, the newest first."""
    before = int(turn.job.cursor or _END)
    return [rows.to_entry(row) for row in rows.fetch_all(_PAGE, (before, PAGE_ROWS))]


def _look_at_page(turn: Turn, *, is_urgent: bool) -> bool:
    """Look at the next rows; return False when there are none."""
    found = next_page(turn)
    if not found:
        return False
    named = [body for entry in found for body in entry.bodies()]
    wanted = list(dict(named).items())
    for start in range(0, len(wanted), BODIES_AT_ONCE):
        _look_at(turn, wanted[start : start + BODIES_AT_ONCE], is_urgent=is_urgent)
    if not turn.is_halted():
        turn.save(cursor=str(found[-1].row_id))
        turn.add(done_bodies=len(named), done_bytes=sum(size for _, size in named))
    return True


def _look_at(turn: Turn, found: Iterable[Body], *, is_urgent: bool) -> None:
    verdicts = [(body, verdict_of(*body)) for body in found]
    missing = [body for body, verdict in verdicts if verdict == Verdict.FETCH]
    if missing:
        carry.note_missing(missing, is_urgent=is_urgent)
    suspects = [(*body, 0) for body, verdict in verdicts if verdict == Verdict.CHECK]
    damage.note(ItemKind.CHECK, suspects, why="its size is another one")
    misplaced = [body for body, verdict in verdicts if verdict == Verdict.OFFER]
    if misplaced and not is_urgent:
        offers.hand_over(turn, misplaced)


def verdict_of(sha256: str, size_bytes: int) -> Verdict:
    """Return what is to be done about a body that the index names."""
    if sha256 == blobs.EMPTY_SHA256:
        return Verdict.KEEP
    own = identity.load().node_id
    stored_bytes = blobs.stored_bytes(sha256)
    if bodies.is_inline(size_bytes):
        # Every node has the small ones, in its database.
        if stored_bytes is None:
            inline = rows.read_inline(sha256)
            stored_bytes = None if inline is None else len(inline)
        return judge(own=own, holder_ids=[own], stored_bytes=stored_bytes, size_bytes=size_bytes)
    if stored_bytes is None and settings.RS3GW_INLINE_BODY_MAX_BYTES:
        inline = rows.read_inline(sha256)
        if inline is not None and len(inline) == size_bytes:
            return Verdict.KEEP
    return judge(
        own=own, holder_ids=holder_ids(sha256), stored_bytes=stored_bytes, size_bytes=size_bytes
    )
