"""Which operation a request asks for, as a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from rs3gw.s3.core.errors import S3Error

# Query parameters that choose an operation. One that is not in the tables is answered 501.
SUB_RESOURCES = frozenset(
    {
        "accelerate", "acl", "analytics", "attributes", "cors", "delete", "encryption",
        "intelligent-tiering", "inventory", "legal-hold", "lifecycle", "location", "logging",
        "metrics", "notification", "object-lock", "ownershipControls", "partNumber", "policy",
        "policyStatus", "publicAccessBlock", "replication", "requestPayment", "restore",
        "retention", "select", "tagging", "torrent", "uploadId", "uploads", "versioning",
        "versions", "website",
    }
)  # fmt: skip

SERVICE = {"GET": "ListBuckets"}
BUCKET = {
    ("GET", ""): "ListObjects",
    ("HEAD", ""): "HeadBucket",
    ("PUT", ""): "CreateBucket",
    ("DELETE", ""): "DeleteBucket",
    ("GET", "location"): "GetBucketLocation",
    ("GET", "versioning"): "GetBucketVersioning",
    ("GET", "versions"): "ListObjectVersions",
    ("GET", "uploads"): "ListMultipartUploads",
    ("POST", ""): "PostObject",
    ("POST", "delete"): "DeleteObjects",
    ("GET", "acl"): "GetBucketAcl",
    ("GET", "policy"): "GetBucketPolicy",
    ("PUT", "policy"): "PutBucketPolicy",
    ("DELETE", "policy"): "DeleteBucketPolicy",
    ("GET", "tagging"): "GetBucketTagging",
    ("PUT", "tagging"): "PutBucketTagging",
    ("DELETE", "tagging"): "DeleteBucketTagging",
    ("PUT", "acl"): "PutBucketAcl",
    ("GET", "encryption"): "GetBucketEncryption",
    ("PUT", "encryption"): "PutBucketEncryption",
    ("DELETE", "encryption"): "DeleteBucketEncryption",
    ("GET", "policyStatus"): "GetBucketPolicyStatus",
    ("GET", "ownershipControls"): "GetBucketOwnershipControls",
    ("PUT", "ownershipControls"): "PutBucketOwnershipControls",
    ("DELETE", "ownershipControls"): "DeleteBucketOwnershipControls",
    ("GET", "publicAccessBlock"): "GetPublicAccessBlock",
    ("PUT", "publicAccessBlock"): "PutPublicAccessBlock",
    ("DELETE", "publicAccessBlock"): "DeletePublicAccessBlock",
    ("PUT", "versioning"): "PutBucketVersioning",
    ("GET", "object-lock"): "GetObjectLockConfiguration",
    ("PUT", "object-lock"): "PutObjectLockConfiguration",
    ("GET", "website"): "GetBucketWebsite",
    ("DELETE", "website"): "DeleteBucketWebsite",
    ("GET", "logging"): "GetBucketLogging",
    ("PUT", "logging"): "PutBucketLogging",
    ("GET", "notification"): "GetBucketNotificationConfiguration",
    ("PUT", "notification"): "PutBucketNotificationConfiguration",
    ("GET", "accelerate"): "GetBucketAccelerateConfiguration",
    ("GET", "requestPayment"): "GetBucketRequestPayment",
    ("PUT", "requestPayment"): "PutBucketRequestPayment",
    ("GET", "replication"): "GetBucketReplication",
    ("PUT", "replication"): "PutBucketReplication",
    ("DELETE", "replication"): "DeleteBucketReplication",
    ("GET", "cors"): "GetBucketCors",
    ("PUT", "cors"): "PutBucketCors",
    ("DELETE", "cors"): "DeleteBucketCors",
    ("GET", "lifecycle"): "GetBucketLifecycleConfiguration",
    ("PUT", "lifecycle"): "PutBucketLifecycleConfiguration",
    ("DELETE", "lifecycle"): "DeleteBucketLifecycle",
}
OBJECT = {
    ("GET", ""): "GetObject",
    ("HEAD", ""): "HeadObject",
    ("PUT", ""): "PutObject",
    ("DELETE", ""): "DeleteObject",
    ("GET", "acl"): "GetObjectAcl",
    ("PUT", "acl"): "PutObjectAcl",
    ("GET", "tagging"): "GetObjectTagging",
    ("PUT", "tagging"): "PutObjectTagging",
    ("DELETE", "tagging"): "DeleteObjectTagging",
    ("GET", "attributes"): "GetObjectAttributes",
    ("GET", "torrent"): "GetObjectTorrent",
    ("GET", "retention"): "GetObjectRetention",
    ("PUT", "retention"): "PutObjectRetention",
    ("GET", "legal-hold"): "GetObjectLegalHold",
    ("PUT", "legal-hold"): "PutObjectLegalHold",
    ("GET", "partNumber"): "GetObject",
    ("HEAD", "partNumber"): "HeadObject",
    ("GET", "uploadId"): "ListParts",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("PUT", "partNumber,uploadId"): "UploadPart",
}
COPIES = {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about: bucket and key, "" where there is none."""

    bucket: str = ""
    key: str = ""


def target_of(raw_path: str, host: str, domain: str) -> Target:
    """Return the bucket and key of a request.

    Args:
        raw_path: As sent; decoded here, once.
        host: The Host header.
        domain: Domain of virtual-hosted buckets, "" for path style only.

    Raises:
        S3Error: InvalidArgument: the path is not UTF-8.
    """
    try:
        path = unquote_to_bytes(raw_path).decode("utf-8")
    except UnicodeDecodeError:
        raise S3Error("InvalidArgument", "The path is not UTF-8.") from None
    path = path.removeprefix("/")
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if domain and name.endswith(f".{domain}"):
        return Target(name.removesuffix(f".{domain}"), path)
    bucket, _, key = path.partition("/")
    return Target(bucket, key)


def operation_of(method: str, target: Target, query: Mapping[str, str], *, is_copy: bool) -> str:
    """Return the name of the operation.

    Raises:
        S3Error: NotImplemented, or MethodNotAllowed.
    """
    chosen = sorted(set(query) & SUB_RESOURCES)
    sub_resource = ",".join(chosen)
    if not target.bucket:
        if method in SERVICE and not chosen:
            return SERVICE[method]
        raise S3Error("MethodNotAllowed", "Only a list of buckets can be asked for here.")
    table = OBJECT if target.key else BUCKET
    operation = table.get((method, sub_resource))
    if operation is None:
        raise S3Error("NotImplemented", f"{method} of this sub-resource is not implemented.")
    return COPIES.get(operation, operation) if is_copy else operation
