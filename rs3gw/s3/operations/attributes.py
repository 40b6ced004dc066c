"""What can be changed of an object after it was written: tags, retention, legal hold."""

from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpResponse

from replication import services
from rs3gw.common import clock
from rs3gw.s3 import bucket_config
from rs3gw.s3.auth import Identity
from rs3gw.s3.body import read_document
from rs3gw.s3.core import locks, xml
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.operations.answers import empty, xml_answer
from rs3gw.s3.operations.buckets import bucket_of
from rs3gw.s3.operations.headers import OBJECT_TAGS_MAX
from rs3gw.s3.operations.versions import describe_found_version, entry_of, version_of
from rs3gw.s3.request import S3Request
from rs3gw.storage.core import attributes
from rs3gw.storage.core.objects import Entry

BYPASS_HEADER = "x-amz-bypass-governance-retention"


def change(
    request: S3Request, name: str, value: Callable[[Entry], Mapping[str, Any]], status: int = 200
) -> HttpResponse:
    """Change an attribute of the version that a request names, and answer."""
    bucket = bucket_of(request)
    version_id = version_of(request)
    # Says why, where there is none; the change itself looks again.
    entry_of(request)
    services.preflight(bucket)
    entry = services.set_attribute(
        bucket=bucket, key=request.target.key, version_id=version_id, name=name, value=value
    )
    response = empty(status)
    describe_found_version(response, bucket, entry.version_id)
    return response


def get_tagging(request: S3Request, caller: Identity) -> HttpResponse:
    """GetObjectTagging."""
    entry = entry_of(request)
    response = xml_answer(xml.tag_set(entry.headers.tags.items()))
    describe_found_version(response, bucket_of(request), entry.version_id)
    return response


def put_tagging(request: S3Request, caller: Identity) -> HttpResponse:
    """PutObjectTagging."""
    tags = xml.parse_tagging(read_document(request, caller), tags_max=OBJECT_TAGS_MAX)
    return change(request, attributes.TAGGING, lambda _: tags)


def delete_tagging(request: S3Request, caller: Identity) -> HttpResponse:
    """DeleteObjectTagging."""
    return change(request, attributes.TAGGING, lambda _: {}, 204)


def wants_bypass(request: S3Request) -> bool:
    """Return whether the caller asks to bypass governance; whether it may was checked before."""
    return request.headers.get(BYPASS_HEADER, "").lower() == "true"


def _check_lockable(request: S3Request) -> None:
    if bucket_config.of(bucket_of(request)).lock is None:
        raise S3Error("InvalidRequest", "Bucket is missing Object Lock Configuration")


def get_retention(request: S3Request, caller: Identity) -> HttpResponse:
    """GetObjectRetention."""
    _check_lockable(request)
    lock = entry_of(request).headers.lock
    if not lock.get("mode"):
        raise S3Error(
            "NoSuchObjectLockConfiguration",
            "The specified object does not have a ObjectLock configuration",
        )
    return xml_answer(locks.retention_xml(lock))


def put_retention(request: S3Request, caller: Identity) -> HttpResponse:
    """PutObjectRetention."""
    _check_lockable(request)
    mode, until = locks.parse_retention(read_document(request, caller))
    now = clock.utcnow()
    bypasses = wants_bypass(request)

    def value(entry: Entry) -> Mapping[str, Any]:
        lock = entry.headers.lock
        locks.check_retention(lock, mode, until, now, bypasses=bypasses)
        text = "" if until is None else locks.date_text(until)
        return attributes.retention_value(mode, text, lock)

    return change(request, attributes.RETENTION, value)


def get_legal_hold(request: S3Request, caller: Identity) -> HttpResponse:
    """GetObjectLegalHold."""
    _check_lockable(request)
    hold = entry_of(request).headers.lock.get("hold")
    if not hold:
        raise S3Error(
            "NoSuchObjectLockConfiguration",
            "The specified object does not have a ObjectLock configuration",
        )
    return xml_answer(xml.document("LegalHold", xml.tag("Status", hold)))


def put_legal_hold(request: S3Request, caller: Identity) -> HttpResponse:
    """PutObjectLegalHold."""
    _check_lockable(request)
    hold = locks.parse_legal_hold(read_document(request, caller))
    return change(request, attributes.LEGAL_HOLD, lambda _: {"hold": hold})
