"""Where the bytes of an object are, and how to read them from wherever that is."""

import logging
from collections.abc import Iterator
from typing import IO

from django.conf import settings

from cluster import selectors as cluster_selectors
from cluster import transport
from cluster.core.placement import Member, holders
from rs3gw.common import identity, keyring
from rs3gw.common.signing import body_sha256 as sha256_of
from rs3gw.storage import blobs, rows
from rs3gw.storage.core import sealed
from rs3gw.storage.core.objects import Entry
from rs3gw.storage.errors import BodyBroken, BodyMissing, BodySealed

logger = logging.getLogger(__name__)

BLOB_PATH = "/_cluster/blob/"


def holder_ids(sha256: str) -> list[str]:
    """Return the members that placement chose to keep a body, best first."""
    members = [
        Member(node.node_id, 1.0, node.metadata.get("zone", ""))
        for node in cluster_selectors.registered()
    ]
    return holders(sha256, members, settings.RS3GW_REPLICATION_FACTOR)


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
    return blobs.open_file(entry.sha256)


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
        data = _inline(sha256)
        if data is not None:
            yield data[start : start + length]
            return
    file = blobs.open_file(sha256)
    if file is not None:
        yield from blobs.read_range(file, start, length)
        return
    data = None if is_inline(size_bytes) else _inline(sha256)
    if data is not None:
        yield data[start : start + length]
        return
    yield from _fetch(sha256, start, length)


def _fetch(sha256: str, start: int, length: int) -> Iterator[bytes]:
    """Yield a range from the members, holders first; goes on with the next where one breaks."""
    preferred = holder_ids(sha256)
    peers = [node for node in cluster_selectors.routable() if not _is_self(node.node_id)]
    peers.sort(key=lambda n: preferred.index(n.node_id) if n.node_id in preferred else 99)
    sent = 0
    for node in peers:
        try:
            with transport.client(node).open_stream(
                BLOB_PATH + sha256, start=start + sent, length=length - sent
            ) as chunks:
                for chunk in chunks:
                    sent += len(chunk)
                    yield chunk
        except transport.PeerError:
            continue
        if sent == length:
            return
    raise BodyMissing


def _is_self(node_id: str) -> bool:
    return node_id == identity.load().node_id


def check_inline(sha256: str, data: bytes) -> bool:
    """Return whether small bytes really are the body of that name."""
    return sha256_of(data) == sha256
