"""Lifecycle settings of a bucket, and what they say about an object."""

import json
import secrets

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from rs3gw.s3 import bucket_config
from rs3gw.s3.auth import Identity
from rs3gw.s3.body import read_document
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.lifecycle import expiration_header
from rs3gw.s3.core.lifecycle_parser import parse_lifecycle
from rs3gw.s3.core.lifecycle_writer import lifecycle_xml, to_json
from rs3gw.s3.operations.answers import xml_answer
from rs3gw.s3.operations.buckets import bucket_of
from rs3gw.s3.operations.settings import delete, put, text_of
from rs3gw.s3.request import S3Request
from rs3gw.storage.core.objects import Entry
from rs3gw.storage.models import Bucket

SETTING = "lifecycle"
MINIMUM_HEADER = "x-amz-transition-default-minimum-object-size"
MINIMUMS = ("all_storage_classes_128K", "varies_by_storage_class")
ID_BYTES = 24


def get_lifecycle(request: S3Request, caller: Identity) -> HttpResponse:
    """GetBucketLifecycleConfiguration."""
    text = text_of(request, SETTING)
    if text is None:
        raise S3Error("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")
    response = xml_answer(lifecycle_xml(bucket_config.of(bucket_of(request)).lifecycle))
    response[MINIMUM_HEADER] = json.loads(text)["minimum"]
    return response


def put_lifecycle(request: S3Request, caller: Identity) -> HttpResponse:
    """PutBucketLifecycleConfiguration."""
    bucket_of(request)
    body = read_document(request, caller)
    minimum = request.headers.get(MINIMUM_HEADER, MINIMUMS[0])
    if minimum not in MINIMUMS:
        raise S3Error("InvalidRequest", f"{MINIMUM_HEADER} must be one of {', '.join(MINIMUMS)}.")
    rules = parse_lifecycle(body, new_id=lambda: secrets.token_hex(ID_BYTES))
    text = json.dumps({"rules": to_json(rules), "minimum": minimum})
    response = put(request, caller, SETTING, text)
    response[MINIMUM_HEADER] = minimum
    return response


def delete_lifecycle(request: S3Request, caller: Identity) -> HttpResponse:
    """DeleteBucketLifecycle."""
    return delete(request, caller, SETTING)


def describe_expiration(response: HttpResponseBase, bucket: Bucket, entry: Entry) -> None:
    """Say on an answer about an object when it will expire, if it will."""
    rules = bucket_config.of(bucket).lifecycle
    if not rules or not entry.is_latest or entry.is_delete_marker:
        return
    value = expiration_header(
        rules,
        entry.key,
        entry.headers.tags,
        entry.size_bytes,
        entry.last_modified,
        settings.RS3GW_LIFECYCLE_DAY_SECONDS,
    )
    if value:
        response["x-amz-expiration"] = value
