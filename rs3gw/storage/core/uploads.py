"""Uploads in parts, as values: what several nodes know of one upload, joined."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rs3gw.storage.core import checksums
from rs3gw.storage.core.crc_combine import CRCS, combine_all
from rs3gw.storage.core.objects import PartInfo

PART_NUMBER_MAX = 10_000
FULL_OBJECT = "FULL_OBJECT"
COMPOSITE = "COMPOSITE"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedPart:
    """One part as a node took it in.

    Attributes:
        node_id: The node at which it arrived.
        uploaded_ms: When, in milliseconds since 1970 by that node's clock.
    """

    number: int
    size_bytes: int
    etag: str
    sha256: str
    checksums: Mapping[str, str] = field(default_factory=dict)
    node_id: str
    uploaded_ms: int

    def to_json(self) -> list[object]:
        """Return a compact JSON array, because uploads have up to 10,000 parts."""
        return [
            self.number,
            self.size_bytes,
            self.etag,
            self.sha256,
            dict(self.checksums),
            self.node_id,
            self.uploaded_ms,
        ]

    @classmethod
    def from_json(cls, value: object) -> "UploadedPart":
        """Return the part that `to_json` wrote.

        Raises:
            ValueError: It is not one.
        """
        if not isinstance(value, list) or len(value) < 7 or not isinstance(value[4], dict):
            raise ValueError("a part has seven fields")
        number = int(value[0])
        if not 1 <= number <= PART_NUMBER_MAX:
            raise ValueError("a part has a number from 1 to 10,000")
        return cls(
            number=number,
            size_bytes=int(value[1]),
            etag=str(value[2]),
            sha256=str(value[3]),
            checksums={str(name): str(text) for name, text in value[4].items()},
            node_id=str(value[5]),
            uploaded_ms=int(value[6]),
        )

    def info(self) -> PartInfo:
        """Return the part as an object's index entry has it."""
        return PartInfo(
            number=self.number,
            size_bytes=self.size_bytes,
            etag=self.etag,
            sha256=self.sha256,
            checksums=self.checksums,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPart:
    """One part as the client names it to complete an upload.

    Attributes:
        etag: Without quotes.
        checksums: Algorithm to base64 digest, as far as the client gives them.
    """

    number: int
    etag: str
    checksums: Mapping[str, str] = field(default_factory=dict)


def by_number(parts: Iterable[UploadedPart]) -> dict[int, list[UploadedPart]]:
    """Return the parts of each number, the one that counts first.

    The part that was uploaded last counts; of two at the same millisecond, the one of the node
    whose name is greater.
    """
    found: dict[int, list[UploadedPart]] = {}
    for part in parts:
        found.setdefault(part.number, []).append(part)
    for same_number in found.values():
        same_number.sort(key=lambda part: (part.uploaded_ms, part.node_id), reverse=True)
    return found


def pick(named: NamedPart, candidates: Sequence[UploadedPart]) -> UploadedPart | None:
    """Return the part that a client means, or None when nobody has it.

    The client was given the entity tag by the node that took the part in. Where nodes' clocks
    disagree about which part of a number is the last, that tag knows better.
    """
    return next((part for part in candidates if part.etag == named.etag), None)


def object_checksums(
    parts: Sequence[PartInfo], algorithm: str, checksum_type: str
) -> dict[str, str]:
    """Return the checksum of an object from those of its parts, {} when one of them has none.

    Args:
        parts: In the order of their bytes.
        algorithm: One of S3's, "" for none.
        checksum_type: `COMPOSITE`, or `FULL_OBJECT` for a CRC.
    """
    values = [part.checksums.get(algorithm, "") for part in parts]
    if not algorithm or not parts or not all(values):
        return {}
    digests = [base64.b64decode(value) for value in values]
    if checksum_type == FULL_OBJECT and algorithm in CRCS:
        sizes = [part.size_bytes for part in parts]
        numbers = [int.from_bytes(digest, "big") for digest in digests]
        whole = combine_all(algorithm, zip(numbers, sizes, strict=True))
        size_bytes = checksums.DIGEST_BYTES[algorithm]
        return {algorithm: base64.b64encode(whole.to_bytes(size_bytes, "big")).decode()}
    hasher = checksums.new_hasher(algorithm)
    for digest in digests:
        hasher.update(digest)
    return {algorithm: f"{hasher.base64()}-{len(parts)}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadQuery:
    """Which uploads a listing asks for.

    Attributes:
        prefix: Only keys that start with it.
        delimiter: Groups keys up to its first occurrence after the prefix; "" for no groups.
        key_marker: Only keys and groups after it.
        id_marker: With it, uploads of the marker's key itself that come after it.
        limit: Most uploads and groups together; >= 0.
    """

    prefix: str = ""
    delimiter: str = ""
    key_marker: str = ""
    id_marker: str = ""
    limit: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedUpload:
    """One upload of a listing."""

    key: str
    upload_id: str
    owner: str
    initiated_ms: int
    storage_class: str = "STANDARD"
    checksum_algorithm: str = ""
    checksum_type: str = ""

    def to_json(self) -> list[object]:
        """Return a JSON array."""
        return [
            self.key,
            self.upload_id,
            self.owner,
            self.initiated_ms,
            self.storage_class,
            self.checksum_algorithm,
            self.checksum_type,
        ]

    @classmethod
    def from_json(cls, value: object) -> "ListedUpload":
        """Return the upload that `to_json` wrote.

        Raises:
            ValueError: It is not one.
        """
        if not isinstance(value, list) or len(value) < 7:
            raise ValueError("a listed upload has seven fields")
        return cls(
            key=str(value[0]),
            upload_id=str(value[1]),
            owner=str(value[2]),
            initiated_ms=int(value[3]),
            storage_class=str(value[4]),
            checksum_algorithm=str(value[5]),
            checksum_type=str(value[6]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPage:
    """A page of a listing of uploads.

    Attributes:
        next_key: The last key or group of the page, where it is truncated.
        next_id: The last upload of that key; "" behind a group.
    """

    uploads: tuple[ListedUpload, ...] = ()
    groups: tuple[str, ...] = ()
    is_truncated: bool = False
    next_key: str = ""
    next_id: str = ""


def join_pages(
    pages: Iterable[tuple[Sequence[ListedUpload], Sequence[str]]], limit: int
) -> UploadPage:
    """Return the first `limit` uploads and groups of several nodes' lists.

    Args:
        pages: Each node's first `limit + 1` uploads and groups behind one marker.
        limit: >= 0.
    """
    items: dict[tuple[str, str], ListedUpload | None] = {}
    for uploads, groups in pages:
        items |= {(upload.key, upload.upload_id): upload for upload in uploads}
        items |= {(group, ""): None for group in groups}
    shown = sorted(items)[:limit]
    is_truncated = bool(shown) and len(items) > limit
    last = shown[-1] if is_truncated else ("", "")
    return UploadPage(
        uploads=tuple(upload for place in shown if (upload := items[place]) is not None),
        groups=tuple(key for key, upload_id in shown if not upload_id),
        is_truncated=is_truncated,
        next_key=last[0],
        next_id=last[1],
    )
