"""Operations on buckets and their settings."""

import json

from django.conf import settings
from django.http import HttpResponse

from replication import services
from rs3gw.s3.auth import Identity
from rs3gw.s3.body import read_document
from rs3gw.s3.core import locks, names, xml
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.operations.answers import empty, private_acl, xml_answer
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
    try:
        bucket = services.create_bucket(name=name, owner=caller.owner)
    except BucketAlreadyOwnedByYou:
        # The oldest region of S3 answers a repeated creation with success, and clients rely on it.
        if settings.RS3GW_REGION != CLASSIC_REGION:
            raise
    else:
        for setting, text in first_settings(request).items():
            services.put_bucket_setting(
                bucket=bucket, name=setting, value=text, author=caller.access_key_id
            )
    response = empty()
    response["Location"] = f"/{name}"
    return response


def first_settings(request: S3Request) -> dict[str, str]:
    """Return the settings that a bucket gets with its creation."""
    if request.headers.get("x-amz-bucket-object-lock-enabled", "").lower() != "true":
        return {}
    lock = locks.configuration_xml(locks.LockConfiguration())
    return {"versioning": "Enabled", "object_lock": lock.decode()}


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


def get_acl(request: S3Request, caller: Identity) -> HttpResponse:
    """GetBucketAcl."""
    return private_acl(bucket_of(request).owner)


def get_policy(request: S3Request, caller: Identity) -> HttpResponse:
    """GetBucketPolicy: the text as it was put, byte for byte."""
    text = services.get_bucket_setting(bucket_of(request), "policy")
    if text is None:
        raise S3Error("NoSuchBucketPolicy", "The bucket policy does not exist")
    return HttpResponse(text, content_type="application/json")


def put_policy(request: S3Request, caller: Identity) -> HttpResponse:
    """PutBucketPolicy: kept and replicated."""
    bucket = bucket_of(request)
    body = read_document(request, caller)
    try:
        policy = json.loads(body)
    except ValueError:
        policy = None
    if not isinstance(policy, dict) or "Statement" not in policy or len(body) > POLICY_BYTES_MAX:
        raise S3Error("MalformedPolicy", "Policies must be valid JSON with a Statement.")
    services.put_bucket_setting(
        bucket=bucket, name="policy", value=body.decode(), author=caller.access_key_id
    )
    return empty(204)


def delete_policy(request: S3Request, caller: Identity) -> HttpResponse:
    """DeleteBucketPolicy."""
    services.delete_bucket_setting(
        bucket=bucket_of(request), name="policy", author=caller.access_key_id
    )
    return empty(204)


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
