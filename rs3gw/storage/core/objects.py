"""What is known about one object version, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage.core.sealed import sealed_size

DEFAULT_CONTENT_TYPE = "binary/octet-stream"
NULL_VERSION = "null"
TEXT_FIELDS = (
    "content_type",
    "cache_control",
    "content_disposition",
    "content_encoding",
    "content_language",
    "expires",
    "storage_class",
    "website_redirect",
    "owner",
)
FACT_FIELDS = ("acl", "lock", "encryption")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectHeaders:
    """What is known of a version beside its bytes.

    Attributes:
        storage_class: A label; all classes are kept alike.
        owner: Canonical id of the account that wrote it; "" for the bucket's owner.
        acl: Access control list as JSON; empty for private.
        lock: `mode` and `until` of its retention, `hold` of a legal hold, where set.
        encryption: How its bodies are encrypted, without a key in clear; empty when they are not.
    """

    content_type: str = DEFAULT_CONTENT_TYPE
    cache_control: str = ""
    content_disposition: str = ""
    content_encoding: str = ""
    content_language: str = ""
    expires: str = ""
    storage_class: str = "STANDARD"
    website_redirect: str = ""
    owner: str = ""
    acl: Mapping[str, Any] = field(default_factory=dict)
    lock: Mapping[str, str] = field(default_factory=dict)
    encryption: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return what differs from its default; metadata and tags apart."""
        texts = {name: getattr(self, name) for name in TEXT_FIELDS}
        facts = {name: dict(getattr(self, name)) for name in FACT_FIELDS}
        return {name: text for name, text in texts.items() if text != getattr(_DEFAULT, name)} | {
            name: fact for name, fact in facts.items() if fact
        }

    @classmethod
    def from_json(
        cls, headers: Mapping[str, Any], metadata: Mapping[str, str], tags: Mapping[str, str]
    ) -> "ObjectHeaders":
        """Return what `to_json` wrote; names that are not ours are left out."""
        known: dict[str, Any] = {n: str(text) for n, text in headers.items() if n in TEXT_FIELDS}
        known |= {name: dict(headers[name]) for name in FACT_FIELDS if name in headers}
        return cls(**known, metadata=dict(metadata), tags=dict(tags))


_DEFAULT = ObjectHeaders()


@dataclass(frozen=True, slots=True, kw_only=True)
class PartInfo:
    """One part of a multipart object: a body of its own, kept as it was uploaded."""

    number: int
    size_bytes: int
    etag: str
    sha256: str
    checksums: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> list[object]:
        """Return a compact JSON array, because objects have up to 10,000 parts."""
        return [self.number, self.size_bytes, self.etag, self.sha256, dict(self.checksums)]

    @classmethod
    def from_json(cls, value: list[object]) -> "PartInfo":
        """Return the part that `to_json` wrote.

        Raises:
            ValueError: The array does not have the five fields.
        """
        number, size_bytes, etag, sha256, checksums = value
        assert isinstance(checksums, dict)
        return cls(
            number=int(str(number)),
            size_bytes=int(str(size_bytes)),
            etag=str(etag),
            sha256=str(sha256),
            checksums={str(name): str(text) for name, text in checksums.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The index entry of one object version: everything about it but its bytes.

    Attributes:
        row_id: Primary key on this node, or None before it is stored.
        version_id: `null` while the bucket is not versioned.
        is_tombstone: A version that was deleted.
        is_delete_marker: A version that says that the key is deleted.
        is_latest: The one that readers see who name no version; known only once it is stored.
        actor: Writer id; with `seq` the dot that names this version everywhere.
        hlc: Hybrid logical timestamp of the write.
        context: What its writer had seen of this key, without its own dot.
        etag: Without quotes.
        sha256: Lower-case hex of the whole body; "" for a multipart object, see `parts`.
        checksums: Algorithm to base64 digest, as declared or computed at upload.
    """

    row_id: int | None = None
    bucket_id: int
    key: str
    version_id: str = NULL_VERSION
    actor: int
    seq: int
    hlc: int
    context: VectorClock = field(default_factory=VectorClock)
    is_tombstone: bool = False
    is_delete_marker: bool = False
    is_latest: bool = True
    etag: str = ""
    sha256: str = ""
    size_bytes: int = 0
    headers: ObjectHeaders = field(default_factory=ObjectHeaders)
    checksums: Mapping[str, str] = field(default_factory=dict)
    checksum_type: str = ""
    parts: tuple[PartInfo, ...] = ()
    last_modified: datetime
    origin_node: str = ""

    def bodies(self) -> tuple[tuple[str, int], ...]:
        """Return (sha256, size in bytes) of each body as it is stored, in order."""
        return tuple((sha256, self.stored_size(size)) for sha256, size in self.contents())

    def contents(self) -> tuple[tuple[str, int], ...]:
        """Return (sha256, size in bytes of what it holds) of each body, in order."""
        if self.parts:
            return tuple((part.sha256, part.size_bytes) for part in self.parts)
        return ((self.sha256, self.size_bytes),) if self.sha256 else ()

    def stored_size(self, size_bytes: int) -> int:
        """Return how many bytes a body of this object takes that holds so many."""
        return sealed_size(size_bytes) if self.headers.encryption else size_bytes
