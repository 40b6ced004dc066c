"""Lists of parts and of uploads in parts."""

from django.http import HttpResponse

from replication import services
from rs3gw.common import clock
from rs3gw.s3.auth import Identity
from rs3gw.s3.core import xml
from rs3gw.s3.operations.answers import iso, owner_xml, xml_answer
from rs3gw.s3.operations.buckets import bucket_of
from rs3gw.s3.operations.listing import encoding_of, number
from rs3gw.s3.operations.multipart import checksum_tags, upload_of
from rs3gw.s3.request import S3Request
from rs3gw.storage.core.uploads import (
    PART_NUMBER_MAX,
    ListedUpload,
    UploadedPart,
    UploadPage,
    UploadQuery,
)

PAGE_MAX = 1000


def list_parts(request: S3Request, caller: Identity) -> HttpResponse:
    """ListParts: the parts of an upload, on whichever nodes they are."""
    limit = number(request, "max-parts", PAGE_MAX, PAGE_MAX)
    after = number(request, "part-number-marker", 0, PART_NUMBER_MAX)
    upload = upload_of(request)
    found = services.list_parts(upload, after=after, limit=limit)
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
        xml.tag("IsTruncated", str(bool(shown) and len(found) > limit).lower()),
        _checksum_kind(upload.checksum_algorithm, upload.checksum_type),
        *map(_part, shown),
    )
    return xml_answer(body)


def _checksum_kind(algorithm: str, kind: str) -> str:
    if not algorithm:
        return ""
    return xml.tag("ChecksumAlgorithm", algorithm.upper()) + xml.tag("ChecksumType", kind)


def _part(part: UploadedPart) -> str:
    return (
        f"<Part>{xml.tag('PartNumber', part.number)}"
        f"{xml.tag('LastModified', iso(clock.from_ms(part.uploaded_ms)))}"
        f"<ETag>&quot;{part.etag}&quot;</ETag>{xml.tag('Size', part.size_bytes)}"
        f"{checksum_tags(part)}</Part>"
    )


def list_uploads(request: S3Request, caller: Identity) -> HttpResponse:
    """ListMultipartUploads: of a bucket, on whichever nodes they began."""
    bucket = bucket_of(request)
    encoding = encoding_of(request)
    given = request.query
    query = UploadQuery(
        prefix=given.get("prefix", ""),
        delimiter=given.get("delimiter", ""),
        key_marker=given.get("key-marker", ""),
        # Without a key marker S3 ignores it.
        id_marker=given.get("upload-id-marker", "") if given.get("key-marker") else "",
        limit=number(request, "max-uploads", PAGE_MAX, PAGE_MAX),
    )
    page = services.list_uploads(bucket, query)
    groups = "".join(
        f"<CommonPrefixes>{_key('Prefix', group, encoding)}</CommonPrefixes>"
        for group in page.groups
    )
    body = xml.document(
        "ListMultipartUploadsResult",
        xml.tag("Bucket", bucket.name),
        _key("KeyMarker", query.key_marker, encoding),
        xml.tag("UploadIdMarker", query.id_marker),
        _more(page, encoding),
        _key("Prefix", query.prefix, encoding),
        _key("Delimiter", query.delimiter, encoding) if query.delimiter else "",
        xml.tag("EncodingType", encoding) if encoding else "",
        xml.tag("MaxUploads", query.limit),
        xml.tag("IsTruncated", str(page.is_truncated).lower()),
        *(_upload(upload, encoding) for upload in page.uploads),
        groups,
    )
    return xml_answer(body)


def _key(element: str, key: str, encoding: str) -> str:
    return f"<{element}>{xml.key_text(key, encoding)}</{element}>"


def _more(page: UploadPage, encoding: str) -> str:
    if not page.is_truncated:
        return ""
    return _key("NextKeyMarker", page.next_key, encoding) + xml.tag(
        "NextUploadIdMarker", page.next_id
    )


def _upload(upload: ListedUpload, encoding: str) -> str:
    return (
        f"<Upload>{_key('Key', upload.key, encoding)}"
        f"{xml.tag('UploadId', upload.upload_id)}{owner_xml(upload.owner, 'Initiator')}"
        f"{owner_xml(upload.owner)}{xml.tag('StorageClass', upload.storage_class)}"
        f"{xml.tag('Initiated', iso(clock.from_ms(upload.initiated_ms)))}"
        f"{_checksum_kind(upload.checksum_algorithm, upload.checksum_type)}</Upload>"
    )
