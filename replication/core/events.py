"""Replication events: what changed, as it stands in the log and on the wire.

An event's identity is its dot `(actor, seq)`. Its wire form carries a schema number; a kind or a
schema that a node does not know is refused with `UnknownEventKind`, so that the sender keeps the
event until the node has been upgraded, and never skips it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from rs3gw.common.hlc import physical_ms
from rs3gw.common.vector_clock import VectorClock

SCHEMA = 1
TEXT_MAX_CHARS = 4096
VIA_MAX = 32
# JSON can spell one surrogate of a pair; no database and no encoder takes it.
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


class EventKind(StrEnum):
    """What kind of change an event reports; the specification's eight come first."""

    PUT_OBJECT = "put_object"
    DELETE_OBJECT = "delete_object"
    CREATE_BUCKET = "create_bucket"
    DELETE_BUCKET = "delete_bucket"
    PUT_BUCKET_POLICY = "put_bucket_policy"
    DELETE_BUCKET_POLICY = "delete_bucket_policy"
    PUT_BUCKET_TAGGING = "put_bucket_tagging"
    DELETE_BUCKET_TAGGING = "delete_bucket_tagging"
    PUT_DELETE_MARKER = "put_delete_marker"
    DELETE_OBJECT_VERSION = "delete_object_version"
    PUT_OBJECT_TAGGING = "put_object_tagging"
    PUT_OBJECT_ACL = "put_object_acl"
    PUT_OBJECT_RETENTION = "put_object_retention"
    PUT_OBJECT_LEGAL_HOLD = "put_object_legal_hold"
    PUT_BUCKET_SETTING = "put_bucket_setting"
    DELETE_BUCKET_SETTING = "delete_bucket_setting"
    PUT_REGISTER = "put_register"
    DELETE_REGISTER = "delete_register"


class MalformedEvent(ValueError):
    """An event on the wire lacks a field, or a field has the wrong form."""


class UnknownEventKind(MalformedEvent):
    """An event is of a kind or schema that this node does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationEvent:
    """One change.

    Attributes:
        kind: What changed.
        bucket: Name of the bucket, "" for a control-plane change.
        key: Key of the object; scope and name of a register.
        actor: Writer id; 0 before the event is stamped.
        seq: Number among the writer's changes, from 1.
        hlc: Hybrid logical timestamp.
        context: What the writer had seen of the key, without this event.
        via: Nodes that passed the event on.
        body_sha256: Name of the body; "" when there is none or the object has parts.
    """

    kind: EventKind
    bucket: str = ""
    key: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)
    event_id: str = ""
    actor: int = 0
    seq: int = 0
    hlc: int = 0
    origin_node: str = ""
    origin_region: str = ""
    via: tuple[str, ...] = ()
    bucket_incarnation: str = ""
    version_id: str = ""
    context: VectorClock = field(default_factory=VectorClock)
    schema: int = SCHEMA
    body_sha256: str = ""
    body_size_bytes: int = 0
    created_at_ms: int = 0

    @classmethod
    def put_object(
        cls,
        *,
        bucket: str,
        key: str,
        etag: str,
        size: int,
        content_type: str = "binary/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> "ReplicationEvent":
        """Return the event of a stored object; `size` in bytes."""
        payload = {
            "etag": etag,
            "size": size,
            "content_type": content_type,
            "metadata": dict(metadata or {}),
        }
        kind = EventKind.PUT_OBJECT
        return cls(kind=kind, bucket=bucket, key=key, payload=payload, body_size_bytes=size)

    @classmethod
    def delete_object(cls, *, bucket: str, key: str) -> "ReplicationEvent":
        """Return the event of a deleted object."""
        return cls(kind=EventKind.DELETE_OBJECT, bucket=bucket, key=key)

    @classmethod
    def create_bucket(cls, *, bucket: str) -> "ReplicationEvent":
        """Return the event of a created bucket."""
        return cls(kind=EventKind.CREATE_BUCKET, bucket=bucket)

    @classmethod
    def delete_bucket(cls, *, bucket: str) -> "ReplicationEvent":
        """Return the event of a deleted bucket."""
        return cls(kind=EventKind.DELETE_BUCKET, bucket=bucket)

    @classmethod
    def put_bucket_policy(cls, *, bucket: str, policy: str) -> "ReplicationEvent":
        """Return the event of a bucket policy that was set."""
        return cls(kind=EventKind.PUT_BUCKET_POLICY, bucket=bucket, payload={"policy": policy})

    @classmethod
    def delete_bucket_policy(cls, *, bucket: str) -> "ReplicationEvent":
        """Return the event of a bucket policy that was removed."""
        return cls(kind=EventKind.DELETE_BUCKET_POLICY, bucket=bucket)

    @classmethod
    def put_bucket_tagging(cls, *, bucket: str, tags: str) -> "ReplicationEvent":
        """Return the event of bucket tags that were set."""
        return cls(kind=EventKind.PUT_BUCKET_TAGGING, bucket=bucket, payload={"tags": tags})

    @classmethod
    def delete_bucket_tagging(cls, *, bucket: str) -> "ReplicationEvent":
        """Return the event of bucket tags that were removed."""
        return cls(kind=EventKind.DELETE_BUCKET_TAGGING, bucket=bucket)

    def stamped(
        self, *, actor: int, seq: int, hlc: int, context: VectorClock, event_id: str = ""
    ) -> "ReplicationEvent":
        """Return the event with its identity and time: the dot (actor, seq >= 1) and `hlc`."""
        return replace(
            self,
            actor=actor,
            seq=seq,
            hlc=hlc,
            context=context,
            event_id=event_id or self.event_id,
            created_at_ms=physical_ms(hlc),
        )

    def forwarded(self, node_id: str) -> "ReplicationEvent":
        """Return the event as a node passes it on: the same dot, and that node in `via`."""
        return replace(self, via=(*self.via, node_id)[-VIA_MAX:])

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object of this event; fields at their default are left out."""
        wire: dict[str, Any] = {
            "schema": self.schema,
            "kind": str(self.kind),
            "id": self.event_id,
            "actor": self.actor,
            "seq": self.seq,
            "hlc": self.hlc,
            "node": self.origin_node,
            "region": self.origin_region,
        }
        optional: dict[str, Any] = {
            "via": list(self.via),
            "bucket": self.bucket,
            "inc": self.bucket_incarnation,
            "key": self.key,
            "version": self.version_id,
            "ctx": self.context.to_json(),
            "sha256": self.body_sha256,
            "size": self.body_size_bytes,
            "payload": dict(self.payload),
        }
        return wire | {name: value for name, value in optional.items() if value}

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> "ReplicationEvent":
        """Return the event that `to_wire` wrote.

        Raises:
            UnknownEventKind: Its kind or schema is not known here.
            MalformedEvent: A field is missing or has the wrong form; the message names it.
        """
        if _number(wire, "schema") != SCHEMA:
            raise UnknownEventKind(f"schema {wire['schema']} is not known here")
        try:
            kind = EventKind(_text(wire, "kind"))
        except ValueError:
            raise UnknownEventKind(f"kind {wire['kind']!r} is not known here") from None
        hlc = _number(wire, "hlc")
        return cls(
            kind=kind,
            event_id=_text(wire, "id"),
            actor=_number(wire, "actor"),
            seq=_number(wire, "seq"),
            hlc=hlc,
            origin_node=_text(wire, "node"),
            origin_region=_text(wire, "region"),
            via=_via(wire),
            bucket=_text(wire, "bucket", ""),
            bucket_incarnation=_text(wire, "inc", ""),
            key=_text(wire, "key", ""),
            version_id=_text(wire, "version", ""),
            context=_context(wire),
            body_sha256=_text(wire, "sha256", ""),
            body_size_bytes=_number(wire, "size", 0),
            payload=_object(wire, "payload"),
            created_at_ms=physical_ms(hlc),
        )


def _text(wire: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = wire.get(name, default)
    if not isinstance(value, str) or len(value) > TEXT_MAX_CHARS:
        raise MalformedEvent(f"{name} is not a text of at most {TEXT_MAX_CHARS} characters")
    if not value.isascii() and _HALF_CHARACTER.search(value):
        raise MalformedEvent(f"{name} holds half a character, which cannot be stored")
    return value


def _number(wire: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = wire.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise MalformedEvent(f"{name} is not a whole number of at most 63 bits")
    return value


def _object(wire: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = wire.get(name, {})
    if not isinstance(value, dict):
        raise MalformedEvent(f"{name} is not an object")
    return value


def _via(wire: Mapping[str, Any]) -> tuple[str, ...]:
    value = wire.get("via", [])
    if not isinstance(value, list) or len(value) > VIA_MAX:
        raise MalformedEvent(f"via is not a list of at most {VIA_MAX} nodes")
    return tuple(str(node) for node in value)


def _context(wire: Mapping[str, Any]) -> VectorClock:
    try:
        return VectorClock.from_json(_object(wire, "ctx"))
    except (TypeError, ValueError, OverflowError):
        raise MalformedEvent("ctx is not an object of whole numbers") from None
