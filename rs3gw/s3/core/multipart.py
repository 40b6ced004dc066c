"""What requests about uploads in parts say, and what S3 refuses in them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from rs3gw.s3.core import xml
from rs3gw.s3.core.errors import S3Error
from rs3gw.storage.core import checksums
from rs3gw.storage.core.crc_combine import CRCS
from rs3gw.storage.core.objects import Entry
from rs3gw.storage.core.uploads import COMPOSITE, FULL_OBJECT, PART_NUMBER_MAX, NamedPart

ELEMENTS = {f"Checksum{name.upper()}": name for name in checksums.ALGORITHMS}
CHECKSUM_TYPES = (COMPOSITE, FULL_OBJECT)
_NUMBER = re.compile(r"[0-9]{1,10}")
_RANGE = re.compile(r"bytes=([0-9]{1,19})-([0-9]{1,19})")


@dataclass(frozen=True, slots=True)
class ChecksumChoice:
    """The checksum of an upload: algorithm in lower case and type, both "" for none."""

    algorithm: str = ""
    type: str = ""


def part_number(text: str) -> int:
    """Return the number of a part in a query.

    Raises:
        S3Error: InvalidArgument.
    """
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= PART_NUMBER_MAX:
        raise S3Error("InvalidArgument", "Part number must be an integer between 1 and 10000")
    return int(text)


def checksum_choice(headers: Mapping[str, str]) -> ChecksumChoice:
    """Return the checksum that a new upload asks for.

    Raises:
        S3Error: InvalidRequest: it does not exist, or does not exist of that type.
    """
    algorithm = headers.get("x-amz-checksum-algorithm", "").strip().lower()
    kind = headers.get("x-amz-checksum-type", "").strip().upper()
    if kind and kind not in CHECKSUM_TYPES:
        raise S3Error("InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
    if not algorithm:
        if kind:
            raise S3Error(
                "InvalidRequest",
                "The x-amz-checksum-type header can only be used with the "
                "x-amz-checksum-algorithm header.",
            )
        return ChecksumChoice()
    if algorithm not in checksums.ALGORITHMS:
        known = ", ".join(name.upper() for name in checksums.ALGORITHMS)
        raise S3Error(
            "InvalidRequest", f"Checksum algorithm provided is unsupported. Use one of: {known}."
        )
    refused = ""
    if algorithm == "crc64nvme":
        refused = COMPOSITE
    elif algorithm not in CRCS:
        refused = FULL_OBJECT
    if kind and kind == refused:
        raise S3Error(
            "InvalidRequest",
            f"The {kind} checksum type cannot be used with the {algorithm} checksum algorithm.",
        )
    default = FULL_OBJECT if algorithm == "crc64nvme" else COMPOSITE
    return ChecksumChoice(algorithm, kind or default)


def check_part_algorithms(declared: list[str], upload_algorithm: str) -> None:
    """Refuse a part with another checksum than its upload was begun with.

    Raises:
        S3Error: InvalidRequest.
    """
    if upload_algorithm and declared and upload_algorithm not in declared:
        raise S3Error(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: {upload_algorithm}, "
            f"actual checksum Type: {declared[0]}",
        )


def copy_span(header: str, size_bytes: int) -> tuple[int, int]:
    """Return (first byte, number of bytes) of an x-amz-copy-source-range.

    Raises:
        S3Error: InvalidArgument: it is not of the form; InvalidRange: it exceeds the source.
    """
    match = _RANGE.fullmatch(header.strip())
    if not match or int(match[2]) < int(match[1]):
        raise S3Error(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first "
            "and last are the zero-based offsets of the first and last bytes to copy",
        )
    first, last = int(match[1]), int(match[2])
    if last >= size_bytes:
        raise S3Error(
            "InvalidRange", f"Range specified is not valid for source object of size: {size_bytes}"
        )
    return first, last - first + 1


def parse_complete(body: bytes) -> list[NamedPart]:
    """Return the parts of a CompleteMultipartUpload document.

    Raises:
        S3Error: MalformedXML, or InvalidArgument for numbers out of range.
    """
    root = xml.parse(body)
    xml.expect(root, "CompleteMultipartUpload")
    parts = [_named(part) for part in root.findall("Part")]
    if not 1 <= len(parts) <= PART_NUMBER_MAX:
        raise S3Error("MalformedXML", f"Name 1 to {PART_NUMBER_MAX} parts by their numbers.")
    return parts


def _named(part: Element) -> NamedPart:
    number = (part.findtext("PartNumber") or "").strip()
    etag = part.findtext("ETag")
    if not _NUMBER.fullmatch(number) or etag is None:
        raise S3Error("MalformedXML", "A part has a PartNumber and an ETag.")
    if not 1 <= int(number) <= PART_NUMBER_MAX:
        raise S3Error("InvalidArgument", "PartNumber must be between 1 and 10000")
    found = {name: (part.findtext(element) or "").strip() for element, name in ELEMENTS.items()}
    return NamedPart(
        number=int(number),
        etag=etag.strip().strip('"'),
        checksums={name: value for name, value in found.items() if value},
    )


@dataclass(frozen=True, slots=True)
class Expected:
    """What a client says of the object that an upload becomes.

    Attributes:
        size_bytes: None when it says nothing.
        type: `COMPOSITE`, `FULL_OBJECT` or "".
        checksums: Algorithm to base64 digest.
    """

    size_bytes: int | None
    type: str
    checksums: Mapping[str, str]

    def check(self, entry: Entry, choice: ChecksumChoice) -> None:
        """Compare with the entry that is about to be stored.

        Raises:
            S3Error: InvalidRequest or BadDigest.
        """
        if self.size_bytes is not None and self.size_bytes != entry.size_bytes:
            raise S3Error(
                "InvalidRequest",
                f"The provided 'x-amz-mp-object-size' header value {self.size_bytes} does not "
                f"match what was computed: {entry.size_bytes}",
            )
        if self.type and choice.type and self.type != choice.type:
            raise S3Error(
                "InvalidRequest",
                f"The upload was created using the {choice.type} checksum mode. The complete "
                "request must use the same checksum mode.",
            )
        for name, value in self.checksums.items():
            self._check_one(name, value, entry)

    def _check_one(self, name: str, value: str, entry: Entry) -> None:
        digest, _, count = value.partition("-")
        if not checksums.is_well_formed(name, digest) or (count and not _NUMBER.fullmatch(count)):
            raise S3Error("InvalidRequest", f"Value for x-amz-checksum-{name} header is invalid.")
        computed = entry.checksums.get(name)
        if computed is None:
            raise S3Error(
                "InvalidRequest",
                f"The upload was not begun with the {name} checksum; leave x-amz-checksum-{name} "
                "out.",
            )
        if value not in (computed, computed.partition("-")[0]):
            raise S3Error(
                "BadDigest", f"The {name} you specified did not match the calculated checksum."
            )


def expected_of(headers: Mapping[str, str]) -> Expected:
    """Return what the headers of a CompleteMultipartUpload say of the object.

    Raises:
        S3Error: InvalidRequest.
    """
    size = headers.get("x-amz-mp-object-size", "")
    if size and not re.fullmatch("[0-9]{1,19}", size):
        raise S3Error("InvalidRequest", "Value for x-amz-mp-object-size header is invalid.")
    kind = headers.get("x-amz-checksum-type", "").strip().upper()
    if kind and kind not in CHECKSUM_TYPES:
        raise S3Error("InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
    found = {name: headers.get(f"x-amz-checksum-{name}", "") for name in checksums.ALGORITHMS}
    return Expected(
        int(size) if size else None, kind, {name: text for name, text in found.items() if text}
    )
