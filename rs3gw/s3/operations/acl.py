"""Access control lists, object ownership and Block Public Access of buckets and objects."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse

from rs3gw.s3 import bucket_config, directory
from rs3gw.s3.auth import Identity
from rs3gw.s3.body import read_document
from rs3gw.s3.core import acl as lists
from rs3gw.s3.core.acl import Acl
from rs3gw.s3.core.acl_requests import Directory, acl_from_headers, parse_acl
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.ownership import (
    check_acl_accepted,
    check_enforceable,
    ownership_controls_xml,
    parse_ownership_controls,
    parse_public_access_block,
    public_access_block_xml,
)
from rs3gw.s3.core.ownership import new_object_acl as own_acl
from rs3gw.s3.operations import settings
from rs3gw.s3.operations.answers import xml_answer
from rs3gw.s3.operations.attributes import change
from rs3gw.s3.operations.buckets import bucket_of
from rs3gw.s3.operations.versions import describe_found_version, entry_of
from rs3gw.s3.request import S3Request
from rs3gw.storage.core import attributes
from rs3gw.storage.models import Bucket

DIRECTORY = Directory(known=directory.is_known, resolve=directory.find_by_email)
_GRANTS = "x-amz-grant-"


def _check_accepted(acl: Acl, canned: str | None, bucket: Bucket) -> None:
    """Refuse a list that the bucket's settings do not let anyone set."""
    config = bucket_config.of(bucket)
    check_acl_accepted(acl, canned=canned, ownership=config.ownership, bucket_owner=bucket.owner)
    if config.public_access_block.block_public_acls and lists.is_public_acl(acl):
        raise S3Error("AccessDenied", "Public access control lists are blocked on this bucket.")


def new_object_acl(
    headers: Mapping[str, str], bucket: Bucket, writer: str
) -> tuple[str, dict[str, Any]]:
    """Return owner and access control list of a new object.

    Args:
        headers: Of the request that writes it.
        bucket: Where it is written.
        writer: The account that writes.

    Raises:
        S3Error: The list cannot be, or is not accepted here.
    """
    asked = acl_from_headers(headers, owner=writer, bucket_owner=bucket.owner, directory=DIRECTORY)
    if asked is not None:
        _check_accepted(asked, headers.get("x-amz-acl"), bucket)
    ownership = bucket_config.of(bucket).ownership
    acl = own_acl(asked, writer=writer, bucket_owner=bucket.owner, ownership=ownership)
    private = lists.canned_acl("private", owner=acl.owner, bucket_owner=bucket.owner)
    return acl.owner, {} if acl == private else lists.to_json(acl)


def _given(request: S3Request, caller: Identity, owner: str, bucket: Bucket) -> Acl:
    """Return the list that a request puts, in headers or as a document."""
    body = read_document(request, caller)
    asked = acl_from_headers(
        request.headers, owner=owner, bucket_owner=bucket.owner, directory=DIRECTORY
    )
    if body and asked is not None:
        raise S3Error("UnexpectedContent", "This request does not support content")
    if asked is None and not body:
        raise S3Error(
            "MissingSecurityHeader", "Your request was missing a required header: x-amz-acl."
        )
    found = asked or parse_acl(body, DIRECTORY)
    if found.owner != owner:
        raise S3Error("AccessDenied", "The owner of a bucket or object cannot be changed.")
    _check_accepted(found, request.headers.get("x-amz-acl"), bucket)
    return found


def get_bucket_acl(request: S3Request, caller: Identity) -> HttpResponse:
    """GetBucketAcl."""
    bucket = bucket_of(request)
    found = bucket_config.of(bucket).acl_of(bucket)
    return xml_answer(lists.acl_xml(found, directory.display_name))


def put_bucket_acl(request: S3Request, caller: Identity) -> HttpResponse:
    """PutBucketAcl."""
    bucket = bucket_of(request)
    found = _given(request, caller, bucket.owner, bucket)
    return settings.put_json(request, caller, "acl", lists.to_json(found))


def get_object_acl(request: S3Request, caller: Identity) -> HttpResponse:
    """GetObjectAcl."""
    entry, bucket = entry_of(request), bucket_of(request)
    response = xml_answer(
        lists.acl_xml(bucket_config.acl_of_object(entry, bucket), directory.display_name)
    )
    describe_found_version(response, bucket, entry.version_id)
    return response


def put_object_acl(request: S3Request, caller: Identity) -> HttpResponse:
    """PutObjectAcl."""
    entry, bucket = entry_of(request), bucket_of(request)
    owner = entry.headers.owner or bucket.owner
    found = lists.to_json(_given(request, caller, owner, bucket))
    return change(request, attributes.ACL, lambda _: found)


def get_ownership(request: S3Request, caller: Identity) -> HttpResponse:
    """GetBucketOwnershipControls."""
    bucket = bucket_of(request)
    if settings.text_of(request, "ownership") is None:
        raise S3Error(
            "OwnershipControlsNotFoundError", "The bucket ownership controls were not found"
        )
    return xml_answer(ownership_controls_xml(bucket_config.of(bucket).ownership))


def put_ownership(request: S3Request, caller: Identity) -> HttpResponse:
    """PutBucketOwnershipControls."""
    bucket = bucket_of(request)
    ownership = parse_ownership_controls(read_document(request, caller))
    check_enforceable(bucket_config.of(bucket).acl_of(bucket), ownership)
    return settings.put(request, caller, "ownership", ownership)


def delete_ownership(request: S3Request, caller: Identity) -> HttpResponse:
    """DeleteBucketOwnershipControls."""
    return settings.delete(request, caller, "ownership")


def get_public_access_block(request: S3Request, caller: Identity) -> HttpResponse:
    """GetPublicAccessBlock."""
    bucket = bucket_of(request)
    if settings.text_of(request, "public_access_block") is None:
        raise S3Error(
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
        )
    return xml_answer(public_access_block_xml(bucket_config.of(bucket).public_access_block))


def put_public_access_block(request: S3Request, caller: Identity) -> HttpResponse:
    """PutPublicAccessBlock."""
    bucket_of(request)
    block = parse_public_access_block(read_document(request, caller))
    text = public_access_block_xml(block).decode()
    return settings.put(request, caller, "public_access_block", text)


def delete_public_access_block(request: S3Request, caller: Identity) -> HttpResponse:
    """DeletePublicAccessBlock."""
    return settings.delete(request, caller, "public_access_block")
