"""Index entries as events, and back."""

from collections.abc import Mapping
from typing import Any

from replication.core.events import EventKind, ReplicationEvent
from rs3gw.common import clock, hlc, ids
from rs3gw.storage.core.objects import Entry, ObjectHeaders, PartInfo
from rs3gw.storage.models import Bucket


def entry_event(
    entry: Entry, bucket: Bucket, *, origin_region: str, via: tuple[str, ...] = ()
) -> ReplicationEvent:
    """Return the event that reports an index entry, with the entry's own dot and context."""
    kind = EventKind.DELETE_OBJECT if entry.is_tombstone else EventKind.PUT_OBJECT
    return ReplicationEvent(
        event_id=ids.uuid7(),
        actor=entry.actor,
        seq=entry.seq,
        hlc=entry.hlc,
        kind=kind,
        origin_node=entry.origin_node,
        origin_region=origin_region,
        via=via,
        bucket=bucket.name,
        bucket_incarnation=str(bucket.incarnation),
        key=entry.key,
        version_id=entry.version_id,
        context=entry.context,
        body_sha256=entry.sha256,
        body_size_bytes=0 if entry.is_tombstone else entry.size_bytes,
        payload={} if entry.is_tombstone else _payload(entry),
        created_at_ms=hlc.physical_ms(entry.hlc),
    )


def _payload(entry: Entry) -> dict[str, object]:
    headers = entry.headers
    payload: dict[str, object] = {
        "etag": entry.etag,
        "size": entry.size_bytes,
        "content_type": headers.content_type,
        "metadata": dict(headers.metadata),
    }
    optional: dict[str, object] = {
        "headers": headers.to_json(),
        "tags": dict(headers.tags),
        "checksums": dict(entry.checksums),
        "checksum_type": entry.checksum_type,
        "parts": [part.to_json() for part in entry.parts],
    }
    return payload | {name: value for name, value in optional.items() if value}


def event_entry(event: ReplicationEvent, bucket: Bucket) -> Entry:
    """Return the index entry that an object event reports.

    Raises:
        ValueError: The payload is not that of an object.
    """
    payload: Mapping[str, Any] = event.payload
    headers = dict(payload.get("headers", {}))
    headers["content_type"] = str(payload.get("content_type", ""))
    return Entry(
        bucket_id=bucket.pk,
        key=event.key,
        version_id=event.version_id,
        actor=event.actor,
        seq=event.seq,
        hlc=event.hlc,
        context=event.context,
        is_tombstone=event.kind == EventKind.DELETE_OBJECT,
        etag=str(payload.get("etag", "")),
        sha256=event.body_sha256,
        size_bytes=event.body_size_bytes,
        headers=ObjectHeaders.from_json(
            headers, payload.get("metadata", {}), payload.get("tags", {})
        ),
        checksums=payload.get("checksums", {}),
        checksum_type=str(payload.get("checksum_type", "")),
        parts=tuple(PartInfo.from_json(part) for part in payload.get("parts", [])),
        last_modified=clock.from_ms(hlc.physical_ms(event.hlc)),
        origin_node=event.origin_node,
    )


def event_bodies(event: ReplicationEvent) -> list[tuple[str, int]]:
    """Return (sha256, size in bytes) of each body that an event's object consists of."""
    if event.kind != EventKind.PUT_OBJECT:
        return []
    parts = [PartInfo.from_json(part) for part in _parts(event.payload)]
    if parts:
        return [(part.sha256, part.size_bytes) for part in parts]
    return [(event.body_sha256, event.body_size_bytes)] if event.body_sha256 else []


def _parts(payload: Mapping[str, Any]) -> list[list[object]]:
    return list(payload.get("parts", []))
