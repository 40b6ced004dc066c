"""Deletion of bodies that nothing refers to any more.

A body may be named by a version, a part of a version, a part of an upload, or be kept for
something else. One that none of them names, and that is older than the grace period, is moved to
the trash; what is still unnamed there a grace period later is deleted. If it was named in between,
it is put back. The grace period covers the time between a body's arrival and the commit of the row
that names it.
"""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from django.conf import settings

from rs3gw.common import clock
from rs3gw.storage import blobs, rows
from rs3gw.storage.models import InlineBody

BATCH_ROWS = 500
_IS_NAMED = (
    "SELECT 1 FROM storage_objectversion WHERE sha256 = %s "
    "UNION ALL SELECT 1 FROM storage_partreference WHERE sha256 = %s "
    "UNION ALL SELECT 1 FROM storage_uploadpart WHERE sha256 = %s "
    "UNION ALL SELECT 1 FROM storage_keptbody WHERE sha256 = %s LIMIT 1"
)
_DELETE_INLINE = (
    "DELETE FROM storage_inlinebody WHERE sha256 = %s AND touched_at < %s "
    "AND NOT EXISTS (SELECT 1 FROM storage_objectversion v WHERE v.sha256 = %s) "
    "AND NOT EXISTS (SELECT 1 FROM storage_partreference p WHERE p.sha256 = %s) "
    "AND NOT EXISTS (SELECT 1 FROM storage_uploadpart u WHERE u.sha256 = %s) "
    "AND NOT EXISTS (SELECT 1 FROM storage_keptbody k WHERE k.sha256 = %s)"
)


def is_named(sha256: str) -> bool:
    """Return whether anything on this node needs a body."""
    return rows.fetch_one(_IS_NAMED, (sha256,) * 4) is not None


def collect(*, now: float, grace_seconds: float) -> int:
    """Run one sweep and return the number of bodies deleted for good.

    Args:
        now: Wall-clock seconds.
        grace_seconds: Least age of a body that may go.
    """
    cutoff = now - grace_seconds
    deleted = _empty_trash(cutoff)
    for path in _files(Path(settings.RS3GW_DATA_DIR) / "blobs"):
        if _is_older(path, cutoff) and not is_named(path.name):
            _move_to_trash(path, cutoff)
    for path in _files(blobs.incoming_directory().parent / "incoming"):
        if _is_older(path, cutoff):
            path.unlink(missing_ok=True)
    return deleted + _collect_inline(now=now, grace_seconds=grace_seconds)


def _move_to_trash(path: Path, cutoff: float) -> None:
    target = blobs.trash_path(path.name)
    target.parent.mkdir(exist_ok=True)
    try:
        path.replace(target)
    except FileNotFoundError:
        return
    # The same bytes may have arrived again between the look and the move.
    if not _is_older(target, cutoff) or is_named(target.name):
        _put_back(target)


def _put_back(target: Path) -> None:
    home = blobs.file_path(target.name)
    if home.exists():
        target.unlink(missing_ok=True)
    else:
        target.replace(home)


def _empty_trash(cutoff: float) -> int:
    deleted = 0
    for path in _files(Path(settings.RS3GW_DATA_DIR) / "trash"):
        if is_named(path.name):
            _put_back(path)
        elif path.stat().st_ctime < cutoff:
            path.unlink(missing_ok=True)
            deleted += 1
    return deleted


def _collect_inline(*, now: float, grace_seconds: float) -> int:
    cutoff = clock.from_ms(int(now * 1000)) - timedelta(seconds=grace_seconds)
    deleted, last = 0, ""
    while True:
        batch = list(
            InlineBody.objects.filter(sha256__gt=last, touched_at__lt=cutoff)
            .order_by("sha256")
            .values_list("sha256", flat=True)[:BATCH_ROWS]
        )
        for sha256 in batch:
            if not is_named(sha256):
                rows.execute(_DELETE_INLINE, (sha256, cutoff, *(sha256,) * 4))
                deleted += 1
        if len(batch) < BATCH_ROWS:
            return deleted
        last = batch[-1]


def _files(directory: Path) -> Iterator[Path]:
    for root, _, names in os.walk(directory):
        for name in names:
            yield Path(root) / name


def _is_older(path: Path, cutoff: float) -> bool:
    try:
        return path.stat().st_mtime < cutoff
    except FileNotFoundError:
        return False
