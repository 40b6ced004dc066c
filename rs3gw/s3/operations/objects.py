"""Operations that write and delete objects."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import unquote_to_bytes

from django.http import HttpResponse

from replication import services
from rs3gw.common import clock
from rs3gw.common.errors import Rs3gwError
from rs3gw.s3 import encryption
from rs3gw.s3.auth import Identity
from rs3gw.s3.body import read_document, receive
from rs3gw.s3.core import locks, names, xml
from rs3gw.s3.core.conditions import (
    DeleteConditions,
    check_delete,
    check_read,
    check_write,
    delete_conditions,
)
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.operations import access
from rs3gw.s3.operations.answers import empty, iso, xml_answer
from rs3gw.s3.operations.attributes import wants_bypass
from rs3gw.s3.operations.buckets import bucket_of
from rs3gw.s3.operations.headers import describe_checksums, request_tags
from rs3gw.s3.operations.lifecycle import describe_expiration
from rs3gw.s3.operations.making import new_headers
from rs3gw.s3.operations.versions import (
    checked_version,
    describe_version,
    find,
    find_kept,
    version_of,
)
from rs3gw.s3.request import S3Request
from rs3gw.storage import blobs, selectors
from rs3gw.storage.core.objects import Entry, ObjectHeaders
from rs3gw.storage.errors import NoSuchKey

WRITE_CONDITIONS = frozenset({"if-match", "if-none-match"})
NO_SUCH_SOURCE_VERSION = "The specified version does not exist."


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
    sealing = encryption.begin(request.headers, bucket)
    headers = new_headers(request, caller, bucket, sealing)
    condition = write_condition(request)
    services.preflight(bucket)
    if condition is not None:
        services.prepare_condition(bucket, request.target.key)
        condition(selectors.find_entry(bucket, request.target.key))
    body = receive(request, caller, key=sealing.data_key)
    entry = services.put_object(
        bucket=bucket, key=request.target.key, body=body, headers=headers, condition=condition
    )
    response = empty()
    response["ETag"] = f'"{entry.etag}"'
    describe_version(response, bucket, entry.version_id)
    describe_expiration(response, bucket, entry)
    describe_checksums(response, entry)
    encryption.describe(response, entry.headers.encryption)
    return response


def _source_address(request: S3Request, *, plus: str) -> tuple[str, str, str | None]:
    """Return bucket, key and version id of the source of a copy, a plus read as `plus`.

    Raises:
        S3Error: InvalidArgument: the header cannot be read.
    """
    source = request.headers["x-amz-copy-source"]
    path, _, version = source.partition("?versionId=")
    try:
        text = unquote_to_bytes(path.removeprefix("/").replace("+", plus)).decode()
    except UnicodeDecodeError:
        text = ""
    bucket_name, _, key = text.partition("/")
    if not bucket_name or not key:
        raise S3Error("InvalidArgument", "Copy Source must mention the source bucket and key.")
    names.check_key(key)
    return bucket_name, key, checked_version(version or None)


def source_entry(request: S3Request, caller: Identity) -> Entry:
    """Return the version that a copy reads.

    Raises:
        S3Error: The source is malformed, or its conditions do not hold.
        NoSuchBucket, NoSuchKey: It does not exist.
    """
    # S3 takes a plus for a space here, unlike in a path.
    bucket_name, key, version_id = _source_address(request, plus=" ")
    bucket = selectors.get_bucket(bucket_name)
    current = find_kept(request, bucket, key, version_id)
    if current is None and "+" in request.headers["x-amz-copy-source"]:
        # Some clients, minio-js among them, leave the plus of a key as it is.
        _, key, version_id = _source_address(request, plus="+")
        current = find_kept(request, bucket, key, version_id)
    access.require_source(request, caller, access.Target(bucket, key, version_id), current)
    if version_id is not None and current is not None and current.is_delete_marker:
        raise S3Error(
            "InvalidRequest",
            "The source of a copy request may not specifically refer to a "
            "delete marker by version id.",
        )
    entry = find(request, bucket, key, version_id)
    is_sent = check_read(
        request.headers,
        etag=entry.etag,
        last_modified=entry.last_modified,
        prefix="x-amz-copy-source-",
    )
    if not is_sent:
        raise S3Error("PreconditionFailed", "The conditions on the copy source do not hold.")
    request.found["source_bucket"] = bucket
    return entry


def describe_source(response: HttpResponse, request: S3Request, source: Entry) -> None:
    """Name the version that a copy has read."""
    if request.found["source_bucket"].versioning:
        response["x-amz-copy-source-version-id"] = source.version_id


def _directive(request: S3Request, name: str) -> bool:
    """Return whether a copy replaces what `name` stands for."""
    value = request.headers.get(name, "COPY").upper()
    if value not in ("COPY", "REPLACE"):
        raise S3Error("InvalidArgument", f"Unknown {name}.")
    return value == "REPLACE"


def _copied_headers(request: S3Request, source: Entry, given: ObjectHeaders) -> ObjectHeaders:
    base = given if _directive(request, "x-amz-metadata-directive") else source.headers
    replaces_tags = _directive(request, "x-amz-tagging-directive")
    tags = request_tags(request) if replaces_tags else source.headers.tags
    return replace(
        base,
        tags=tags,
        storage_class=given.storage_class,
        owner=given.owner,
        acl=given.acl,
        lock=given.lock,
        encryption=given.encryption,
    )


def _check_self_copy(request: S3Request, source: Entry, headers: ObjectHeaders) -> None:
    """Refuse a copy onto itself that would change nothing."""
    replaces = (
        _directive(request, "x-amz-metadata-directive") or headers.tags != source.headers.tags
    )
    changes = headers.storage_class != source.headers.storage_class or any(
        name.startswith("x-amz-server-side-encryption") or name == "x-amz-website-redirect-location"
        for name in request.headers
    )
    if source.is_latest and not replaces and not changes:
        raise S3Error(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself "
            "without changing the object's metadata, storage class, website redirect location or "
            "encryption attributes.",
        )


def copy_object(request: S3Request, caller: Identity) -> HttpResponse:
    """CopyObject."""
    bucket = bucket_of(request)
    source = source_entry(request, caller)
    sealing = encryption.begin(request.headers, bucket)
    given = new_headers(request, caller, bucket, sealing)
    headers = _copied_headers(request, source, given)
    if source.bucket_id == bucket.pk and source.key == request.target.key:
        _check_self_copy(request, source, headers)
    services.preflight(bucket)
    entry = _store_copy(request, source, headers, sealing)
    tag = f'"{entry.etag}"'
    checksums = [xml.tag(f"Checksum{name.upper()}", v) for name, v in entry.checksums.items()]
    kind = [xml.tag("ChecksumType", entry.checksum_type)] if checksums else []
    body = xml.document(
        "CopyObjectResult",
        xml.tag("LastModified", iso(entry.last_modified)),
        xml.tag("ETag", tag),
        *checksums,
        *kind,
    )
    response = xml_answer(body)
    describe_version(response, bucket, entry.version_id)
    describe_expiration(response, bucket, entry)
    describe_source(response, request, source)
    encryption.describe(response, entry.headers.encryption)
    return response


def _store_copy(
    request: S3Request, source: Entry, headers: ObjectHeaders, sealing: encryption.Sealing
) -> Entry:
    """Store a copy: the same bodies under another key, or their bytes encrypted anew."""
    bucket, key, condition = bucket_of(request), request.target.key, write_condition(request)
    old, new = source.headers.encryption.get("alg"), sealing.description.get("alg")
    source_key = encryption.key_for(source, request.headers, encryption.COPY_SOURCE_CUSTOMER)
    if encryption.CUSTOMER_KIND in (old, new) or (new and not old):
        chunks = services.open_body(source, key=source_key)
        body = blobs.stage(chunks, algorithms=list(source.checksums), key=sealing.data_key)
        return services.put_object(
            bucket=bucket, key=key, body=body, headers=headers, condition=condition
        )
    shared = replace(headers, encryption=source.headers.encryption)
    return services.copy_object(
        bucket=bucket, key=key, source=source, headers=shared, condition=condition
    )


def _delete(
    request: S3Request, key: str, version_id: str | None, conditions: DeleteConditions
) -> services.Deleted:
    """Delete a key or a version of it, if locks and conditions let it."""
    now, bypasses = clock.utcnow(), wants_bypass(request)

    def check(current: Entry | None) -> None:
        _check_conditions(conditions, current)
        if version_id is not None and current is not None and not current.is_delete_marker:
            locks.check_delete(current.headers.lock, now, bypasses=bypasses)

    needs_check = version_id is not None or not conditions.is_empty()
    return services.delete_object(
        bucket=bucket_of(request),
        key=key,
        version_id=version_id,
        condition=check if needs_check else None,
        is_exclusive=not conditions.is_empty(),
    )


def _check_conditions(conditions: DeleteConditions, current: Entry | None) -> None:
    """Refuse a delete that demands what is not so; what is gone has any size and date."""
    if conditions.is_empty():
        return
    if current is None:
        if conditions.etag is not None:
            raise NoSuchKey
        return
    check_delete(
        conditions,
        etag=None if current.is_delete_marker else current.etag,
        last_modified=current.last_modified,
        size_bytes=0 if current.is_delete_marker else current.size_bytes,
    )


def delete_object(request: S3Request, caller: Identity) -> HttpResponse:
    """DeleteObject: 204 whether or not there was one."""
    version_id = version_of(request)
    services.preflight(bucket_of(request))
    deleted = _delete(request, request.target.key, version_id, delete_conditions(request.headers))
    response = empty(204)
    if deleted.version_id is not None:
        response["x-amz-version-id"] = deleted.version_id
    if deleted.is_delete_marker:
        response["x-amz-delete-marker"] = "true"
    return response


def delete_objects(request: S3Request, caller: Identity) -> HttpResponse:
    """DeleteObjects: up to a thousand, each with its own outcome."""
    bucket_of(request)
    has_digest = "content-md5" in request.headers or any(
        name.startswith("x-amz-checksum-") or name == "x-amz-trailer" for name in request.headers
    )
    if not has_digest:
        raise S3Error("InvalidRequest", "Missing required header for this request: Content-MD5")
    items, is_quiet = xml.parse_delete(read_document(request, caller))
    services.preflight(bucket_of(request))
    results = [_delete_one(request, caller, item) for item in items]
    shown = (text for is_error, text in results if is_error or not is_quiet)
    return xml_answer(xml.document("DeleteResult", *shown))


def _delete_one(request: S3Request, caller: Identity, item: xml.DeleteItem) -> tuple[bool, str]:
    """Delete one of many; return whether that failed, and its element of the answer."""
    named = xml.tag("Key", item.key)
    if item.version_id is not None:
        named += xml.tag("VersionId", item.version_id)
    try:
        names.check_key(item.key)
        version_id = checked_version(item.version_id)
        target = access.Target(bucket_of(request), item.key, version_id)
        action = "s3:DeleteObject" if version_id is None else "s3:DeleteObjectVersion"
        access.require(request, caller, action, target)
        deleted = _delete(request, item.key, version_id, item.conditions)
    except Rs3gwError as error:
        failure = f"{xml.tag('Code', error.code)}{xml.tag('Message', error.message)}"
        return True, f"<Error>{named}{failure}</Error>"
    if deleted.is_delete_marker:
        named += xml.tag("DeleteMarker", "true")
        named += xml.tag("DeleteMarkerVersionId", deleted.version_id)
    return False, f"<Deleted>{named}</Deleted>"
