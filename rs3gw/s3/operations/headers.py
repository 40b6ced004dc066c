"""Headers of objects: from the request that stores them, to the answer that returns them."""

from email.header import decode_header, make_header
from typing import Any
from urllib.parse import parse_qsl, quote

from django.http.response import HttpResponseBase

from rs3gw.s3.core import xml
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.operations.answers import http_date
from rs3gw.s3.request import S3Request, wire_text
from rs3gw.storage.core.objects import DEFAULT_CONTENT_TYPE, Entry, ObjectHeaders, PartInfo

META_PREFIX = "x-amz-meta-"
METADATA_BYTES_MAX = 2048
OBJECT_TAGS_MAX = 10
SYSTEM_HEADERS = {
    "cache_control": "cache-control",
    "content_disposition": "content-disposition",
    "content_language": "content-language",
    "expires": "expires",
    "website_redirect": "x-amz-website-redirect-location",
}
LOCK_HEADERS = {
    "mode": "x-amz-object-lock-mode",
    "until": "x-amz-object-lock-retain-until-date",
    "hold": "x-amz-object-lock-legal-hold",
}
OVERRIDES = {
    "response-content-type": "Content-Type",
    "response-content-language": "Content-Language",
    "response-expires": "Expires",
    "response-cache-control": "Cache-Control",
    "response-content-disposition": "Content-Disposition",
    "response-content-encoding": "Content-Encoding",
}
STORAGE_CLASSES = frozenset(
    {
        "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING",
        "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR", "EXPRESS_ONEZONE", "OUTPOSTS", "SNOW",
    }
)  # fmt: skip


def object_headers(request: S3Request) -> ObjectHeaders:
    """Return what a request says about the object that it stores.

    Raises:
        S3Error: Metadata or tags exceed their limits, or the storage class does not exist.
    """
    headers = request.headers
    storage_class = headers.get("x-amz-storage-class", "STANDARD")
    if storage_class not in STORAGE_CLASSES:
        raise S3Error("InvalidArgument", "The storage class you specified is not valid")
    encodings = [item.strip() for item in headers.get("content-encoding", "").split(",")]
    kept = [item for item in encodings if item and item.lower() != "aws-chunked"]
    system: dict[str, Any] = {
        name: wire_text(headers.get(header, "")) for name, header in SYSTEM_HEADERS.items()
    }
    return ObjectHeaders(
        content_type=wire_text(headers.get("content-type", "")) or DEFAULT_CONTENT_TYPE,
        content_encoding=",".join(kept),
        storage_class=storage_class,
        metadata=_metadata(request),
        tags=request_tags(request),
        **system,
    )


def _metadata(request: S3Request) -> dict[str, str]:
    found = {
        name[len(META_PREFIX) :]: _plain(wire_text(value))
        for name, value in request.headers.items()
        if name.startswith(META_PREFIX)
    }
    size_bytes = sum(len(name.encode()) + len(value.encode()) for name, value in found.items())
    if size_bytes > METADATA_BYTES_MAX:
        raise S3Error(
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size of 2048 bytes.",
        )
    return found


def _plain(value: str) -> str:
    raw = value.encode("utf-8", "surrogateescape")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        # Old clients send ISO 8859-1, as HTTP/1.1 first had it.
        text = raw.decode("latin-1")
    if not text.startswith("=?"):
        return text
    try:
        return str(make_header(decode_header(text)))
    except (LookupError, ValueError):
        return text


def request_tags(request: S3Request) -> dict[str, str]:
    """Return the tags of an x-amz-tagging header."""
    text = request.headers.get("x-amz-tagging", "")
    pairs = parse_qsl(text, keep_blank_values=True)
    return xml.check_tags(pairs, tags_max=OBJECT_TAGS_MAX)


def _wire(value: str) -> str:
    """Return a header value that can be sent: ASCII, or RFC 2047 as S3 returns it."""
    clean = value.replace("\r", " ").replace("\n", " ")
    if clean.isascii():
        return clean
    return f"=?UTF-8?Q?{quote(clean, safe='').replace('%', '=')}?="


def describe(response: HttpResponseBase, entry: Entry) -> None:
    """Set the headers that describe an object on its answer."""
    headers = entry.headers
    response["Content-Type"] = _wire(headers.content_type)
    response["ETag"] = f'"{entry.etag}"'
    response["Last-Modified"] = http_date(entry.last_modified)
    response["Accept-Ranges"] = "bytes"
    optional = {
        "Cache-Control": headers.cache_control,
        "Content-Disposition": headers.content_disposition,
        "Content-Encoding": headers.content_encoding,
        "Content-Language": headers.content_language,
        "Expires": headers.expires,
        "x-amz-website-redirect-location": headers.website_redirect,
    }
    for name, value in optional.items():
        if value:
            response[name] = _wire(value)
    if headers.storage_class != "STANDARD":
        response["x-amz-storage-class"] = headers.storage_class
    for name, value in headers.metadata.items():
        response[META_PREFIX + name] = _wire(value)
    for name, header in LOCK_HEADERS.items():
        if headers.lock.get(name):
            response[header] = headers.lock[name]
    if headers.tags:
        response["x-amz-tagging-count"] = str(len(headers.tags))


def describe_checksums(
    response: HttpResponseBase, entry: Entry, part: PartInfo | None = None
) -> None:
    """Set the headers of an object's checksums, or of those of one of its parts."""
    checksums = entry.checksums if part is None else part.checksums
    for algorithm, value in checksums.items():
        response[f"x-amz-checksum-{algorithm}"] = value
    if checksums and entry.checksum_type:
        response["x-amz-checksum-type"] = entry.checksum_type


def apply_overrides(response: HttpResponseBase, request: S3Request) -> None:
    """Let `response-*` parameters replace headers, as presigned links do."""
    for parameter, header in OVERRIDES.items():
        if parameter in request.query:
            response[header] = _wire(request.query[parameter])
