"""Writes of objects, as the S3 endpoint makes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings

from cluster import selectors as cluster_selectors
from cluster.core.config import ReplicationMode
from replication import bucket_state, consistency, engine, outbox, reading
from replication.core.events import ReplicationEvent
from replication.entries import attribute_event, entry_event
from rs3gw.common import clock, identity, ids
from rs3gw.storage import attributes, commit, rows, selectors
from rs3gw.storage import services as storage
from rs3gw.storage.attributes import VersionDot
from rs3gw.storage.blobs import StagedBody
from rs3gw.storage.core.attributes import Attribute, applied
from rs3gw.storage.core.objects import NULL_VERSION, Entry, ObjectHeaders
from rs3gw.storage.core.siblings import Newer
from rs3gw.storage.errors import NoSuchBucket, NoSuchKey
from rs3gw.storage.models import Bucket, BucketState

Condition = Callable[[Entry | None], None]
# Called in the transaction: with the bucket, to refuse; with entry and bucket, to settle both.
Check = Callable[[Bucket], None]
Make = Callable[[Entry, Bucket], Entry]


def put_object(
    *,
    bucket: Bucket,
    key: str,
    body: StagedBody,
    headers: ObjectHeaders,
    checksums: Mapping[str, str] | None = None,
    condition: Condition | None = None,
) -> Entry:
    """Store an object and carry it to the other nodes as the write mode asks.

    Args:
        bucket: Where to.
        key: 1 to 1024 bytes of UTF-8.
        body: The received bytes; installed here.
        headers: What is returned with the object.
        checksums: Which of the body's checksums to keep; all that were computed when None.
        condition: Called in the transaction with the version it replaces, or None; raises to
            refuse the write.

    Raises:
        NoSuchBucket: The bucket was deleted in the meantime.
        WriteIndeterminate: Stored here, but too few nodes confirmed it in time.
    """
    body.install()
    entry = _new_entry(bucket, key, headers)
    entry = replace(
        entry,
        etag=body.md5_hex,
        sha256=body.sha256_hex,
        size_bytes=body.size_bytes,
        checksums=dict(body.checksums if checksums is None else checksums),
        checksum_type="FULL_OBJECT" if body.checksums else "",
    )
    making = _meets(condition, key)
    return _commit_entry(bucket, entry, replace(making, inline=body.inline))


def copy_object(
    *,
    bucket: Bucket,
    key: str,
    source: Entry,
    headers: ObjectHeaders,
    condition: Condition | None = None,
) -> Entry:
    """Store a copy of a version: a new index entry that names the same bodies.

    Raises:
        NoSuchBucket: The bucket was deleted in the meantime.
        WriteIndeterminate: Stored here, but too few nodes confirmed it in time.
    """
    entry = replace(
        _new_entry(bucket, key, headers),
        etag=source.etag,
        sha256=source.sha256,
        size_bytes=source.size_bytes,
        checksums=source.checksums,
        checksum_type=source.checksum_type,
        parts=source.parts,
    )
    return _commit_entry(bucket, entry, _meets(condition, key))


def commit_upload(
    *, bucket: Bucket, entry: Entry, condition: Condition | None, end: Callable[[Entry], None]
) -> Entry:
    """Store the object that an upload became, and carry it to the other nodes.

    Args:
        bucket: Where to.
        entry: Its entry; the bodies of all its parts are here.
        condition: As in `put_object`.
        end: Called in the transaction with the stored entry; raises to refuse the write.

    Raises:
        NoSuchBucket: The bucket was deleted in the meantime.
        WriteIndeterminate: Stored here, but too few nodes confirmed it in time.
    """
    making = _meets(condition, entry.key)
    return _commit_entry(bucket, entry, replace(making, also=end))


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a delete did.

    Attributes:
        version_id: The version that was deleted, or the delete marker that was written; None
            where there are no versions to speak of.
        is_delete_marker: That version is, or was, a delete marker.
    """

    version_id: str | None = None
    is_delete_marker: bool = False


def delete_object(
    *,
    bucket: Bucket,
    key: str,
    version_id: str | None = None,
    condition: Condition | None = None,
    is_exclusive: bool = False,
) -> Deleted:
    """Delete a key, or one version of it.

    Without a version id, a bucket with versions gets a delete marker. Anything else is deleted by
    a tombstone, which carries the delete to the other nodes; a key that this node does not hold
    gets one too when there are other nodes: the object may have been acknowledged elsewhere and
    not have arrived here yet.

    Args:
        bucket: Where from.
        key: What.
        version_id: Which version; None for the key.
        condition: Called in the transaction with the version that would be deleted or hidden, or
            None; raises to refuse the delete.
        is_exclusive: The condition compares: where other members confirm writes, nobody else
            may change the key while it is checked.

    Raises:
        NoSuchBucket: The bucket was deleted in the meantime.
        KeyClaimed: Another conditional write of the key is under way.
        WriteIndeterminate: Stored here, but too few nodes confirmed it in time.
    """
    has_peers = bool(cluster_selectors.registered_peers())
    is_plain = not bucket.versioning
    is_known = has_peers or not is_plain or bool(rows.read_siblings(bucket.pk, key))
    if condition is None and not is_known:
        return Deleted(version_id)
    found: list[Entry | None] = []

    def check(current: Bucket) -> None:
        found[:] = [selectors.find_version(current, key, version_id)]
        if condition is not None:
            condition(found[0])

    entry = _new_entry(bucket, key, ObjectHeaders(owner=bucket.owner))
    making = _Making(check=check, make=_deleting(version_id), is_exclusive=is_exclusive)
    stored = _commit_entry(bucket, entry, making)
    if version_id is not None:
        was_marker = found[0] is not None and found[0].is_delete_marker
        return Deleted(version_id, was_marker)
    return (
        Deleted(stored.version_id, is_delete_marker=True) if stored.is_delete_marker else Deleted()
    )


def _deleting(version_id: str | None) -> Make:
    def make(entry: Entry, bucket: Bucket) -> Entry:
        if version_id is not None:
            return replace(entry, version_id=version_id, is_tombstone=True)
        if not bucket.versioning:
            return replace(entry, is_tombstone=True)
        return replace(_versioned(entry, bucket), is_delete_marker=True)

    return make


def set_attribute(
    *,
    bucket: Bucket,
    key: str,
    version_id: str | None,
    name: str,
    value: Callable[[Entry], Mapping[str, Any]],
) -> Entry:
    """Change the tags, the access list, the retention or the legal hold of a version.

    Args:
        bucket: Where it is.
        key: Its key.
        version_id: Which version; None for the newest.
        name: One of `rs3gw.storage.core.attributes.NAMES`.
        value: Called in the transaction with the version; returns the new value, or raises.

    Returns:
        The version as it is now.

    Raises:
        NoSuchKey: It was deleted in the meantime.
        NoSuchBucket, WriteIndeterminate: As in `put_object`.
    """
    shard = storage.shard_of(bucket.name, key)

    def change(above_hlc: int = 0) -> tuple[Entry, ReplicationEvent]:
        storage.observe_clock(shard, above_hlc)
        stamp, position = rows.take_stamp(shard, clock.now_ms())
        current = _still_there(bucket)
        entry = selectors.find_entry(current, key, version_id)
        if entry is None:
            raise NoSuchKey
        attribute = Attribute(name, value(entry), stamp)
        changed = replace(entry, headers=applied(entry.headers, [attribute]))
        attributes.write(VersionDot(entry.actor, entry.seq), attribute)
        event = attribute_event(
            changed,
            current,
            attribute,
            origin_node=identity.load().node_id,
            origin_region=settings.RS3GW_REGION,
        )
        outbox.append(event, shard=shard, position=position)
        return changed, event

    entry, event = commit.run(change)
    engine.complete(
        event,
        shard=shard,
        mode=consistency.write_mode(bucket),
        restamp=lambda newer: commit.run(lambda: change(newer.hlc))[1],
    )
    return entry


def _new_entry(bucket: Bucket, key: str, headers: ObjectHeaders) -> Entry:
    return Entry(
        bucket_id=bucket.pk,
        key=key,
        actor=0,
        seq=0,
        hlc=0,
        headers=headers,
        last_modified=clock.utcnow(),
        origin_node=identity.load().node_id,
    )


def _versioned(entry: Entry, bucket: Bucket) -> Entry:
    """Return a new version with the id that its bucket asks for."""
    is_enabled = bucket.versioning == "Enabled"
    return replace(entry, version_id=ids.new_version_id() if is_enabled else NULL_VERSION)


def _still_there(bucket: Bucket) -> Bucket:
    """Return a bucket as it is now, inside the transaction that changes something in it."""
    current = selectors.find_bucket(bucket.name)
    # Another row than before when the bucket turned out to be one with another node's.
    if current is None or current.owner != bucket.owner:
        raise NoSuchBucket(f"The bucket {bucket.name!r} does not exist.")
    return current


@dataclass(frozen=True, slots=True, kw_only=True)
class _Making:
    """How an entry becomes a stored one.

    Attributes:
        check: Called in the transaction first; raises to refuse.
        make: Called with entry and bucket; returns what is stored.
        also: Called with what was stored.
        inline: The small body, when it is at hand.
        is_exclusive: The check compares with what the key holds: where other members confirm
            writes, nobody else may decide about the key meanwhile.
    """

    check: Check
    make: Make = _versioned
    also: Callable[[Entry], None] | None = None
    inline: bytes | None = None
    is_exclusive: bool = False


def _meets(condition: Condition | None, key: str) -> _Making:
    """Return how an entry is made whose condition must hold for what it would replace."""

    def check(bucket: Bucket) -> None:
        if condition is not None:
            condition(selectors.find_entry(bucket, key))

    return _Making(check=check, is_exclusive=condition is not None)


def _commit_entry(bucket: Bucket, entry: Entry, making: _Making) -> Entry:
    mode = consistency.write_mode(bucket)
    if not making.is_exclusive or mode == ReplicationMode.ASYNCHRONOUS:
        return _commit_now(bucket, entry, mode, making)
    with reading.claimed(bucket, entry.key):
        return _commit_now(bucket, entry, mode, making)


def _commit_now(bucket: Bucket, entry: Entry, mode: ReplicationMode, making: _Making) -> Entry:
    shard = storage.shard_of(bucket.name, entry.key)

    def change() -> tuple[Entry, ReplicationEvent]:
        stamp, position = rows.take_stamp(shard, clock.now_ms())
        current = _still_there(bucket)
        making.check(current)
        here = making.make(replace(entry, bucket_id=current.pk), current)
        stored = storage.write_entry(here, stamp=stamp, inline=making.inline)
        if making.also is not None:
            making.also(stored)
        return stored, _report(stored, current, shard, position)

    stored, event = commit.run(change)

    def again(newer: Newer) -> ReplicationEvent:
        nonlocal stored
        stored, event = commit.run(lambda: _write_above(bucket, stored, shard, newer))
        return event

    # What beats a write under a claim is concurrent with it: its order is free.
    restamp = None if making.is_exclusive else again
    engine.complete(event, shard=shard, inline=making.inline, mode=mode, restamp=restamp)
    return stored


def _write_above(
    bucket: Bucket, stored: Entry, shard: int, newer: Newer
) -> tuple[Entry, ReplicationEvent]:
    """Store a version once more, above what another node shows instead of it."""
    storage.observe_clock(shard, newer.hlc)
    stamp, position = rows.take_stamp(shard, clock.now_ms())
    current = _still_there(bucket)
    here = replace(stored, bucket_id=current.pk, row_id=None)
    again = storage.write_entry(here, stamp=stamp, inline=None, seen=newer.context)
    return again, _report(again, current, shard, position)


def _report(stored: Entry, bucket: Bucket, shard: int, position: int) -> ReplicationEvent:
    event = entry_event(stored, bucket, origin_region=settings.RS3GW_REGION)
    if bucket.state == BucketState.DELETE_CONFLICT:
        bucket_state.settle(bucket_state.base_name(bucket))
    outbox.append(event, shard=shard, position=position)
    return event
