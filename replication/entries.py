"""Index entries as events, and back."""

from collections.abc import Iterable, Mapping
from typing import Any

from replication.core.events import EventKind, ReplicationEvent
from rs3gw.common import clock, hlc, ids
from rs3gw.storage.attributes import VersionDot
from rs3gw.storage.core.attributes import ACL, LEGAL_HOLD, RETENTION, TAGGING, Attribute
from rs3gw.storage.core.objects import (
    DEFAULT_CONTENT_TYPE,
    NULL_VERSION,
    Entry,
    ObjectHeaders,
    PartInfo,
)
from rs3gw.storage.core.sealed import sealed_size
from rs3gw.storage.core.siblings import Stamp
from rs3gw.storage.models import Bucket

OBJECT_KINDS = frozenset(
    {
        EventKind.PUT_OBJECT,
        EventKind.PUT_DELETE_MARKER,
        EventKind.DELETE_OBJECT,
        EventKind.DELETE_OBJECT_VERSION,
    }
)
TOMBSTONE_KINDS = frozenset({EventKind.DELETE_OBJECT, EventKind.DELETE_OBJECT_VERSION})
ATTRIBUTE_KINDS = {
    TAGGING: EventKind.PUT_OBJECT_TAGGING,
    ACL: EventKind.PUT_OBJECT_ACL,
    RETENTION: EventKind.PUT_OBJECT_RETENTION,
    LEGAL_HOLD: EventKind.PUT_OBJECT_LEGAL_HOLD,
}
ATTRIBUTE_NAMES = {kind: name for name, kind in ATTRIBUTE_KINDS.items()}
KEY_KINDS = OBJECT_KINDS | ATTRIBUTE_NAMES.keys()


def entry_event(
    entry: Entry, bucket: Bucket, *, origin_region: str, changes: Iterable[Attribute] = ()
) -> ReplicationEvent:
    """Return the event that reports an index entry, with the entry's own dot and context.

    `changes` are those that the entry has seen since; a copy of the index needs them.
    """
    has_bytes = not entry.is_tombstone and not entry.is_delete_marker
    return ReplicationEvent(
        event_id=ids.uuid7(),
        actor=entry.actor,
        seq=entry.seq,
        hlc=entry.hlc,
        kind=_kind(entry),
        origin_node=entry.origin_node,
        origin_region=origin_region,
        bucket=bucket.name,
        bucket_incarnation=str(bucket.incarnation),
        key=entry.key,
        version_id=entry.version_id,
        context=entry.context,
        body_sha256=entry.sha256,
        body_size_bytes=entry.stored_size(entry.size_bytes) if has_bytes else 0,
        payload=(_payload(entry) if has_bytes else _delete_payload(entry)) | _changes(changes),
        created_at_ms=hlc.physical_ms(entry.hlc),
    )


def _changes(attributes: Iterable[Attribute]) -> dict[str, object]:
    found = [[a.name, dict(a.value), a.stamp.actor, a.stamp.seq, a.stamp.hlc] for a in attributes]
    return {"changes": found} if found else {}


def event_changes(event: ReplicationEvent) -> list[Attribute]:
    """Return the changes that the event of an entry carries along."""
    changes: list[list[Any]] = event.payload.get("changes", [])
    return [
        Attribute(str(name), dict(value), Stamp(int(actor), int(seq), int(stamp)))
        for name, value, actor, seq, stamp in changes
    ]


def _kind(entry: Entry) -> EventKind:
    if entry.is_delete_marker:
        return EventKind.PUT_DELETE_MARKER
    if not entry.is_tombstone:
        return EventKind.PUT_OBJECT
    is_null = entry.version_id == NULL_VERSION
    return EventKind.DELETE_OBJECT if is_null else EventKind.DELETE_OBJECT_VERSION


def _delete_payload(entry: Entry) -> dict[str, object]:
    headers = entry.headers.to_json()
    return {"headers": headers} if headers else {}


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
    headers["content_type"] = str(payload.get("content_type", DEFAULT_CONTENT_TYPE))
    return Entry(
        bucket_id=bucket.pk,
        key=event.key,
        version_id=event.version_id,
        actor=event.actor,
        seq=event.seq,
        hlc=event.hlc,
        context=event.context,
        is_tombstone=event.kind in TOMBSTONE_KINDS,
        is_delete_marker=event.kind == EventKind.PUT_DELETE_MARKER,
        etag=str(payload.get("etag", "")),
        sha256=event.body_sha256,
        size_bytes=int(payload.get("size", event.body_size_bytes)),
        headers=ObjectHeaders.from_json(
            headers, payload.get("metadata", {}), payload.get("tags", {})
        ),
        checksums=payload.get("checksums", {}),
        checksum_type=str(payload.get("checksum_type", "")),
        parts=tuple(PartInfo.from_json(part) for part in payload.get("parts", [])),
        last_modified=clock.from_ms(hlc.physical_ms(event.hlc)),
        origin_node=event.origin_node,
    )


def attribute_event(
    entry: Entry, bucket: Bucket, attribute: Attribute, *, origin_node: str, origin_region: str
) -> ReplicationEvent:
    """Return the event of a change of a version, which is named by its dot.

    The version's tags go along, because rules choose by them.
    """
    stamp = attribute.stamp
    return ReplicationEvent(
        event_id=ids.uuid7(),
        actor=stamp.actor,
        seq=stamp.seq,
        hlc=stamp.hlc,
        kind=ATTRIBUTE_KINDS[attribute.name],
        origin_node=origin_node,
        origin_region=origin_region,
        bucket=bucket.name,
        bucket_incarnation=str(bucket.incarnation),
        key=entry.key,
        version_id=entry.version_id,
        payload={
            "of_actor": entry.actor,
            "of_seq": entry.seq,
            "value": dict(attribute.value),
            "tags": dict(entry.headers.tags),
        },
        created_at_ms=hlc.physical_ms(stamp.hlc),
    )


def event_attribute(event: ReplicationEvent) -> tuple[VersionDot, Attribute]:
    """Return which version an attribute's event is about, and the attribute.

    Raises:
        ValueError: The payload is not that of an attribute.
    """
    payload: Mapping[str, Any] = event.payload
    value = payload.get("value")
    if not isinstance(value, dict):
        raise ValueError("value is not an object")
    stamp = Stamp(event.actor, event.seq, event.hlc)
    version = VersionDot(int(payload["of_actor"]), int(payload["of_seq"]))
    return version, Attribute(ATTRIBUTE_NAMES[event.kind], value, stamp)


def event_bodies(event: ReplicationEvent) -> list[tuple[str, int]]:
    """Return (sha256, size in bytes) of each body that an event's object consists of."""
    if event.kind != EventKind.PUT_OBJECT:
        return []
    parts = [PartInfo.from_json(part) for part in _parts(event.payload)]
    if parts:
        is_sealed = bool(event.payload.get("headers", {}).get("encryption"))
        size_of = sealed_size if is_sealed else int
        return [(part.sha256, size_of(part.size_bytes)) for part in parts]
    return [(event.body_sha256, event.body_size_bytes)] if event.body_sha256 else []


def _parts(payload: Mapping[str, Any]) -> list[list[object]]:
    return list(payload.get("parts", []))
