"""What is done to bodies on disk besides reading and writing them: drop, set aside, walk over.

Nothing here decides whether a body may go; `replication.healing` does.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from rs3gw.common.identity import sync_directory
from rs3gw.storage import blobs, collector, rows
from rs3gw.storage.models import InlineBody

DIRECTORIES = tuple(f"{number:02x}" for number in range(256))
_IN_UPLOAD = "SELECT 1 FROM storage_uploadpart WHERE sha256 = %s LIMIT 1"


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found when a body was read from its beginning to its end.

    Attributes:
        size_bytes: How many bytes were read.
        problem: Why it is not the body of its name; "" when it is.
        inode: Of the file that was read; 0 for a small body in the database.
    """

    size_bytes: int
    problem: str = ""
    inode: int = 0


def is_held(sha256: str) -> bool:
    """Return whether a body is installed, not in the trash, and needed by the index.

    Such a copy is durable: its file was synced before it had its name, and no sweep takes it.
    """
    return blobs.file_path(sha256).exists() and collector.is_named(sha256)


def is_in_upload(sha256: str) -> bool:
    """Return whether a part of an upload that has not ended needs a body; only this node has it."""
    return rows.fetch_one(_IN_UPLOAD, (sha256,)) is not None


def drop(sha256: str, *, older_than: float) -> bool:
    """Delete the file of a body that others hold; return whether it is gone.

    A file that arrived after `older_than` (wall-clock seconds) stays: a write may be about to
    name it. It is moved first and looked at then, so that the same body, arriving now, keeps its
    file.
    """
    trash = blobs.trash_path(sha256)
    trash.parent.mkdir(exist_ok=True)
    try:
        blobs.file_path(sha256).replace(trash)
        is_old = trash.stat().st_mtime < older_than
    except FileNotFoundError:
        return False
    if not is_old or is_in_upload(sha256):
        _put_back(sha256)
        return False
    # The collector may have put it back in between: then it is simply still there.
    trash.unlink(missing_ok=True)
    return not blobs.file_path(sha256).exists()


def _put_back(sha256: str) -> None:
    home, trash = blobs.file_path(sha256), blobs.trash_path(sha256)
    try:
        if home.exists():
            trash.unlink()
        else:
            trash.replace(home)
    except FileNotFoundError:
        return


def read_file(sha256: str) -> Reading | None:
    """Read a body's file and compare it with its name; None when there is no file."""
    try:
        file = blobs.file_path(sha256).open("rb", buffering=0)
    except FileNotFoundError:
        return None
    except OSError as error:
        return Reading(0, f"it cannot be opened: {error.strerror}", _inode(sha256))
    digest, size_bytes = hashlib.sha256(), 0
    with file:
        inode = os.fstat(file.fileno()).st_ino
        try:
            while chunk := file.read(blobs.READ_BYTES):
                digest.update(chunk)
                size_bytes += len(chunk)
        except OSError as error:
            return Reading(size_bytes, f"it cannot be read: {error.strerror}", inode)
    is_right = digest.hexdigest() == sha256
    return Reading(size_bytes, "" if is_right else "its bytes have another hash", inode)


def read_inline(sha256: str) -> Reading | None:
    """Read a small body in the database and compare it with its name; None when there is none."""
    data = rows.read_inline(sha256)
    if data is None:
        return None
    is_right = hashlib.sha256(data).hexdigest() == sha256
    return Reading(len(data), "" if is_right else "its bytes have another hash")


def _inode(sha256: str) -> int:
    try:
        return blobs.file_path(sha256).stat().st_ino
    except OSError:
        return 0


def aside_directory() -> Path:
    """Return the directory of damaged bodies."""
    return Path(settings.RS3GW_DATA_DIR) / "quarantine"


def set_file_aside(sha256: str, *, inode: int, now_ms: int) -> Path | None:
    """Move a damaged file to the quarantine; return its new place.

    Returns:
        None when the file that was read is not there any more; one that took its place stays.
    """
    source = blobs.file_path(sha256)
    target = _new_place(sha256, now_ms)
    try:
        source.replace(target)
    except FileNotFoundError:
        return None
    if target.stat().st_ino != inode:
        target.replace(source)
        return None
    sync_directory(source.parent)
    return target


def keep_inline_aside(sha256: str, *, now_ms: int) -> Path | None:
    """Write a damaged small body into the quarantine; its row is left to the caller."""
    data = rows.read_inline(sha256)
    if data is None:
        return None
    target = _new_place(sha256, now_ms)
    target.write_bytes(data)
    return target


def delete_inline(sha256: str) -> None:
    """Delete a small body; runs inside the caller's transaction."""
    InlineBody.objects.filter(sha256=sha256).delete()


def _new_place(sha256: str, now_ms: int) -> Path:
    directory = aside_directory()
    directory.mkdir(parents=True, exist_ok=True)
    return directory / f"{sha256}.{now_ms}"


def files_after(name: str) -> Iterator[str]:
    """Yield the names of the bodies on disk that come after `name`, in order."""
    root = Path(settings.RS3GW_DATA_DIR) / "blobs"
    for directory in DIRECTORIES:
        if directory < name[:2]:
            continue
        try:
            found = sorted(path.name for path in (root / directory).iterdir())
        except FileNotFoundError:
            continue
        yield from (entry for entry in found if entry > name)


def count_files() -> tuple[int, int]:
    """Return how many bodies lie on disk, and their bytes."""
    bodies = size_bytes = 0
    root = Path(settings.RS3GW_DATA_DIR) / "blobs"
    for directory in DIRECTORIES:
        try:
            with os.scandir(root / directory) as found:
                for entry in found:
                    bodies += 1
                    size_bytes += _size(entry)
        except FileNotFoundError:
            continue
    return bodies, size_bytes


def _size(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        return 0


def inline_after(name: str, limit: int) -> list[str]:
    """Return the names of the next small bodies in the database, in order."""
    found = InlineBody.objects.filter(sha256__gt=name).order_by("sha256")
    return list(found.values_list("sha256", flat=True)[:limit])
