"""Operations on buckets and their settings."""

import json

from django.conf import settings
from django.http import HttpResponse

from replication import services
from rs3gw.s3 import directory
from rs3gw.s3.auth import Identity
from rs3gw.s3.body import read_document
from rs3gw.s3.core import locks, names, xml
from rs3gw.s3.core.acl import to_json as acl_to_json
from rs3gw.s3.core.acl_requests import Directory, acl_from_headers
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.ownership import check_enforceable, parse_ownership
from rs3gw.s3.operations.answers import empty, xml_answer
from rs3gw.s3.request import S3Request
from rs3gw.storage import selectors
from rs3gw.storage.errors import BucketAlreadyOwnedByYou
from rs3gw.storage.models import Bucket

BUCKET_TAGS_MAX = 50
POLICY_BYTES_MAX = 20 * 1024
CLASSIC_REGION = "us-east-1"


def bucket_of(request: S3Request) -> Bucket:
    """Return the bucket that a request names.

    Raises:
        NoSuchBucket: There is none.
    """
    bucket = request.found.get("bucket")
    if bucket is None:
        bucket = request.found["bucket"] = selectors.get_bucket(request.target.bucket)
    assert isinstance(bucket, Bucket)
    return bucket


def create(request: S3Request, caller: Identity) -> HttpResponse:
    """CreateBucket."""
    name = request.target.bucket
    names.check_bucket_name(name)
    location = xml.parse_location(read_document(request, caller))
    if location not in ("", "EU", settings.RS3GW_REGION, CLASSIC_REGION):
        raise S3Error(
            "InvalidLocationConstraint",
            f"This node is in region {settings.RS3GW_REGION}; it cannot create a bucket elsewhere.",
        )
    settings_ = first_settings(request, caller)
    try:
        bucket = services.create_bucket(name=name, owner=caller.owner)
    except BucketAlreadyOwnedByYou:
        # The oldest region of S3 answers a repeated creation with success, and clients rely on it.
        if settings.RS3GW_REGION != CLASSIC_REGION:
            raise
    else:
        for setting, text in settings_.items():
            services.put_bucket_setting(
                bucket=bucket, name=setting, value=text, author=caller.access_key_id
            )
    response = empty()
    response["Location"] = f"/{name}"
    return response


def first_settings(request: S3Request, caller: Identity) -> dict[str, str]:
    """Return the settings that a bucket gets with its creation.

    Raises:
        S3Error: What the request asks for cannot be.
    """
    headers, owner = request.headers, caller.owner
    found: dict[str, str] = {}
    people = Directory(known=directory.is_known, resolve=directory.find_by_email)
    acl = acl_from_headers(headers, owner=owner, bucket_owner=owner, directory=people)
    if "x-amz-object-ownership" in headers:
        ownership = parse_ownership(headers["x-amz-object-ownership"])
        found["ownership"] = ownership
        if acl is not None:
            check_enforceable(acl, ownership)
    if acl is not None:
        found["acl"] = json.dumps(acl_to_json(acl))
    if headers.get("x-amz-bucket-object-lock-enabled", "").lower() == "true":
        lock = locks.configuration_xml(locks.LockConfiguration())
        found |= {"versioning": "Enabled", "object_lock": lock.decode()}
    return found


def head(request: S3Request, caller: Identity) -> HttpResponse:
    """HeadBucket."""
    bucket = bucket_of(request)
    response = empty()
    response["x-amz-bucket-region"] = bucket.region
    return response


def delete(request: S3Request, caller: Identity) -> HttpResponse:
    """DeleteBucket."""
    services.delete_bucket(bucket=bucket_of(request))
    return empty(204)


def get_location(request: S3Request, caller: Identity) -> HttpResponse:
    """GetBucketLocation."""
    region = bucket_of(request).region
    constraint = "" if region == CLASSIC_REGION else xml.text(region)
    return xml_answer(xml.document("LocationConstraint", constraint))


def get_tagging(request: S3Request, caller: Identity) -> HttpResponse:
    """GetBucketTagging."""
    text = services.get_bucket_setting(bucket_of(request), "tagging")
    if text is None:
        raise S3Error("NoSuchTagSet", "The TagSet does not exist")
    return xml_answer(xml.tag_set(json.loads(text).items()))


def put_tagging(request: S3Request, caller: Identity) -> HttpResponse:
    """PutBucketTagging."""
    bucket = bucket_of(request)
    tags = xml.parse_tagging(read_document(request, caller), tags_max=BUCKET_TAGS_MAX)
    services.put_bucket_setting(
        bucket=bucket, name="tagging", value=json.dumps(tags), author=caller.access_key_id
    )
    return empty(204)


def delete_tagging(request: S3Request, caller: Identity) -> HttpResponse:
    """DeleteBucketTagging."""
    services.delete_bucket_setting(
        bucket=bucket_of(request), name="tagging", author=caller.access_key_id
    )
    return empty(204)
