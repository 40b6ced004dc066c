"""Operations that read objects."""

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from replication import services
from rs3gw.s3.auth import Identity
from rs3gw.s3.core import xml
from rs3gw.s3.core.conditions import check_read
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.ranges import parse_range
from rs3gw.s3.operations.answers import empty, private_acl, xml_answer
from rs3gw.s3.operations.buckets import bucket_of
from rs3gw.s3.operations.headers import apply_overrides, describe, describe_checksums
from rs3gw.s3.request import S3Request
from rs3gw.storage import selectors
from rs3gw.storage.core.objects import Entry
from rs3gw.storage.errors import NoSuchKey


def entry_of(request: S3Request) -> Entry:
    """Return the version that a request names.

    Raises:
        NoSuchBucket, NoSuchKey: There is none.
        S3Error: NoSuchVersion.
    """
    bucket = bucket_of(request)
    version_id = request.query.get("versionId")
    if version_id not in (None, "", "null"):
        raise S3Error("NoSuchVersion", "The specified version does not exist.")
    entry = selectors.find_entry(bucket, request.target.key)
    if entry is None:
        raise NoSuchKey
    return entry


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
        del response["Content-Type"]
        return response
    span = _span(request, entry)
    start, length = span or (0, entry.size_bytes)
    if with_body and length:
        response = StreamingHttpResponse(services.open_body(entry, start, length))
    else:
        response = HttpResponse()
    describe(response, entry)
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


def _span(request: S3Request, entry: Entry) -> tuple[int, int] | None:
    part = request.query.get("partNumber")
    if part is not None:
        return _part_span(part, entry)
    header = request.headers.get("range")
    return None if header is None else parse_range(header, entry.size_bytes)


def _part_span(part: str, entry: Entry) -> tuple[int, int] | None:
    if not part.isascii() or not part.isdigit() or int(part) < 1:
        raise S3Error("InvalidArgument", "Part number must be an integer between 1 and 10000")
    if not entry.parts:
        if int(part) == 1:
            return None
        raise S3Error("InvalidRange", "The requested partnumber is not satisfiable")
    start = 0
    for info in entry.parts:
        if info.number == int(part):
            return start, info.size_bytes
        start += info.size_bytes
    raise S3Error("InvalidRange", "The requested partnumber is not satisfiable")


def get_tagging(request: S3Request, caller: Identity) -> HttpResponse:
    """GetObjectTagging."""
    return xml_answer(xml.tag_set(entry_of(request).headers.tags.items()))


def get_acl(request: S3Request, caller: Identity) -> HttpResponse:
    """GetObjectAcl."""
    entry_of(request)
    return private_acl(bucket_of(request).owner)
