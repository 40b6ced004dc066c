"""The scrub: every body of this node is read and compared with its hash, slowly.

What is not what its name says is moved out of the way, written down, and fetched again from a
node that has it.
"""

from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db.models import Count, Sum
from django.db.models.functions import Length

from replication import damage
from replication.core.healing import rest_seconds
from replication.healing import jobs
from replication.healing.jobs import Turn
from replication.models import DamagedBody, HealingItem, ItemKind
from rs3gw.common import clock
from rs3gw.storage import collector, commit, rows, upkeep
from rs3gw.storage.models import InlineBody, ObjectVersion
from rs3gw.storage.upkeep import Reading

FILES = "file:"
SMALL = "small:"
SMALL_AT_ONCE = 200
SAVE_SECONDS = 1.0
ASIDE_KEPT_SECONDS = 30 * 86_400


def totals() -> dict[str, int]:
    """Return how much a scrub has to read."""
    bodies, size_bytes = upkeep.count_files()
    small = InlineBody.objects.aggregate(count=Count("pk"), size=Sum(Length("data")))
    return {
        "total_bodies": bodies + small["count"],
        "total_bytes": size_bytes + int(small["size"] or 0),
    }


def advance(turn: Turn, *, tranquility: float | None = None) -> None:
    """Read on until the turn ends, and mark the job as done when all was read.

    Args:
        turn: The job's turn.
        tranquility: Rest for so many times as long as was worked; the setting when None.
    """
    calm = float(settings.RS3GW_SCRUB_TRANQUILITY) if tranquility is None else tranquility
    if not turn.job.cursor.startswith(SMALL) and not _read_files(turn, calm):
        return
    if _read_small(turn, calm):
        _forget_old()
        turn.finish()


def _read_files(turn: Turn, tranquility: float) -> bool:
    """Read the files after the cursor; return whether all were read."""
    after = turn.job.cursor.removeprefix(FILES)
    reader = _Reader(turn, FILES, tranquility)
    for sha256 in upkeep.files_after(after):
        if not turn.goes_on():
            reader.save()
            return False
        reader.read(sha256, upkeep.read_file)
    reader.save()
    turn.save(cursor=SMALL)
    return True


def _read_small(turn: Turn, tranquility: float) -> bool:
    reader = _Reader(turn, SMALL, tranquility)
    while turn.goes_on():
        names = upkeep.inline_after(turn.job.cursor.removeprefix(SMALL), SMALL_AT_ONCE)
        if not names:
            return True
        for sha256 in names:
            reader.read(sha256, upkeep.read_inline)
        reader.save()
    return False


class _Reader:
    """Reads bodies, sees to the damaged ones, and writes its progress down about once a second."""

    def __init__(self, turn: Turn, prefix: str, tranquility: float) -> None:
        self._turn = turn
        self._prefix = prefix
        self._tranquility = tranquility
        self._last = ""
        self._bodies = self._bytes = 0
        self._saved_at = clock.monotonic()

    def read(self, sha256: str, look: Callable[[str], Reading | None]) -> None:
        began_at = clock.monotonic()
        reading = look(sha256)
        if reading is not None:
            self._bodies += 1
            self._bytes += reading.size_bytes
            if reading.problem and set_aside(sha256, reading):
                self._turn.add(damaged_bodies=1)
        self._last = sha256
        self._turn.rest(rest_seconds(clock.monotonic() - began_at, self._tranquility))
        if clock.monotonic() - self._saved_at >= SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        if self._last:
            self._turn.save(cursor=self._prefix + self._last)
            self._turn.add(done_bodies=self._bodies, done_bytes=self._bytes)
            jobs.count("scrubbed", self._bodies, self._bytes)
        self._bodies = self._bytes = 0
        self._saved_at = clock.monotonic()


def set_aside(sha256: str, reading: Reading) -> bool:
    """Move a damaged body out of the way, write it down, and have a good one fetched.

    Returns:
        False when it was replaced or deleted in the meantime.
    """
    if reading.inode:
        place = upkeep.set_file_aside(sha256, inode=reading.inode, now_ms=clock.now_ms())
    else:
        place = upkeep.keep_inline_aside(sha256, now_ms=clock.now_ms())
    if place is None:
        return False
    is_needed = collector.is_named(sha256)
    row = DamagedBody(
        sha256=sha256,
        path=_relative(place),
        size_bytes=reading.size_bytes,
        reason=reading.problem,
        is_needed=is_needed,
        found_at=clock.utcnow(),
    )

    def write() -> None:
        if not reading.inode:
            upkeep.delete_inline(sha256)
        row.save()

    commit.run(write)
    jobs.count("damaged", 1, reading.size_bytes)
    if is_needed:
        damage.note(ItemKind.FETCH, [(sha256, _size_of(sha256, reading), 0)], why=reading.problem)
    return True


def _relative(place: Path) -> str:
    return str(place.relative_to(Path(settings.RS3GW_DATA_DIR)))


def _size_of(sha256: str, reading: Reading) -> int:
    """Return the size that a body must have, as far as the index says."""
    known = HealingItem.objects.filter(sha256=sha256).values_list("size_bytes", flat=True).first()
    if known is not None:
        return int(known)
    return named_size(sha256) or reading.size_bytes


def named_size(sha256: str) -> int | None:
    """Return the stored size of a body by the index, None when nothing names it."""
    versions = ObjectVersion.objects.filter(sha256=sha256).values_list("pk", flat=True)
    parts = ObjectVersion.objects.filter(partreference__sha256=sha256).values_list("pk", flat=True)
    for pk in (versions.first(), parts.first()):
        for entry in rows.read_entries([pk] if pk is not None else []):
            return dict(entry.bodies()).get(sha256)
    return None


def check_suspects(turn_ends_at: float) -> int:
    """Read the bodies that someone found to be of a wrong size; return how many were damaged.

    Args:
        turn_ends_at: Monotonic seconds after which no further one is begun.
    """
    found = 0
    suspects = HealingItem.objects.filter(kind=ItemKind.CHECK).order_by("id")
    for item in suspects[:SMALL_AT_ONCE]:
        if clock.monotonic() > turn_ends_at:
            break
        found += _check(item)
    return found


def _check(item: HealingItem) -> int:
    reading = upkeep.read_file(item.sha256)
    if reading is None or not reading.problem:
        small = upkeep.read_inline(item.sha256)
        reading = small if small is not None and small.problem else reading or small
    if reading is not None and reading.problem and set_aside(item.sha256, reading):
        return 1
    # Sound after all, or gone: whether it is missing is the next walk's question.
    if reading is None and collector.is_named(item.sha256):
        damage.note(ItemKind.FETCH, [(item.sha256, item.size_bytes, 0)])
    else:
        HealingItem.objects.filter(pk=item.pk, kind=ItemKind.CHECK).delete()
    return 0


def _forget_old() -> None:
    """Delete what was set aside long ago and has been repaired, or is needed by nothing."""
    cutoff = clock.from_ms(clock.now_ms() - ASIDE_KEPT_SECONDS * 1000)
    for row in DamagedBody.objects.filter(found_at__lt=cutoff):
        if row.repaired_at is not None or not row.is_needed:
            (Path(settings.RS3GW_DATA_DIR) / row.path).unlink(missing_ok=True)
            row.delete()
