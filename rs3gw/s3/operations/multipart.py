"""Uploads in parts."""

import base64

from django.http import HttpResponse

from replication import services
from rs3gw.s3 import encryption
from rs3gw.s3.auth import Identity
from rs3gw.s3.body import read_document, receive
from rs3gw.s3.core import xml
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.ranges import parse_range
from rs3gw.s3.operations.answers import empty, iso, owner_xml, xml_answer
from rs3gw.s3.operations.buckets import bucket_of
from rs3gw.s3.operations.headers import describe_checksums
from rs3gw.s3.operations.listing import encoding_of, number
from rs3gw.s3.operations.making import new_headers
from rs3gw.s3.operations.objects import source_entry, write_condition
from rs3gw.s3.operations.versions import describe_version
from rs3gw.s3.request import S3Request
from rs3gw.storage import blobs, selectors
from rs3gw.storage.core import checksums
from rs3gw.storage.models import MultipartUpload, UploadPart
from rs3gw.storage.services import PART_NUMBER_MAX, choose_parts

PAGE_MAX = 1000


def _upload_of(request: S3Request) -> MultipartUpload:
    return selectors.get_upload(
        bucket_of(request), request.target.key, request.query.get("uploadId", "")
    )


def create(request: S3Request, caller: Identity) -> HttpResponse:
    """CreateMultipartUpload."""
    bucket = bucket_of(request)
    algorithm = request.headers.get("x-amz-checksum-algorithm", "").lower()
    if algorithm and algorithm not in checksums.ALGORITHMS:
        raise S3Error("InvalidRequest", "Checksum algorithm provided is unsupported.")
    sealing = encryption.begin(request.headers, bucket)
    upload = services.create_upload(
        bucket=bucket,
        key=request.target.key,
        headers=new_headers(request, caller, bucket, sealing),
        owner=caller.owner,
        checksum_algorithm=algorithm,
        checksum_type=request.headers.get("x-amz-checksum-type", "COMPOSITE") if algorithm else "",
    )
    body = xml.document(
        "InitiateMultipartUploadResult",
        xml.tag("Bucket", bucket.name),
        xml.tag("Key", upload.key),
        xml.tag("UploadId", upload.upload_id),
    )
    response = xml_answer(body)
    encryption.describe(response, sealing.description)
    if algorithm:
        response["x-amz-checksum-algorithm"] = algorithm.upper()
        response["x-amz-checksum-type"] = upload.checksum_type
    return response


def _part_number(request: S3Request) -> int:
    text = request.query.get("partNumber", "")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= PART_NUMBER_MAX:
        raise S3Error("InvalidArgument", "Part number must be an integer between 1 and 10000")
    return int(text)


def put_part(request: S3Request, caller: Identity) -> HttpResponse:
    """UploadPart."""
    number_ = _part_number(request)
    upload = _upload_of(request)
    sealed = upload.headers.get("encryption", {})
    key = encryption.part_key(sealed, request.headers)
    body = receive(request, caller, key=key)
    part = services.put_part(upload=upload, number=number_, body=body)
    response = empty()
    response["ETag"] = f'"{part.etag}"'
    encryption.describe(response, sealed)
    for algorithm, value in part.checksums.items():
        response[f"x-amz-checksum-{algorithm}"] = value
    return response


def copy_part(request: S3Request, caller: Identity) -> HttpResponse:
    """UploadPartCopy, of a whole object or a range of it."""
    number_ = _part_number(request)
    upload = _upload_of(request)
    source = source_entry(request, caller)
    header = request.headers.get("x-amz-copy-source-range")
    span = None if header is None else parse_range(header, source.size_bytes)
    if header is not None and span is None:
        raise S3Error("InvalidArgument", "The x-amz-copy-source-range must be bytes=first-last.")
    start, length = span or (0, source.size_bytes)
    algorithms = [upload.checksum_algorithm] if upload.checksum_algorithm else []
    source_key = encryption.key_for(source, request.headers, encryption.COPY_SOURCE_CUSTOMER)
    key = encryption.part_key(upload.headers.get("encryption", {}), request.headers)
    chunks = services.open_body(source, start, length, key=source_key)
    body = blobs.stage(chunks, algorithms=algorithms, key=key)
    part = services.put_part(upload=upload, number=number_, body=body)
    return xml_answer(
        xml.document(
            "CopyPartResult",
            xml.tag("LastModified", iso(part.uploaded_at)),
            xml.tag("ETag", f'"{part.etag}"'),
        )
    )


def _composite(upload: MultipartUpload, parts: list[tuple[int, str]]) -> dict[str, str]:
    """Return the checksum of the parts' checksums, when every part has one."""
    algorithm = upload.checksum_algorithm
    if not algorithm or upload.checksum_type != "COMPOSITE":
        return {}
    values = [part.checksums.get(algorithm) for part in choose_parts(upload, parts)]
    if not all(values):
        return {}
    hasher = checksums.new_hasher(algorithm)
    for value in values:
        hasher.update(base64.b64decode(str(value)))
    return {algorithm: f"{hasher.base64()}-{len(values)}"}


def complete(request: S3Request, caller: Identity) -> HttpResponse:
    """CompleteMultipartUpload."""
    upload = _upload_of(request)
    parts = xml.parse_complete(read_document(request, caller))
    services.preflight()
    composite = _composite(upload, parts)
    entry = services.complete_upload(
        upload=upload,
        parts=parts,
        checksums=composite,
        checksum_type="COMPOSITE" if composite else "",
        condition=write_condition(request),
    )
    target = request.target
    body = xml.document(
        "CompleteMultipartUploadResult",
        xml.tag("Location", f"/{target.bucket}/{target.key}"),
        xml.tag("Bucket", target.bucket),
        xml.tag("Key", target.key),
        xml.tag("ETag", f'"{entry.etag}"'),
        *(xml.tag(f"Checksum{name.upper()}", value) for name, value in composite.items()),
    )
    response = xml_answer(body)
    describe_version(response, upload.bucket, entry.version_id)
    encryption.describe(response, entry.headers.encryption)
    describe_checksums(response, entry)
    return response


def abort(request: S3Request, caller: Identity) -> HttpResponse:
    """AbortMultipartUpload."""
    services.abort_upload(upload=_upload_of(request))
    return empty(204)


def list_parts(request: S3Request, caller: Identity) -> HttpResponse:
    """ListParts."""
    upload = _upload_of(request)
    limit = number(request, "max-parts", PAGE_MAX, PAGE_MAX)
    after = number(request, "part-number-marker", 0, 2**31)
    found = selectors.list_parts(upload, after=after, limit=limit)
    shown = found[:limit]
    body = xml.document(
        "ListPartsResult",
        xml.tag("Bucket", request.target.bucket),
        xml.tag("Key", upload.key),
        xml.tag("UploadId", upload.upload_id),
        owner_xml(upload.owner, "Initiator"),
        owner_xml(upload.owner),
        xml.tag("StorageClass", upload.headers.get("storage_class", "STANDARD")),
        xml.tag("PartNumberMarker", after),
        xml.tag("NextPartNumberMarker", shown[-1].number if shown else 0),
        xml.tag("MaxParts", limit),
        xml.tag("IsTruncated", str(len(found) > limit).lower()),
        *map(_part, shown),
    )
    return xml_answer(body)


def _part(part: UploadPart) -> str:
    return (
        f"<Part>{xml.tag('PartNumber', part.number)}"
        f"{xml.tag('LastModified', iso(part.uploaded_at))}"
        f"<ETag>&quot;{part.etag}&quot;</ETag>{xml.tag('Size', part.size_bytes)}</Part>"
    )


def list_uploads(request: S3Request, caller: Identity) -> HttpResponse:
    """ListMultipartUploads."""
    bucket = bucket_of(request)
    query = request.query
    encoding = encoding_of(request)
    limit = number(request, "max-uploads", PAGE_MAX, PAGE_MAX)
    found = selectors.list_uploads(
        bucket,
        prefix=query.get("prefix", ""),
        key_marker=query.get("key-marker", ""),
        id_marker=query.get("upload-id-marker", ""),
        limit=limit,
    )
    shown = found[:limit]
    more = ""
    if len(found) > limit and shown:
        more = f"<NextKeyMarker>{xml.key_text(shown[-1].key, encoding)}</NextKeyMarker>"
        more += xml.tag("NextUploadIdMarker", shown[-1].upload_id)
    body = xml.document(
        "ListMultipartUploadsResult",
        xml.tag("Bucket", bucket.name),
        f"<KeyMarker>{xml.key_text(query.get('key-marker', ''), encoding)}</KeyMarker>",
        xml.tag("UploadIdMarker", query.get("upload-id-marker", "")),
        more,
        f"<Prefix>{xml.key_text(query.get('prefix', ''), encoding)}</Prefix>",
        xml.tag("MaxUploads", limit),
        xml.tag("IsTruncated", str(len(found) > limit).lower()),
        *(_upload(upload, encoding) for upload in shown),
    )
    return xml_answer(body)


def _upload(upload: MultipartUpload, encoding: str) -> str:
    return (
        f"<Upload><Key>{xml.key_text(upload.key, encoding)}</Key>"
        f"{xml.tag('UploadId', upload.upload_id)}{owner_xml(upload.owner, 'Initiator')}"
        f"{owner_xml(upload.owner)}<StorageClass>STANDARD</StorageClass>"
        f"{xml.tag('Initiated', iso(upload.initiated_at))}</Upload>"
    )
