"""Writes of objects, as the S3 endpoint makes them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from django.conf import settings

from cluster import selectors as cluster_selectors
from replication import bucket_state, engine, outbox
from replication.entries import entry_event
from rs3gw.common import clock, identity
from rs3gw.storage import commit, rows, selectors
from rs3gw.storage import services as storage
from rs3gw.storage.blobs import StagedBody
from rs3gw.storage.core.etag import multipart_etag
from rs3gw.storage.core.objects import NULL_VERSION, Entry, ObjectHeaders, PartInfo
from rs3gw.storage.errors import NoSuchBucket
from rs3gw.storage.models import Bucket, BucketState, MultipartUpload
from rs3gw.storage.uploads import headers_of

Condition = Callable[[Entry | None], None]


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
    return _commit_entry(bucket, entry, inline=body.inline, condition=condition)


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
    return _commit_entry(bucket, entry, condition=condition)


def commit_upload(
    *,
    upload: MultipartUpload,
    parts: Sequence[PartInfo],
    checksums: Mapping[str, str],
    finish: Callable[[Entry], None],
    condition: Condition | None = None,
) -> Entry:
    """Make an object of the parts of an upload, whose bodies are all here.

    Args:
        upload: The upload.
        parts: In the order of their bytes.
        checksums: Checksums of the whole object, by algorithm.
        finish: Called in the transaction with the stored entry; raises to refuse the write.
        condition: As in `put_object`.

    Raises:
        NoSuchBucket: The bucket was deleted in the meantime.
        WriteIndeterminate: Stored here, but too few nodes confirmed it in time.
    """
    entry = upload_entry(upload, parts, checksums)
    return _commit_entry(upload.bucket, entry, condition=condition, also=finish)


def upload_entry(
    upload: MultipartUpload, parts: Sequence[PartInfo], checksums: Mapping[str, str]
) -> Entry:
    """Return the entry of a complete upload, before it is stored."""
    return replace(
        _new_entry(upload.bucket, upload.key, headers_of(upload)),
        etag=multipart_etag([part.etag for part in parts]),
        size_bytes=sum(part.size_bytes for part in parts),
        checksums=dict(checksums),
        checksum_type=upload.checksum_type if checksums else "",
        parts=tuple(parts),
    )


def delete_object(
    *,
    bucket: Bucket,
    key: str,
    version_id: str | None = None,
    condition: Condition | None = None,
) -> Entry | None:
    """Delete a key by writing a tombstone, which carries the delete to the other nodes.

    A key that this node does not hold gets one too when there are other nodes: the object may
    have been acknowledged elsewhere and not have arrived here yet.

    Returns:
        The tombstone, or None when there was nothing to delete and nobody to tell.

    Raises:
        NoSuchBucket: The bucket was deleted in the meantime.
        WriteIndeterminate: Stored here, but too few nodes confirmed it in time.
    """
    if version_id not in (None, NULL_VERSION):
        return None
    has_peers = bool(cluster_selectors.registered_peers())
    if condition is None and not has_peers and not rows.read_siblings(bucket.pk, key):
        return None
    entry = replace(_new_entry(bucket, key, ObjectHeaders()), is_tombstone=True)
    return _commit_entry(bucket, entry, condition=condition)


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


def _commit_entry(
    bucket: Bucket,
    entry: Entry,
    *,
    inline: bytes | None = None,
    condition: Condition | None = None,
    also: Callable[[Entry], None] | None = None,
) -> Entry:
    shard = storage.shard_of(bucket.name, entry.key)

    def change() -> tuple[Entry, outbox.LogEntry]:
        stamp, position = rows.take_stamp(shard, clock.now_ms())
        current = selectors.find_bucket(bucket.name)
        # Another row than before when the bucket turned out to be one with another node's.
        if current is None or current.owner != bucket.owner:
            raise NoSuchBucket(f"The bucket {bucket.name!r} does not exist.")
        if condition is not None:
            condition(selectors.find_entry(current, entry.key))
        here = replace(entry, bucket_id=current.pk)
        stored = storage.write_entry(here, stamp=stamp, inline=inline)
        if also is not None:
            also(stored)
        event = entry_event(stored, current, origin_region=settings.RS3GW_REGION)
        if current.state == BucketState.DELETE_CONFLICT:
            bucket_state.settle(bucket_state.base_name(current))
        outbox.append(event, shard=shard, position=position)
        return stored, outbox.LogEntry(0, shard, position, event)

    stored, logged = commit.run(change)
    engine.complete(logged.event, shard=shard, inline=inline)
    return stored
