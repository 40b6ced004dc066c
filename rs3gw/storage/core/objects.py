"""What is known about one object version, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rs3gw.common.vector_clock import VectorClock

DEFAULT_CONTENT_TYPE = "binary/octet-stream"
NULL_VERSION = "null"
HEADER_FIELDS = (
    "content_type",
    "cache_control",
    "content_disposition",
    "content_encoding",
    "content_language",
    "expires",
    "storage_class",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectHeaders:
    """What the writer said about an object: returned with it, never interpreted."""

    content_type: str = DEFAULT_CONTENT_TYPE
    cache_control: str = ""
    content_disposition: str = ""
    content_encoding: str = ""
    content_language: str = ""
    expires: str = ""
    storage_class: str = "STANDARD"
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, str]:
        """Return the headers that differ from their default; metadata and tags apart."""
        default = ObjectHeaders()
        values = {name: getattr(self, name) for name in HEADER_FIELDS}
        return {name: text for name, text in values.items() if text != getattr(default, name)}

    @classmethod
    def from_json(
        cls, headers: Mapping[str, str], metadata: Mapping[str, str], tags: Mapping[str, str]
    ) -> "ObjectHeaders":
        """Return what `to_json` wrote; names that are not ours are left out."""
        known = {name: str(text) for name, text in headers.items() if name in HEADER_FIELDS}
        return cls(**known, metadata=dict(metadata), tags=dict(tags))


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
        """Return (sha256, size in bytes) of each body, in the order of their bytes."""
        if self.parts:
            return tuple((part.sha256, part.size_bytes) for part in self.parts)
        return ((self.sha256, self.size_bytes),) if self.sha256 else ()
