"""Uploads in parts."""

from dataclasses import replace

from django.http import HttpResponse

from replication import services
from rs3gw.common import clock
from rs3gw.s3.auth import Identity
from rs3gw.s3.body import CHECKSUM_HEADERS, declared_algorithms, read_document, receive
from rs3gw.s3.core import multipart, xml
from rs3gw.s3.core.multipart import ChecksumChoice
from rs3gw.s3.operations.answers import empty, iso, xml_answer
from rs3gw.s3.operations.buckets import bucket_of
from rs3gw.s3.operations.headers import object_headers
from rs3gw.s3.operations.objects import source_entry, write_condition
from rs3gw.s3.request import S3Request
from rs3gw.storage import blobs
from rs3gw.storage.core.objects import NULL_VERSION, Entry
from rs3gw.storage.core.uploads import UploadedPart
from rs3gw.storage.models import MultipartUpload

# 10,000 parts, each with the longest checksum and generous white space.
COMPLETE_BYTES_MAX = 8 * 2**20


def upload_of(request: S3Request) -> MultipartUpload:
    """Return the upload under way that a request names.

    Raises:
        NoSuchBucket, NoSuchUpload: There is none.
    """
    return services.find_upload(
        bucket_of(request), request.target.key, request.query.get("uploadId", "")
    )


def create(request: S3Request, caller: Identity) -> HttpResponse:
    """CreateMultipartUpload."""
    bucket = bucket_of(request)
    choice = multipart.checksum_choice(request.headers)
    upload = services.create_upload(
        bucket=bucket,
        key=request.target.key,
        headers=object_headers(request),
        owner=caller.owner,
        checksum_algorithm=choice.algorithm,
        checksum_type=choice.type,
    )
    body = xml.document(
        "InitiateMultipartUploadResult",
        xml.tag("Bucket", bucket.name),
        xml.tag("Key", upload.key),
        xml.tag("UploadId", upload.upload_id),
    )
    response = xml_answer(body)
    if choice.algorithm:
        response["x-amz-checksum-algorithm"] = choice.algorithm.upper()
        response["x-amz-checksum-type"] = choice.type
    return response


def put_part(request: S3Request, caller: Identity) -> HttpResponse:
    """UploadPart."""
    number = multipart.part_number(request.query.get("partNumber", ""))
    upload = upload_of(request)
    multipart.check_part_algorithms(declared_algorithms(request, caller), upload.checksum_algorithm)
    body = receive(request, caller, algorithms=_algorithms(upload))
    part = services.put_part(upload=upload, number=number, body=body)
    response = empty()
    response["ETag"] = f'"{part.etag}"'
    for algorithm, value in part.checksums.items():
        response[f"x-amz-checksum-{algorithm}"] = value
    return response


def _algorithms(upload: MultipartUpload) -> list[str]:
    return [upload.checksum_algorithm] if upload.checksum_algorithm else []


def copy_part(request: S3Request, caller: Identity) -> HttpResponse:
    """UploadPartCopy, of a whole object or a range of it."""
    number = multipart.part_number(request.query.get("partNumber", ""))
    upload = upload_of(request)
    source = source_entry(request)
    header = request.headers.get("x-amz-copy-source-range")
    start, length = 0, source.size_bytes
    if header is not None:
        start, length = multipart.copy_span(header, source.size_bytes)
    body = blobs.stage(services.open_body(source, start, length), algorithms=_algorithms(upload))
    part = services.put_part(upload=upload, number=number, body=body)
    response = xml_answer(
        xml.document(
            "CopyPartResult",
            xml.tag("LastModified", iso(clock.from_ms(part.uploaded_ms))),
            xml.tag("ETag", f'"{part.etag}"'),
            checksum_tags(part),
        )
    )
    if source.version_id != NULL_VERSION:
        response["x-amz-copy-source-version-id"] = source.version_id
    return response


def checksum_tags(part: UploadedPart | services.Completed) -> str:
    """Return the elements of checksums."""
    return "".join(
        xml.tag(f"Checksum{name.upper()}", value) for name, value in part.checksums.items()
    )


def _without_checksums(request: S3Request) -> S3Request:
    """Return the request without the checksums that are the object's and not the document's."""
    kept = {name: text for name, text in request.headers.items() if name not in CHECKSUM_HEADERS}
    return replace(request, headers=kept)


def complete(request: S3Request, caller: Identity) -> HttpResponse:
    """CompleteMultipartUpload."""
    bucket, target = bucket_of(request), request.target
    expected = multipart.expected_of(request.headers)
    document = read_document(_without_checksums(request), caller, bytes_max=COMPLETE_BYTES_MAX)
    parts = multipart.parse_complete(document)
    services.preflight()

    def check(entry: Entry) -> None:
        algorithm = next(iter(entry.checksums), "")
        expected.check(entry, ChecksumChoice(algorithm, entry.checksum_type))

    done = services.complete_upload(
        bucket=bucket,
        key=target.key,
        upload_id=request.query.get("uploadId", ""),
        parts=parts,
        check=check,
        condition=write_condition(request),
    )
    body = xml.document(
        "CompleteMultipartUploadResult",
        xml.tag("Location", _location(request)),
        xml.tag("Bucket", target.bucket),
        xml.tag("Key", target.key),
        xml.tag("ETag", f'"{done.etag}"'),
        checksum_tags(done),
        xml.tag("ChecksumType", done.checksum_type) if done.checksum_type else "",
    )
    response = xml_answer(body)
    if done.version_id != NULL_VERSION:
        response["x-amz-version-id"] = done.version_id
    return response


def _location(request: S3Request) -> str:
    """Return the URL of the object: the one that the request was sent to, without its query."""
    scheme = request.environ.get("wsgi.url_scheme", "http")
    return f"{scheme}://{request.headers.get('host', '')}{request.raw_path}"


def abort(request: S3Request, caller: Identity) -> HttpResponse:
    """AbortMultipartUpload."""
    services.abort_upload(
        bucket=bucket_of(request),
        key=request.target.key,
        upload_id=request.query.get("uploadId", ""),
    )
    return empty(204)
