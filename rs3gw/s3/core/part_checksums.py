"""Checksums of uploads in parts: what may be asked for, and the checksum of the whole.

A composite checksum is the checksum of the parts' checksums, and their number. A checksum of the
full object is combined from those of the parts; only CRCs can be.
"""

import base64
from collections.abc import Mapping, Sequence

from rs3gw.s3.core.errors import S3Error
from rs3gw.storage.core import checksums
from rs3gw.storage.core.crc_combine import ALGORITHMS as COMBINABLE
from rs3gw.storage.core.crc_combine import combine_all
from rs3gw.storage.core.objects import PartInfo

FULL_OBJECT = "FULL_OBJECT"
COMPOSITE = "COMPOSITE"
PREFIX = "x-amz-checksum-"


def wanted(headers: Mapping[str, str]) -> tuple[str, str]:
    """Return algorithm and type that a CreateMultipartUpload asks for; "" and "" for none.

    Raises:
        S3Error: InvalidRequest: there is no such algorithm, or it does not go with the type.
    """
    algorithm = headers.get("x-amz-checksum-algorithm", "").lower()
    kind = headers.get("x-amz-checksum-type", "").upper()
    if not algorithm:
        if kind:
            raise S3Error(
                "InvalidRequest",
                "The x-amz-checksum-type header can only be used with the "
                "x-amz-checksum-algorithm header.",
            )
        return "", ""
    if algorithm not in checksums.ALGORITHMS:
        raise S3Error("InvalidRequest", "Checksum algorithm provided is unsupported.")
    if kind not in ("", FULL_OBJECT, COMPOSITE):
        raise S3Error("InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
    is_full_only, is_parts_only = algorithm == "crc64nvme", algorithm not in COMBINABLE
    kind = kind or (FULL_OBJECT if is_full_only else COMPOSITE)
    if (kind == COMPOSITE and is_full_only) or (kind == FULL_OBJECT and is_parts_only):
        raise S3Error(
            "InvalidRequest",
            f"The {kind} checksum type cannot be used with the {algorithm} checksum algorithm.",
        )
    return algorithm, kind


def check_declared(headers: Mapping[str, str], algorithm: str) -> None:
    """Refuse a part with another checksum than its upload began with.

    Raises:
        S3Error: InvalidRequest.
    """
    given = [name for name in checksums.ALGORITHMS if f"{PREFIX}{name}" in headers]
    trailer = headers.get("x-amz-trailer", "").lower()
    given += [name for name in checksums.ALGORITHMS if f"{PREFIX}{name}" in trailer.split(",")]
    if algorithm and given and algorithm not in given:
        raise S3Error(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: {algorithm}, actual "
            f"checksum Type: {given[0]}",
        )


def check_size(headers: Mapping[str, str], parts: Sequence[PartInfo]) -> None:
    """Refuse a completion whose x-amz-mp-object-size is not that of the parts.

    Raises:
        S3Error: InvalidRequest.
    """
    text = headers.get("x-amz-mp-object-size")
    if text is None:
        return
    total = sum(part.size_bytes for part in parts)
    if not text.isdecimal() or int(text) != total:
        raise S3Error(
            "InvalidRequest",
            "The provided 'x-amz-mp-object-size' header does not match what was uploaded: "
            f"{total}.",
        )


def check_parts(
    algorithm: str, parts: Sequence[PartInfo], named: Sequence[Mapping[str, str]]
) -> None:
    """Refuse a completion that names another checksum of a part than the part has.

    Raises:
        S3Error: InvalidPart.
    """
    for part, given in zip(parts, named, strict=True):
        for name, value in given.items():
            if part.checksums.get(name) != value and (name == algorithm or not algorithm):
                raise S3Error(
                    "InvalidPart",
                    f"The {name.upper()} given of part {part.number} is not the one it has.",
                )


def of_whole(
    algorithm: str, kind: str, parts: Sequence[PartInfo], headers: Mapping[str, str]
) -> tuple[Mapping[str, str], str]:
    """Return the checksum of a complete object by algorithm, and its type.

    Args:
        algorithm: Of the upload; "" for none.
        kind: Type of the upload's checksum.
        parts: In order.
        headers: Of the completion; what they declare must be so.

    Raises:
        S3Error: BadDigest, or InvalidRequest for another type than the upload's.
    """
    declared_kind = headers.get("x-amz-checksum-type", "").upper()
    if declared_kind and kind and declared_kind != kind:
        raise S3Error("InvalidRequest", f"The upload was created with checksum type {kind}.")
    for name in checksums.ALGORITHMS:
        _check_form(name, headers.get(f"{PREFIX}{name}"))
    values = [part.checksums.get(algorithm, "") for part in parts]
    if not algorithm or not all(values):
        return {}, ""
    if kind == FULL_OBJECT:
        sizes = [part.size_bytes for part in parts]
        whole = combine_all(algorithm, zip(values, sizes, strict=True))
    else:
        hasher = checksums.new_hasher(algorithm)
        for value in values:
            hasher.update(base64.b64decode(value))
        whole = f"{hasher.base64()}-{len(values)}"
    declared = headers.get(f"{PREFIX}{algorithm}")
    if declared is not None and declared not in (whole, whole.partition("-")[0]):
        raise S3Error(
            "BadDigest", f"The {algorithm.upper()} you specified did not match what we received."
        )
    return {algorithm: whole}, kind


def _check_form(algorithm: str, declared: str | None) -> None:
    """Refuse a checksum of the whole that cannot be one: digest, and for some a number of parts."""
    if declared is None:
        return
    digest, dash, count = declared.partition("-")
    is_counted = not dash or (count.isascii() and count.isdigit())
    if not (checksums.is_well_formed(algorithm, digest) and is_counted):
        raise S3Error("InvalidRequest", f"Value for {PREFIX}{algorithm} header is invalid.")
