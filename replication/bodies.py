"""Where the bytes of an object are, and how to read them from wherever that is."""

import logging
from collections.abc import Iterator
from typing import IO

from django.conf import settings

from cluster import transport
from cluster.core.node import NodeInfo
from replication import body_sources, damage
from replication.body_sources import memory
from replication.placement import holder_ids
from rs3gw.common import clock, identity, keyring
from rs3gw.common.signing import body_sha256 as sha256_of
from rs3gw.storage import blobs, rows
from rs3gw.storage.core import sealed
from rs3gw.storage.core.objects import Entry
from rs3gw.storage.errors import BodyBroken, BodyLost, BodyMissing, BodySealed

logger = logging.getLogger(__name__)

BLOB_PATH = "/_cluster/blob/"
# Longest search for a source that goes on sending, and longest silence of one of them.
FIND_SECONDS_MAX = 20.0
SILENCE_SECONDS_MAX = 10.0
NOT_FOUND = 404


def is_inline(size_bytes: int) -> bool:
    """Return whether a body of this size travels inside its event."""
    return size_bytes <= settings.RS3GW_INLINE_BODY_MAX_BYTES


def has_body(sha256: str) -> bool:
    """Return whether this node has a body, in the database or as a file."""
    return sha256 == blobs.EMPTY_SHA256 or blobs.has_file(sha256) or _inline(sha256) is not None


def wants_body(sha256: str, *, from_member: bool) -> bool:
    """Return whether this node should be sent a body.

    A member of the region sends it to holders; another region sends it to whoever it talks to.
    """
    if has_body(sha256):
        return False
    return not from_member or identity.load().node_id in holder_ids(sha256)


def _inline(sha256: str) -> bytes | None:
    return rows.read_inline(sha256)


def local_file(entry: Entry) -> IO[bytes] | None:
    """Return the open file of an object that is one local file, for a fast path; else None."""
    is_one = entry.sha256 and not entry.parts and not entry.headers.encryption
    if not is_one or is_inline(entry.size_bytes):
        return None
    return _whole_file(entry.sha256, entry.size_bytes)


def _whole_file(sha256: str, size_bytes: int) -> IO[bytes] | None:
    """Return the open file of a body; one of another size is noted and never read."""
    file, problem = blobs.open_whole(sha256, size_bytes)
    if problem:
        damage.suspect(sha256, size_bytes, problem)
    return file


def _whole_inline(sha256: str, size_bytes: int) -> bytes | None:
    data = _inline(sha256)
    if data is None or len(data) == size_bytes:
        return data
    problem = f"its row has {len(data)} bytes instead of {size_bytes}"
    damage.suspect(sha256, size_bytes, problem)
    return None


def open_body(
    entry: Entry, start: int = 0, length: int | None = None, *, key: bytes | None = None
) -> Iterator[bytes]:
    """Return the bytes of an object, or a range of them, from here or from a holder.

    The first chunk is fetched before this returns, so a missing body is an error and not a
    broken answer.

    Args:
        entry: The version to read.
        start: First byte, from 0.
        length: Number of bytes; all that follow when None.
        key: Of an object that its writer's own key encrypted.

    Raises:
        BodyMissing: No reachable node holds the bytes.
        BodySealed: The object is encrypted with its writer's own key, which is missing.
        BodyBroken: The object is encrypted, and its bytes are damaged.
        SealError: The keyring of this node cannot open it.
    """
    wanted = entry.size_bytes - start if length is None else length
    chunks = _open_bodies(entry, start, wanted, _data_key(entry, key))
    first = next(chunks, b"")
    return _chain(first, chunks)


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _data_key(entry: Entry, key: bytes | None) -> bytes | None:
    """Return what the bodies of an object were encrypted with, None when they were not."""
    encryption = entry.headers.encryption
    if not encryption:
        return None
    if "key" in encryption:
        return keyring.unwrap(encryption["key_id"], encryption["key"])
    if key is None:
        raise BodySealed
    return key


def _open_bodies(entry: Entry, start: int, length: int, key: bytes | None) -> Iterator[bytes]:
    for sha256, size_bytes in entry.contents():
        if length <= 0:
            return
        if start >= size_bytes:
            start -= size_bytes
            continue
        piece = min(length, size_bytes - start)
        if key is None:
            yield from open_one(sha256, size_bytes, start, piece)
        else:
            yield from _open_sealed(sha256, size_bytes, start, piece, key)
        start, length = 0, length - piece


def _open_sealed(
    sha256: str, size_bytes: int, start: int, length: int, key: bytes
) -> Iterator[bytes]:
    """Yield a range of what an encrypted body holds, reading no more than its frames.

    Raises:
        BodyBroken: It is not what was stored, or is sealed with another key.
    """
    stored_bytes = sealed.sealed_size(size_bytes)
    span = sealed.frame_span(start, length, size_bytes)
    try:
        salt = sealed.salt_of(b"".join(open_one(sha256, stored_bytes, 0, sealed.HEAD_BYTES)))
        stored = open_one(sha256, stored_bytes, span.offset, span.length)
        yield from sealed.open_range(
            stored, key, salt, start=start, length=length, size_bytes=size_bytes
        )
    except sealed.SealedBodyBroken:
        logger.exception("the body %s cannot be decrypted", sha256)
        raise BodyBroken from None


def open_one(sha256: str, size_bytes: int, start: int, length: int) -> Iterator[bytes]:
    """Yield `length` bytes from `start` of one body, local or from a member that has it.

    Raises:
        BodyMissing: No reachable member has it.
    """
    if length == 0:
        return
    if is_inline(size_bytes):
        data = _whole_inline(sha256, size_bytes)
        if data is not None:
            yield data[start : start + length]
            return
    file = _whole_file(sha256, size_bytes)
    if file is not None:
        yield from blobs.read_range(file, start, length)
        return
    data = None if is_inline(size_bytes) else _whole_inline(sha256, size_bytes)
    if data is not None:
        yield data[start : start + length]
        return
    yield from _fetch(sha256, size_bytes, start, length)


def blob_path(sha256: str, size_bytes: int) -> str:
    """Return the path of a body at a peer, which gives it only when it has this size."""
    return f"{BLOB_PATH}{sha256}?size={size_bytes}"


def _fetch(sha256: str, size_bytes: int, start: int, length: int) -> Iterator[bytes]:
    """Yield a range from the members, the best source first; goes on with the next one.

    Raises:
        BodyMissing: No source was found in `FIND_SECONDS_MAX`.
        BodyLost: Every member answered that it does not have the body.
    """
    sent, searching_since = 0, clock.monotonic()
    without: set[str] = set()
    for node in body_sources.sources(sha256):
        left_seconds = FIND_SECONDS_MAX - (clock.monotonic() - searching_since)
        if left_seconds <= 0:
            break
        source = _Source(node, min(SILENCE_SECONDS_MAX, left_seconds))
        for chunk in source.read(blob_path(sha256, size_bytes), start + sent, length - sent):
            sent += len(chunk)
            yield chunk
            searching_since = clock.monotonic()
        if sent == length:
            return
        if source.has_none:
            without.add(node.node_id)
    if body_sources.is_known_to_all(without):
        raise BodyLost
    raise BodyMissing


class _Source:
    """One member that a body is read from; what comes of it is remembered."""

    def __init__(self, node: NodeInfo, timeout_seconds: float) -> None:
        self._node = node
        self._timeout_seconds = timeout_seconds
        self.has_none = False

    def read(self, path: str, start: int, length: int) -> Iterator[bytes]:
        """Yield what the member gives; ends early when it breaks off."""
        asked_at, is_first = clock.monotonic(), True
        try:
            with transport.client(self._node).open_stream(
                path, start=start, length=length, timeout_seconds=self._timeout_seconds
            ) as chunks:
                for chunk in chunks:
                    if is_first:
                        body_sources.memory.answered(
                            self._node.node_id, clock.monotonic() - asked_at
                        )
                        is_first = False
                    yield chunk
        except transport.PeerRefused as error:
            self.has_none = error.status == NOT_FOUND
            if not self.has_none:
                memory.failed(self._node.node_id)
        except transport.PeerError:
            memory.failed(self._node.node_id)


def check_inline(sha256: str, data: bytes) -> bool:
    """Return whether small bytes really are the body of that name."""
    return sha256_of(data) == sha256
