"""Bodies on disk: immutable files named by their SHA-256.

A body is written to a temporary file, synced, and renamed to its hash, and the directory is
synced, all before any row names it: a crash leaves at worst a file that nobody needs, which the
collector finds. A body is always written anew, even when one of that hash exists: the rename
renews the file's age, so the collector cannot take it between the check and the commit.
"""

import base64
import hashlib
import os
import secrets
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from django.conf import settings

from rs3gw.common.identity import sync_directory
from rs3gw.storage.core import sealed
from rs3gw.storage.core.checksums import new_hasher
from rs3gw.storage.errors import EntityTooLarge, StorageFull

READ_BYTES = 512 * 1024
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


@dataclass(slots=True)
class StagedBody:
    """A body that was received whole and that no row names yet.

    Either `inline` holds its bytes or `temporary` names its synced file; `install` makes the
    file permanent, `discard` throws it away.

    Attributes:
        size_bytes: Of what was received; an encrypted body takes more.
        md5_hex: Of what was received.
        sha256_hex: Name of the body: the hash of what is stored.
        checksums: Of what was received, in base64, by algorithm.
        plain_sha256_hex: Hash of what was received.
    """

    size_bytes: int
    md5_hex: str
    sha256_hex: str
    checksums: Mapping[str, str] = field(default_factory=dict)
    inline: bytes | None = None
    temporary: Path | None = None
    plain_sha256_hex: str = ""

    def __post_init__(self) -> None:
        """Take the name for the hash of what was received, where they are one."""
        self.plain_sha256_hex = self.plain_sha256_hex or self.sha256_hex

    def install(self) -> None:
        """Give the body its permanent name; must precede the row that names it."""
        if self.temporary is None:
            return
        target = file_path(self.sha256_hex)
        _ensure_directory(target.parent)
        self.temporary.replace(target)
        sync_directory(target.parent)
        self.temporary = None

    def discard(self) -> None:
        """Throw the body away; harmless when it was installed."""
        if self.temporary is not None:
            self.temporary.unlink(missing_ok=True)
            self.temporary = None


class _Digests:
    """The hashes of one body, all fed from one pass."""

    def __init__(self, algorithms: Collection[str]) -> None:
        self.sha256 = hashlib.sha256()
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.declared = {name: new_hasher(name) for name in algorithms if name != "sha256"}
        self._names = tuple(algorithms)

    def update(self, chunk: bytes) -> None:
        self.sha256.update(chunk)
        self.md5.update(chunk)
        for hasher in self.declared.values():
            hasher.update(chunk)

    def md5_hex(self) -> str:
        return self.md5.hexdigest()

    def checksums(self) -> dict[str, str]:
        values = {name: hasher.base64() for name, hasher in self.declared.items()}
        if "sha256" in self._names:
            values["sha256"] = base64.b64encode(self.sha256.digest()).decode()
        return values


class _NameAlone(_Digests):
    """The hash that names a body, and no other."""

    def __init__(self) -> None:
        super().__init__(())

    def update(self, chunk: bytes) -> None:
        self.sha256.update(chunk)

    def md5_hex(self) -> str:
        return ""


def stage(
    chunks: Iterable[bytes], *, algorithms: Collection[str] = (), key: bytes | None = None
) -> StagedBody:
    """Receive a body in one pass, hashing while it is written.

    Args:
        chunks: The bytes, in any sizes; an error they raise discards the body.
        algorithms: Checksums to compute besides MD5 and SHA-256.
        key: 32 bytes to encrypt the body with; None stores it as it is.

    Raises:
        EntityTooLarge: The body exceeds RS3GW_OBJECT_SIZE_MAX.
        StorageFull: The disk does not take it.
    """
    digests = _Digests(algorithms)
    if key is None:
        return _stage(chunks, digests, settings.RS3GW_OBJECT_SIZE_MAX_BYTES)
    received = _Received(chunks, digests)
    salt = secrets.token_bytes(sealed.SALT_BYTES)
    stored = stage_stored(sealed.seal(received, key, salt))
    return replace(
        stored,
        size_bytes=received.size_bytes,
        md5_hex=digests.md5_hex(),
        checksums=digests.checksums(),
        plain_sha256_hex=digests.sha256.hexdigest(),
    )


def stage_stored(chunks: Iterable[bytes]) -> StagedBody:
    """Receive a body as a node stores it, encrypted or not; nothing but its name is computed.

    Raises:
        EntityTooLarge: No body of RS3GW_OBJECT_SIZE_MAX is so large, even when it is encrypted.
        StorageFull: The disk does not take it.
    """
    size_max_bytes = sealed.sealed_size(settings.RS3GW_OBJECT_SIZE_MAX_BYTES)
    return _stage(chunks, _NameAlone(), size_max_bytes)


class _Received:
    """What arrives, hashed and counted on its way to encryption."""

    def __init__(self, chunks: Iterable[bytes], digests: _Digests) -> None:
        self._chunks = chunks
        self._digests = digests
        self.size_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._digests.update(chunk)
            self.size_bytes += len(chunk)
            if self.size_bytes > settings.RS3GW_OBJECT_SIZE_MAX_BYTES:
                raise EntityTooLarge
            yield chunk


def _stage(chunks: Iterable[bytes], digests: _Digests, size_max_bytes: int) -> StagedBody:
    head = bytearray()
    size_bytes = 0
    iterator = iter(chunks)
    for chunk in iterator:
        digests.update(chunk)
        size_bytes += len(chunk)
        head += chunk
        if size_bytes > settings.RS3GW_INLINE_BODY_MAX_BYTES:
            return _stage_file(head, iterator, digests, size_max_bytes)
    return StagedBody(
        size_bytes,
        digests.md5_hex(),
        digests.sha256.hexdigest(),
        digests.checksums(),
        inline=bytes(head),
    )


def _stage_file(
    head: bytearray, rest: Iterator[bytes], digests: _Digests, size_max_bytes: int
) -> StagedBody:
    directory = incoming_directory()
    try:
        fd, name = tempfile.mkstemp(dir=directory)
    except OSError as error:
        raise StorageFull(f"A temporary file cannot be made: {error.strerror}.") from error
    temporary = Path(name)
    try:
        with os.fdopen(fd, "wb", buffering=0) as file:
            size_bytes = _write_all(file, head)
            for chunk in rest:
                digests.update(chunk)
                size_bytes += _write_all(file, chunk)
                if size_bytes > size_max_bytes:
                    raise EntityTooLarge
            # A failed sync fails the request; it is never tried again on the same file.
            os.fsync(file.fileno())
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, ConnectionError | TimeoutError):
            raise
        raise StorageFull(f"The body cannot be written: {error.strerror}.") from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return StagedBody(
        size_bytes,
        digests.md5_hex(),
        digests.sha256.hexdigest(),
        digests.checksums(),
        temporary=temporary,
    )


def _write_all(file: IO[bytes], chunk: bytes | bytearray) -> int:
    view = memoryview(chunk)
    while view:
        view = view[file.write(view) :]
    return len(chunk)


def file_path(sha256: str) -> Path:
    """Return where the file of a body is, or would be."""
    return Path(settings.RS3GW_DATA_DIR) / "blobs" / sha256[:2] / sha256


def trash_path(sha256: str) -> Path:
    """Return where the collector puts a body before it is gone for good."""
    return Path(settings.RS3GW_DATA_DIR) / "trash" / sha256


def incoming_directory() -> Path:
    """Return the directory of bodies that are being received."""
    directory = Path(settings.RS3GW_DATA_DIR) / "incoming"
    _ensure_directory(directory)
    return directory


def open_file(sha256: str) -> IO[bytes] | None:
    """Open the file of a body, or return None when this node has none.

    A body in the trash is still whole; it is looked for there too, because the collector may
    be about to put it back.
    """
    for path in (file_path(sha256), trash_path(sha256)):
        try:
            return path.open("rb", buffering=0)
        except FileNotFoundError:
            continue
    return None


def open_whole(sha256: str, size_bytes: int) -> tuple[IO[bytes] | None, str]:
    """Open the file of a body that must have this size.

    Returns:
        The file, and why there is none although something lies there; "" when nothing does.
    """
    file = open_file(sha256)
    if file is None:
        return None, ""
    found_bytes = os.fstat(file.fileno()).st_size
    if found_bytes == size_bytes:
        return file, ""
    file.close()
    return None, f"its file has {found_bytes} bytes instead of {size_bytes}"


def stored_bytes(sha256: str) -> int | None:
    """Return the size of the file of a body, None when this node has none."""
    for path in (file_path(sha256), trash_path(sha256)):
        try:
            return path.stat().st_size
        except FileNotFoundError:
            continue
    return None


def has_file(sha256: str) -> bool:
    """Return whether this node has the file of a body."""
    return file_path(sha256).exists() or trash_path(sha256).exists()


def read_range(file: IO[bytes], start: int, length: int) -> Iterator[bytes]:
    """Yield `length` bytes from `start`, and close the file at the end."""
    with file:
        file.seek(start)
        while length > 0:
            chunk = file.read(min(READ_BYTES, length))
            if not chunk:
                raise StorageFull("A body on disk is shorter than its index entry says.")
            length -= len(chunk)
            yield chunk


def _ensure_directory(directory: Path) -> None:
    if directory.is_dir():
        return
    directory.mkdir(parents=True, exist_ok=True)
    sync_directory(directory.parent)
