"""Settings of a bucket that are a document: put, kept, given back."""

import json

from django.http import HttpResponse

from replication import services
from rs3gw.s3 import bucket_config
from rs3gw.s3.auth import Identity
from rs3gw.s3.body import read_document
from rs3gw.s3.core import locks, xml
from rs3gw.s3.core.acl import is_public_acl
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.policy import is_public, parse_bucket_policy
from rs3gw.s3.operations.answers import empty, xml_answer
from rs3gw.s3.operations.buckets import bucket_of
from rs3gw.s3.request import S3Request


def text_of(request: S3Request, name: str) -> str | None:
    """Return a setting of the bucket that a request names, or None."""
    return bucket_config.of(bucket_of(request)).texts.get(name)


def put(
    request: S3Request, caller: Identity, name: str, text: str, status: int = 200
) -> HttpResponse:
    """Keep a setting on every node, and answer."""
    services.put_bucket_setting(
        bucket=bucket_of(request), name=name, value=text, author=caller.access_key_id
    )
    return empty(status)


def put_json(request: S3Request, caller: Identity, name: str, value: object) -> HttpResponse:
    """Keep a setting that is a JSON value on every node, and answer."""
    return put(request, caller, name, json.dumps(value))


def delete(request: S3Request, caller: Identity, name: str) -> HttpResponse:
    """Remove a setting on every node, and answer."""
    services.delete_bucket_setting(
        bucket=bucket_of(request), name=name, author=caller.access_key_id
    )
    return empty(204)


# --- policy --------------------------------------------------------------------------------------


def get_policy(request: S3Request, caller: Identity) -> HttpResponse:
    """GetBucketPolicy: the text as it was put, byte for byte."""
    text = text_of(request, "policy")
    if text is None:
        raise S3Error("NoSuchBucketPolicy", "The bucket policy does not exist")
    return HttpResponse(text, content_type="application/json")


def put_policy(request: S3Request, caller: Identity) -> HttpResponse:
    """PutBucketPolicy."""
    bucket = bucket_of(request)
    body = read_document(request, caller)
    policy = parse_bucket_policy(body, bucket=bucket.name)
    block = bucket_config.of(bucket).public_access_block
    if block.block_public_policy and is_public(policy):
        raise S3Error("AccessDenied", "Public policies are blocked on this bucket.")
    return put(request, caller, "policy", body.decode(), 204)


def delete_policy(request: S3Request, caller: Identity) -> HttpResponse:
    """DeleteBucketPolicy."""
    return delete(request, caller, "policy")


def get_policy_status(request: S3Request, caller: Identity) -> HttpResponse:
    """GetBucketPolicyStatus: whether its policy or its list makes the bucket public."""
    bucket = bucket_of(request)
    config = bucket_config.of(bucket)
    by_policy = config.policy is not None and is_public(config.policy)
    heeds_lists = (
        config.ownership != "BucketOwnerEnforced"
        and not config.public_access_block.ignore_public_acls
    )
    by_list = heeds_lists and is_public_acl(config.acl_of(bucket))
    answer = str(by_policy or by_list).lower()
    return xml_answer(xml.document("PolicyStatus", xml.tag("IsPublic", answer)))


# --- versioning and object lock ------------------------------------------------------------------


def get_versioning(request: S3Request, caller: Identity) -> HttpResponse:
    """GetBucketVersioning."""
    status = bucket_of(request).versioning
    return xml_answer(
        xml.document("VersioningConfiguration", xml.tag("Status", status) if status else "")
    )


def put_versioning(request: S3Request, caller: Identity) -> HttpResponse:
    """PutBucketVersioning."""
    bucket = bucket_of(request)
    status = xml.parse_versioning(read_document(request, caller))
    if status == "Suspended" and bucket_config.of(bucket).lock is not None:
        raise S3Error(
            "InvalidBucketState",
            "An Object Lock configuration is present on this bucket, so the versioning state "
            "cannot be changed.",
        )
    return put(request, caller, "versioning", status)


def get_object_lock(request: S3Request, caller: Identity) -> HttpResponse:
    """GetObjectLockConfiguration."""
    configuration = bucket_config.of(bucket_of(request)).lock
    if configuration is None:
        raise S3Error(
            "ObjectLockConfigurationNotFoundError",
            "Object Lock configuration does not exist for this bucket",
        )
    return xml_answer(locks.configuration_xml(configuration))


def put_object_lock(request: S3Request, caller: Identity) -> HttpResponse:
    """PutObjectLockConfiguration: on a bucket with versions, which it can never lose again."""
    bucket = bucket_of(request)
    body = read_document(request, caller)
    locks.parse_configuration(body)
    if bucket.versioning != "Enabled":
        raise S3Error(
            "InvalidBucketState",
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
        )
    return put(request, caller, "object_lock", body.decode())


# --- what is off, and answered as S3 answers where it is off --------------------------------------


def get_website(request: S3Request, caller: Identity) -> HttpResponse:
    """GetBucketWebsite: no bucket is a website."""
    bucket_of(request)
    raise S3Error(
        "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"
    )


def delete_website(request: S3Request, caller: Identity) -> HttpResponse:
    """DeleteBucketWebsite: there is none."""
    bucket_of(request)
    return empty(204)


def get_logging(request: S3Request, caller: Identity) -> HttpResponse:
    """GetBucketLogging: off."""
    bucket_of(request)
    return xml_answer(xml.document("BucketLoggingStatus"))


def get_notification(request: S3Request, caller: Identity) -> HttpResponse:
    """GetBucketNotificationConfiguration: none."""
    bucket_of(request)
    return xml_answer(xml.document("NotificationConfiguration"))


def get_accelerate(request: S3Request, caller: Identity) -> HttpResponse:
    """GetBucketAccelerateConfiguration: never set."""
    bucket_of(request)
    return xml_answer(xml.document("AccelerateConfiguration"))


def get_request_payment(request: S3Request, caller: Identity) -> HttpResponse:
    """GetBucketRequestPayment: the owner pays."""
    bucket_of(request)
    return xml_answer(xml.document("RequestPaymentConfiguration", xml.tag("Payer", "BucketOwner")))


def put_request_payment(request: S3Request, caller: Identity) -> HttpResponse:
    """PutBucketRequestPayment: only what is the case anyway."""
    bucket_of(request)
    root = xml.parse(read_document(request, caller))
    xml.expect(root, "RequestPaymentConfiguration")
    payer = root.findtext("Payer")
    if payer == "Requester":
        raise S3Error("NotImplemented", "Requester Pays is not supported: nobody is billed here.")
    if payer != "BucketOwner":
        raise S3Error("MalformedXML", "The Payer must be BucketOwner or Requester.")
    return empty()


def _put_nothing(request: S3Request, caller: Identity, root_name: str, what: str) -> HttpResponse:
    """Accept a document that turns off what is off; refuse to turn it on."""
    bucket_of(request)
    root = xml.parse(read_document(request, caller))
    xml.expect(root, root_name)
    if len(root):
        raise S3Error("NotImplemented", f"{what} is not supported.")
    return empty()


def put_logging(request: S3Request, caller: Identity) -> HttpResponse:
    """PutBucketLogging: off is accepted."""
    return _put_nothing(request, caller, "BucketLoggingStatus", "Server access logging")


def put_notification(request: S3Request, caller: Identity) -> HttpResponse:
    """PutBucketNotificationConfiguration: none is accepted."""
    return _put_nothing(request, caller, "NotificationConfiguration", "Event notification")


# --- replication: kept and given back ----------------------------------------------------------


def get_replication(request: S3Request, caller: Identity) -> HttpResponse:
    """GetBucketReplication."""
    text = text_of(request, "replication")
    if text is None:
        raise S3Error(
            "ReplicationConfigurationNotFoundError",
            "The replication configuration was not found",
        )
    return xml_answer(text.encode())


def put_replication(request: S3Request, caller: Identity) -> HttpResponse:
    """PutBucketReplication: kept and given back; rules that act are made in the admin."""
    bucket = bucket_of(request)
    body = read_document(request, caller)
    root = xml.parse(body)
    xml.expect(root, "ReplicationConfiguration")
    rules = root.findall("Rule")
    is_whole = all(
        rule.findtext("Destination/Bucket") and rule.findtext("Status") for rule in rules
    )
    if not rules or not root.findtext("Role") or not is_whole:
        raise S3Error("MalformedXML", "Give a Role, and rules with Status and Destination.")
    if bucket.versioning != "Enabled":
        raise S3Error(
            "InvalidRequest",
            "Versioning must be 'Enabled' on the bucket to apply a replication configuration",
        )
    return put(request, caller, "replication", body.decode())


def delete_replication(request: S3Request, caller: Identity) -> HttpResponse:
    """DeleteBucketReplication."""
    return delete(request, caller, "replication")
