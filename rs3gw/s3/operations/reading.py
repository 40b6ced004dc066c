"""Operations that read objects."""

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from replication import services
from rs3gw.s3 import encryption
from rs3gw.s3.auth import Identity
from rs3gw.s3.core import xml
from rs3gw.s3.core.conditions import check_read
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.ranges import parse_range
from rs3gw.s3.lifecycle import labelled
from rs3gw.s3.operations.answers import empty, http_date, xml_answer
from rs3gw.s3.operations.buckets import bucket_of
from rs3gw.s3.operations.headers import apply_overrides, describe, describe_checksums
from rs3gw.s3.operations.lifecycle import describe_expiration
from rs3gw.s3.operations.versions import describe_found_version, entry_of
from rs3gw.s3.request import S3Request
from rs3gw.storage.core.objects import Entry

OBJECT_ATTRIBUTES = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})


def get_object(request: S3Request, caller: Identity) -> HttpResponseBase:
    """GetObject."""
    return _answer(request, entry_of(request), with_body=True)


def head_object(request: S3Request, caller: Identity) -> HttpResponseBase:
    """HeadObject."""
    return _answer(request, entry_of(request), with_body=False)


def _answer(request: S3Request, entry: Entry, *, with_body: bool) -> HttpResponseBase:
    if not check_read(request.headers, etag=entry.etag, last_modified=entry.last_modified):
        response: HttpResponseBase = empty(304)
        describe(response, entry)
        describe_found_version(response, bucket_of(request), entry.version_id)
        del response["Content-Type"]
        return response
    encryption.refuse_on_read(request.headers)
    key = encryption.key_for(entry, request.headers)
    span = _span(request, entry)
    start, length = span or (0, entry.size_bytes)
    if with_body and length:
        response = _with_bytes(request, entry, (start, length), key)
    else:
        response = HttpResponse()
    describe(response, labelled(bucket_of(request), [entry])[0])
    describe_found_version(response, bucket_of(request), entry.version_id)
    describe_expiration(response, bucket_of(request), entry)
    encryption.describe(response, entry.headers.encryption)
    if entry.parts and "partNumber" in request.query:
        response["x-amz-mp-parts-count"] = str(len(entry.parts))
    response["Content-Length"] = str(length)
    wants_checksums = request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"
    if wants_checksums and span is None:
        # A checksum is of the whole object; clients compare it with what they receive.
        describe_checksums(response, entry)
    if span is not None:
        response.status_code = 206
        response["Content-Range"] = f"bytes {start}-{start + length - 1}/{entry.size_bytes}"
    apply_overrides(response, request)
    return response


def _with_bytes(
    request: S3Request, entry: Entry, span: tuple[int, int], key: bytes | None
) -> HttpResponseBase:
    """Return an answer with a range of an object; the kernel sends what is one local file."""
    slice_of = request.environ.get("rs3gw.file_slice")
    file = services.local_file(entry) if slice_of is not None else None
    if file is None or slice_of is None:
        return StreamingHttpResponse(services.open_body(entry, *span, key=key))
    response = HttpResponse()
    response.file_to_stream = slice_of(file, *span)  # type: ignore[attr-defined]
    response._resource_closers.append(file.close)  # type: ignore[attr-defined]
    return response


def _span(request: S3Request, entry: Entry) -> tuple[int, int] | None:
    part = request.query.get("partNumber")
    if part is not None:
        if "range" in request.headers:
            raise S3Error("InvalidRequest", "Cannot specify both Range header and partNumber")
        return _part_span(part, entry)
    header = request.headers.get("range")
    return None if header is None else parse_range(header, entry.size_bytes)


def _part_span(part: str, entry: Entry) -> tuple[int, int] | None:
    if not part.isascii() or not part.isdigit() or int(part) < 1:
        raise S3Error("InvalidArgument", "Part number must be an integer between 1 and 10000")
    if not entry.parts:
        if int(part) == 1:
            return (0, entry.size_bytes) if entry.size_bytes else None
        raise S3Error("InvalidPartNumber", "The requested partnumber is not satisfiable")
    start = 0
    for info in entry.parts:
        if info.number == int(part):
            return start, info.size_bytes
        start += info.size_bytes
    raise S3Error("InvalidPartNumber", "The requested partnumber is not satisfiable")


def get_attributes(request: S3Request, caller: Identity) -> HttpResponse:
    """GetObjectAttributes."""
    entry = entry_of(request)
    encryption.key_for(entry, request.headers)
    wanted = {
        name.strip()
        for name in request.headers.get("x-amz-object-attributes", "").split(",")
        if name.strip()
    }
    if not wanted or wanted - OBJECT_ATTRIBUTES:
        raise S3Error("InvalidArgument", "Invalid attribute name specified.")
    found = {
        "ETag": xml.tag("ETag", entry.etag),
        "Checksum": _checksum_element(entry),
        "ObjectParts": _parts_element(request, entry),
        "StorageClass": xml.tag("StorageClass", entry.headers.storage_class),
        "ObjectSize": xml.tag("ObjectSize", entry.size_bytes),
    }
    named = [element for name, element in found.items() if name in wanted]
    response = xml_answer(xml.document("GetObjectAttributesResponse", *named))
    response["Last-Modified"] = http_date(entry.last_modified)
    describe_found_version(response, bucket_of(request), entry.version_id)
    return response


def _checksum_element(entry: Entry) -> str:
    if not entry.checksums:
        return ""
    values = "".join(
        xml.tag(f"Checksum{name.upper()}", value.rpartition("-")[0] or value)
        for name, value in entry.checksums.items()
    )
    return f"<Checksum>{values}{xml.tag('ChecksumType', entry.checksum_type)}</Checksum>"


def _parts_element(request: S3Request, entry: Entry) -> str:
    if not entry.parts:
        return ""
    limit = _header_number(request, "x-amz-max-parts", 1000)
    after = _header_number(request, "x-amz-part-number-marker", 0)
    behind = [part for part in entry.parts if part.number > after]
    shown = behind[: min(limit, 1000)]
    # S3 lists the parts themselves only where they have checksums.
    listed = "".join(
        f"<Part>{xml.tag('PartNumber', part.number)}{xml.tag('Size', part.size_bytes)}"
        + "".join(xml.tag(f"Checksum{n.upper()}", v) for n, v in part.checksums.items())
        + "</Part>"
        for part in shown
        if part.checksums
    )
    more = xml.tag("NextPartNumberMarker", shown[-1].number) if shown else ""
    return (
        f"<ObjectParts>{xml.tag('PartsCount', len(entry.parts))}"
        f"{xml.tag('PartNumberMarker', after)}{more}{xml.tag('MaxParts', min(limit, 1000))}"
        f"{xml.tag('IsTruncated', str(len(behind) > len(shown)).lower())}{listed}</ObjectParts>"
    )


def _header_number(request: S3Request, name: str, default: int) -> int:
    text = request.headers.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit():
        raise S3Error("InvalidArgument", f"{name} is not a whole number.")
    return int(text)
