"""Which version a request means, and what answers say about versions."""

import re

from django.http.response import HttpResponseBase

from replication import services
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.operations.answers import http_date
from rs3gw.s3.operations.buckets import bucket_of
from rs3gw.s3.request import S3Request
from rs3gw.storage import selectors
from rs3gw.storage.core.objects import NULL_VERSION, Entry
from rs3gw.storage.errors import NoSuchKey
from rs3gw.storage.models import Bucket

# What is missing and was not deleted either, told apart for clients that ask why.
NO_MARKER = {"x-amz-delete-marker": "false"}
_VERSION_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def version_of(request: S3Request) -> str | None:
    """Return the version id that a request names, or None.

    Raises:
        S3Error: InvalidArgument.
    """
    return checked_version(request.query.get("versionId"))


def checked_version(version_id: str | None) -> str | None:
    """Return a version id that can be one, or None.

    Raises:
        S3Error: InvalidArgument.
    """
    if version_id == "":
        raise S3Error("InvalidArgument", "Version id cannot be the empty string")
    if version_id is not None and not _VERSION_ID.fullmatch(version_id):
        raise S3Error("InvalidArgument", "Invalid version id specified")
    return version_id


def entry_of(request: S3Request) -> Entry:
    """Return the object that a request names, in the version that it names.

    Raises:
        NoSuchBucket: There is none.
        S3Error: NoSuchKey or NoSuchVersion; MethodNotAllowed for a delete marker by its id.
    """
    return find(request, bucket_of(request), request.target.key, version_of(request))


def find_kept(request: S3Request, bucket: Bucket, key: str, version_id: str | None) -> Entry | None:
    """Return a version, a delete marker too, and remember it for the rest of the request."""
    name = ("version", bucket.pk, key, version_id)
    if name not in request.found:
        services.prepare_read(bucket, key, is_behind=request.is_behind)
        request.found[name] = selectors.find_version(bucket, key, version_id)
    found: Entry | None = request.found[name]
    return found


def find(request: S3Request, bucket: Bucket, key: str, version_id: str | None) -> Entry:
    """Return an object, or say as S3 does why there is none.

    Raises:
        S3Error: NoSuchKey or NoSuchVersion; MethodNotAllowed for a delete marker by its id.
    """
    entry = find_kept(request, bucket, key, version_id)
    if entry is None:
        if version_id is None:
            raise S3Error("NoSuchKey", NoSuchKey.default_message, headers=NO_MARKER)
        raise S3Error("NoSuchVersion", "The specified version does not exist.")
    if entry.is_delete_marker:
        headers = {"x-amz-delete-marker": "true", "x-amz-version-id": entry.version_id}
        if version_id is None:
            raise S3Error("NoSuchKey", NoSuchKey.default_message, headers=headers)
        headers |= {"Last-Modified": http_date(entry.last_modified), "Allow": "DELETE"}
        raise S3Error(
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
            headers=headers,
        )
    return entry


def describe_version(response: HttpResponseBase, bucket: Bucket, version_id: str) -> None:
    """Name the version that a write has made; where versioning is suspended it makes none."""
    if bucket.versioning and version_id != NULL_VERSION:
        response["x-amz-version-id"] = version_id


def describe_found_version(response: HttpResponseBase, bucket: Bucket, version_id: str) -> None:
    """Name the version that a request found, where the bucket has or had versions."""
    if bucket.versioning or version_id != NULL_VERSION:
        response["x-amz-version-id"] = version_id
