"""Uploads in parts, which may come to any node."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from django.http import HttpResponse

from replication import services
from rs3gw.s3 import encryption
from rs3gw.s3.auth import Identity
from rs3gw.s3.body import CHECKSUM_HEADERS, read_document, receive
from rs3gw.s3.core import part_checksums, xml
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.ranges import parse_part_range
from rs3gw.s3.operations.answers import empty, iso, owner_xml, xml_answer
from rs3gw.s3.operations.buckets import bucket_of
from rs3gw.s3.operations.listing import encoding_of, number
from rs3gw.s3.operations.making import new_headers
from rs3gw.s3.operations.objects import describe_source, source_entry, write_condition
from rs3gw.s3.operations.versions import describe_version
from rs3gw.s3.request import S3Request
from rs3gw.storage import blobs
from rs3gw.storage.core import listing
from rs3gw.storage.core.objects import PartInfo
from rs3gw.storage.errors import NoSuchUpload
from rs3gw.storage.models import MultipartUpload
from rs3gw.storage.uploads import PART_NUMBER_MAX

PAGE_MAX = 1000
# 10,000 parts, each with the longest checksum and generous white space.
COMPLETE_BYTES_MAX = 8 * 2**20
GROUP_END = chr(listing.CODE_POINT_MAX) * 4


def _upload_of(request: S3Request) -> MultipartUpload:
    upload_id = request.query.get("uploadId", "")
    return services.find_upload(bucket_of(request), request.target.key, upload_id)


def create(request: S3Request, caller: Identity) -> HttpResponse:
    """CreateMultipartUpload."""
    bucket = bucket_of(request)
    algorithm, kind = part_checksums.wanted(request.headers)
    sealing = encryption.begin(request.headers, bucket)
    upload = services.create_upload(
        bucket=bucket,
        new=services.NewUpload(
            key=request.target.key,
            headers=new_headers(request, caller, bucket, sealing),
            owner=caller.owner or bucket.owner,
            checksum_algorithm=algorithm,
            checksum_type=kind,
        ),
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
        response["x-amz-checksum-type"] = kind
    return response


def _owner(upload: MultipartUpload) -> str:
    """Return who will own the object, which its initiator need not."""
    return str(upload.headers.get("owner") or upload.owner)


def _part_number(request: S3Request) -> int:
    text = request.query.get("partNumber", "")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= PART_NUMBER_MAX:
        raise S3Error(
            "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive"
        )
    return int(text)


def put_part(request: S3Request, caller: Identity) -> HttpResponse:
    """UploadPart."""
    number_ = _part_number(request)
    upload = _upload_of(request)
    algorithm = upload.checksum_algorithm
    part_checksums.check_declared(request.headers, algorithm)
    sealed = upload.headers.get("encryption", {})
    key = encryption.part_key(sealed, request.headers)
    body = receive(request, caller, key=key, algorithm=algorithm)
    part = services.put_part(upload=upload, number=number_, body=body)
    response = empty()
    response["ETag"] = f'"{part.etag}"'
    encryption.describe(response, sealed)
    for name, value in part.checksums.items():
        response[f"x-amz-checksum-{name}"] = value
    return response


def copy_part(request: S3Request, caller: Identity) -> HttpResponse:
    """UploadPartCopy, of a whole object or a range of it."""
    number_ = _part_number(request)
    upload = _upload_of(request)
    source = source_entry(request, caller)
    header = request.headers.get("x-amz-copy-source-range")
    span = None if header is None else parse_part_range(header, source.size_bytes)
    start, length = span or (0, source.size_bytes)
    algorithms = [upload.checksum_algorithm] if upload.checksum_algorithm else []
    source_key = encryption.key_for(source, request.headers, encryption.COPY_SOURCE_CUSTOMER)
    sealed = upload.headers.get("encryption", {})
    key = encryption.part_key(sealed, request.headers)
    chunks = services.open_body(source, start, length, key=source_key)
    body = blobs.stage(chunks, algorithms=algorithms, key=key)
    part = services.put_part(upload=upload, number=number_, body=body)
    response = xml_answer(
        xml.document(
            "CopyPartResult",
            xml.tag("LastModified", iso(part.uploaded_at)),
            xml.tag("ETag", f'"{part.etag}"'),
            *(xml.tag(f"Checksum{name.upper()}", value) for name, value in part.checksums.items()),
        )
    )
    describe_source(response, request, source)
    encryption.describe(response, sealed)
    return response


def _of_document(request: S3Request) -> S3Request:
    """Return the request without the checksums that are the object's and not the document's."""
    foreign = {*CHECKSUM_HEADERS, "x-amz-sdk-checksum-algorithm"}
    kept = {name: text for name, text in request.headers.items() if name not in foreign}
    return replace(request, headers=kept)


def complete(request: S3Request, caller: Identity) -> HttpResponse:
    """CompleteMultipartUpload; one that is repeated hears the same again."""
    document = read_document(_of_document(request), caller, bytes_max=COMPLETE_BYTES_MAX)
    named = xml.parse_complete(document)
    try:
        upload = _upload_of(request)
        result = _complete(request, upload, named)
    except NoSuchUpload:
        before = services.completed_before(
            bucket=bucket_of(request),
            key=request.target.key,
            upload_id=request.query.get("uploadId", ""),
            parts=[(part.number, part.etag) for part in named],
        )
        if before is None:
            raise
        result = before
    response = xml_answer(_completed_xml(request, result))
    describe_version(response, bucket_of(request), result["version_id"])
    encryption.describe(response, result["encryption"])
    return response


def _complete(
    request: S3Request, upload: MultipartUpload, named: list[xml.NamedPart]
) -> Mapping[str, Any]:
    def checksums(parts: tuple[PartInfo, ...]) -> tuple[Mapping[str, str], str]:
        part_checksums.check_size(request.headers, parts)
        part_checksums.check_parts(upload.checksum_algorithm, parts, [p.checksums for p in named])
        return part_checksums.of_whole(
            upload.checksum_algorithm, upload.checksum_type, parts, request.headers
        )

    services.preflight(upload.bucket)
    entry = services.complete_upload(
        upload=upload,
        completion=services.Completion(
            parts=[(part.number, part.etag) for part in named],
            checksums=checksums,
            condition=write_condition(request),
        ),
    )
    return {
        "etag": entry.etag,
        "version_id": entry.version_id,
        "checksums": entry.checksums,
        "checksum_type": entry.checksum_type,
        "encryption": entry.headers.encryption,
    }


def _completed_xml(request: S3Request, result: Mapping[str, Any]) -> bytes:
    target = request.target
    scheme = request.environ.get("wsgi.url_scheme", "http")
    location = f"{scheme}://{request.headers.get('host', '')}/{target.bucket}/{quote(target.key)}"
    checksums = [xml.tag(f"Checksum{n.upper()}", value) for n, value in result["checksums"].items()]
    if checksums:
        checksums.append(xml.tag("ChecksumType", result["checksum_type"]))
    return xml.document(
        "CompleteMultipartUploadResult",
        xml.tag("Location", location),
        xml.tag("Bucket", target.bucket),
        xml.tag("Key", target.key),
        xml.tag("ETag", f'"{result["etag"]}"'),
        *checksums,
    )


def abort(request: S3Request, caller: Identity) -> HttpResponse:
    """AbortMultipartUpload."""
    services.abort_upload(upload=_upload_of(request))
    return empty(204)


def list_parts(request: S3Request, caller: Identity) -> HttpResponse:
    """ListParts, of all nodes."""
    upload = _upload_of(request)
    limit = number(request, "max-parts", PAGE_MAX, PAGE_MAX)
    after = number(request, "part-number-marker", 0, 2**31)
    gathered = services.gather_parts(upload.upload_id)
    if gathered.ended is not None:
        raise NoSuchUpload
    behind = [gathered.parts[n] for n in sorted(gathered.parts) if n > after]
    shown = behind[:limit]
    algorithm = upload.checksum_algorithm
    body = xml.document(
        "ListPartsResult",
        xml.tag("Bucket", request.target.bucket),
        xml.tag("Key", upload.key),
        xml.tag("UploadId", upload.upload_id),
        owner_xml(upload.owner, "Initiator"),
        owner_xml(_owner(upload)),
        xml.tag("StorageClass", upload.headers.get("storage_class", "STANDARD")),
        xml.tag("PartNumberMarker", after),
        xml.tag("NextPartNumberMarker", shown[-1].number if shown else 0),
        xml.tag("MaxParts", limit),
        xml.tag("IsTruncated", str(len(behind) > limit).lower()),
        xml.tag("ChecksumAlgorithm", algorithm.upper()) if algorithm else "",
        xml.tag("ChecksumType", upload.checksum_type) if algorithm else "",
        *(_part(part, iso(gathered.uploaded_at[part.number])) for part in shown),
    )
    return xml_answer(body)


def _part(part: PartInfo, uploaded_at: str) -> str:
    checksums = "".join(xml.tag(f"Checksum{n.upper()}", v) for n, v in part.checksums.items())
    return (
        f"<Part>{xml.tag('PartNumber', part.number)}{xml.tag('LastModified', uploaded_at)}"
        f"<ETag>&quot;{part.etag}&quot;</ETag>{xml.tag('Size', part.size_bytes)}{checksums}</Part>"
    )


def list_uploads(request: S3Request, caller: Identity) -> HttpResponse:
    """ListMultipartUploads, of all nodes."""
    bucket = bucket_of(request)
    query = request.query
    encoding = encoding_of(request)
    limit = number(request, "max-uploads", PAGE_MAX, PAGE_MAX)
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    key_marker = query.get("key-marker", "")
    page: listing.Page[MultipartUpload] = listing.Page(keys_max=limit)
    id_marker = query.get("upload-id-marker", "") if key_marker else ""
    _fill(request, page, prefix, delimiter, key_marker, id_marker)
    last = page.entries[-1] if page.entries else None
    more = ""
    if page.is_truncated:
        more = f"<NextKeyMarker>{xml.key_text(page.next_start_after, encoding)}</NextKeyMarker>"
        is_key = last is not None and last.key == page.next_start_after
        more += xml.tag("NextUploadIdMarker", last.upload_id if is_key and last else "")
    body = xml.document(
        "ListMultipartUploadsResult",
        xml.tag("Bucket", bucket.name),
        f"<KeyMarker>{xml.key_text(key_marker, encoding)}</KeyMarker>",
        xml.tag("UploadIdMarker", id_marker),
        more,
        f"<Prefix>{xml.key_text(prefix, encoding)}</Prefix>",
        f"<Delimiter>{xml.key_text(delimiter, encoding)}</Delimiter>" if delimiter else "",
        xml.tag("EncodingType", encoding) if encoding else "",
        xml.tag("MaxUploads", limit),
        xml.tag("IsTruncated", str(page.is_truncated).lower()),
        *(_upload(upload, encoding) for upload in page.entries),
        *(
            f"<CommonPrefixes><Prefix>{xml.key_text(group, encoding)}</Prefix></CommonPrefixes>"
            for group in page.common_prefixes
        ),
    )
    return xml_answer(body)


def _fill(
    request: S3Request,
    page: listing.Page[MultipartUpload],
    prefix: str,
    delimiter: str,
    key_marker: str,
    id_marker: str,
) -> None:
    """Fill a page with uploads and groups of keys, from a marker on."""
    bucket = bucket_of(request)
    seen_group = listing.common_prefix(key_marker, prefix, delimiter) if key_marker else None
    while page.keys_max > 0:
        found = services.gather_uploads(
            bucket, prefix=prefix, key_marker=key_marker, id_marker=id_marker, limit=PAGE_MAX
        )
        for upload in found[:PAGE_MAX]:
            group = listing.common_prefix(upload.key, prefix, delimiter)
            if group is None:
                if not page.add_entry(upload.key, upload):
                    return
            elif group != seen_group:
                if not page.add_group(group):
                    return
                seen_group = group
        if len(found) <= PAGE_MAX:
            return
        key_marker, id_marker = found[PAGE_MAX - 1].key, found[PAGE_MAX - 1].upload_id
        if seen_group is not None and key_marker.startswith(seen_group):
            # Behind the keys of the group; a stranger one is still known to be in it.
            key_marker, id_marker = seen_group + GROUP_END, ""


def _upload(upload: MultipartUpload, encoding: str) -> str:
    algorithm = upload.checksum_algorithm
    checksum = ""
    if algorithm:
        checksum = xml.tag("ChecksumAlgorithm", algorithm.upper())
        checksum += xml.tag("ChecksumType", upload.checksum_type)
    storage_class = upload.headers.get("storage_class", "STANDARD")
    return (
        f"<Upload><Key>{xml.key_text(upload.key, encoding)}</Key>"
        f"{xml.tag('UploadId', upload.upload_id)}{owner_xml(upload.owner, 'Initiator')}"
        f"{owner_xml(_owner(upload))}{xml.tag('StorageClass', storage_class)}"
        f"{xml.tag('Initiated', iso(upload.initiated_at))}{checksum}</Upload>"
    )
