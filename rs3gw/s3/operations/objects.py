"""Operations that write and delete objects."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import unquote_to_bytes

from django.http import HttpResponse

from replication import services
from rs3gw.common.errors import Rs3gwError
from rs3gw.s3.auth import Identity
from rs3gw.s3.body import read_document, receive
from rs3gw.s3.core import names, xml
from rs3gw.s3.core.conditions import check_read, check_write
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.operations.answers import empty, iso, xml_answer
from rs3gw.s3.operations.buckets import bucket_of
from rs3gw.s3.operations.headers import describe_checksums, object_headers, request_tags
from rs3gw.s3.request import S3Request
from rs3gw.storage import selectors
from rs3gw.storage.core.objects import Entry, ObjectHeaders
from rs3gw.storage.errors import NoSuchKey

WRITE_CONDITIONS = frozenset({"if-match", "if-none-match"})


def write_condition(request: S3Request) -> Callable[[Entry | None], None] | None:
    """Return what a write demands of the version it replaces, or None."""
    if not WRITE_CONDITIONS & request.headers.keys():
        return None

    def check(current: Entry | None) -> None:
        check_write(request.headers, current_etag=None if current is None else current.etag)

    return check


def put_object(request: S3Request, caller: Identity) -> HttpResponse:
    """PutObject."""
    bucket = bucket_of(request)
    headers = object_headers(request)
    condition = write_condition(request)
    if condition is not None:
        condition(selectors.find_entry(bucket, request.target.key))
    services.preflight()
    body = receive(request, caller)
    entry = services.put_object(
        bucket=bucket, key=request.target.key, body=body, headers=headers, condition=condition
    )
    response = empty()
    response["ETag"] = f'"{entry.etag}"'
    describe_checksums(response, entry)
    return response


def source_entry(request: S3Request) -> Entry:
    """Return the version that a copy reads.

    Raises:
        S3Error: The source is malformed, or its conditions do not hold.
        NoSuchBucket, NoSuchKey: It does not exist.
    """
    source = request.headers["x-amz-copy-source"]
    path, _, query = source.partition("?")
    if query and query != "versionId=null":
        raise S3Error("NoSuchVersion", "The specified version does not exist.")
    try:
        # S3 takes a plus for a space here, unlike in a path.
        text = unquote_to_bytes(path.removeprefix("/").replace("+", " ")).decode()
    except UnicodeDecodeError:
        text = ""
    bucket_name, _, key = text.partition("/")
    if not bucket_name or not key:
        raise S3Error("InvalidArgument", "Copy Source must mention the source bucket and key.")
    names.check_key(key)
    entry = selectors.find_entry(selectors.get_bucket(bucket_name), key)
    if entry is None:
        raise NoSuchKey
    is_sent = check_read(
        request.headers,
        etag=entry.etag,
        last_modified=entry.last_modified,
        prefix="x-amz-copy-source-",
    )
    if not is_sent:
        raise S3Error("PreconditionFailed", "The conditions on the copy source do not hold.")
    return entry


def _directive(request: S3Request, name: str) -> bool:
    """Return whether a copy replaces what `name` stands for."""
    value = request.headers.get(name, "COPY").upper()
    if value not in ("COPY", "REPLACE"):
        raise S3Error("InvalidArgument", f"Unknown {name}.")
    return value == "REPLACE"


def _copied_headers(request: S3Request, source: Entry) -> ObjectHeaders:
    given = object_headers(request)
    base = given if _directive(request, "x-amz-metadata-directive") else source.headers
    replaces_tags = _directive(request, "x-amz-tagging-directive")
    tags = request_tags(request) if replaces_tags else source.headers.tags
    return replace(base, tags=tags, storage_class=given.storage_class)


def copy_object(request: S3Request, caller: Identity) -> HttpResponse:
    """CopyObject."""
    bucket = bucket_of(request)
    source = source_entry(request)
    headers = _copied_headers(request, source)
    is_self = source.bucket_id == bucket.pk and source.key == request.target.key
    if is_self and headers == source.headers:
        raise S3Error(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself "
            "without changing its metadata, storage class or tags.",
        )
    services.preflight()
    entry = services.copy_object(
        bucket=bucket,
        key=request.target.key,
        source=source,
        headers=headers,
        condition=write_condition(request),
    )
    tag = f'"{entry.etag}"'
    body = xml.document(
        "CopyObjectResult", xml.tag("LastModified", iso(entry.last_modified)), xml.tag("ETag", tag)
    )
    return xml_answer(body)


def delete_object(request: S3Request, caller: Identity) -> HttpResponse:
    """DeleteObject: 204 whether or not there was one."""
    bucket = bucket_of(request)
    services.preflight()
    services.delete_object(
        bucket=bucket,
        key=request.target.key,
        version_id=request.query.get("versionId"),
        condition=write_condition(request),
    )
    return empty(204)


def delete_objects(request: S3Request, caller: Identity) -> HttpResponse:
    """DeleteObjects: up to a thousand, each with its own outcome."""
    bucket = bucket_of(request)
    has_digest = "content-md5" in request.headers or any(
        name.startswith("x-amz-checksum-") or name == "x-amz-trailer" for name in request.headers
    )
    if not has_digest:
        raise S3Error("InvalidRequest", "Missing required header for this request: Content-MD5")
    items, is_quiet = xml.parse_delete(read_document(request, caller))
    services.preflight()
    results = []
    for key, version_id in items:
        try:
            names.check_key(key)
            services.delete_object(bucket=bucket, key=key, version_id=version_id)
        except Rs3gwError as error:
            results.append(
                f"<Error>{xml.tag('Key', key)}{xml.tag('Code', error.code)}"
                f"{xml.tag('Message', error.message)}</Error>"
            )
        else:
            if not is_quiet:
                results.append(f"<Deleted>{xml.tag('Key', key)}</Deleted>")
    return xml_answer(xml.document("DeleteResult", *results))
