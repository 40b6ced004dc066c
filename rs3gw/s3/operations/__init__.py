"""The operations of the S3 endpoint, by their names in the API."""

from collections.abc import Callable, Mapping

from django.http.response import HttpResponseBase

from rs3gw.s3.auth import Identity
from rs3gw.s3.operations import (
    acl,
    attributes,
    buckets,
    cors,
    listing,
    multipart,
    objects,
    reading,
    settings,
)
from rs3gw.s3.request import S3Request

Operation = Callable[[S3Request, Identity], HttpResponseBase]

OPERATIONS: Mapping[str, Operation] = {
    "AbortMultipartUpload": multipart.abort,
    "CompleteMultipartUpload": multipart.complete,
    "CopyObject": objects.copy_object,
    "CreateBucket": buckets.create,
    "CreateMultipartUpload": multipart.create,
    "DeleteBucket": buckets.delete,
    "DeleteBucketCors": cors.delete_cors,
    "DeleteBucketPolicy": buckets.delete_policy,
    "DeleteBucketReplication": settings.delete_replication,
    "DeleteBucketTagging": buckets.delete_tagging,
    "DeleteObject": objects.delete_object,
    "DeleteBucketWebsite": settings.delete_website,
    "DeleteObjects": objects.delete_objects,
    "DeleteObjectTagging": attributes.delete_tagging,
    "GetBucketAccelerateConfiguration": settings.get_accelerate,
    "GetBucketAcl": buckets.get_acl,
    "GetBucketCors": cors.get_cors,
    "GetBucketLocation": buckets.get_location,
    "GetBucketPolicy": buckets.get_policy,
    "GetBucketTagging": buckets.get_tagging,
    "GetBucketLogging": settings.get_logging,
    "GetBucketNotificationConfiguration": settings.get_notification,
    "GetBucketReplication": settings.get_replication,
    "GetBucketRequestPayment": settings.get_request_payment,
    "GetBucketVersioning": settings.get_versioning,
    "GetBucketWebsite": settings.get_website,
    "GetObject": reading.get_object,
    "GetObjectAcl": reading.get_acl,
    "GetObjectAttributes": reading.get_attributes,
    "GetObjectLegalHold": attributes.get_legal_hold,
    "GetObjectLockConfiguration": settings.get_object_lock,
    "GetObjectRetention": attributes.get_retention,
    "GetObjectTagging": attributes.get_tagging,
    "HeadBucket": buckets.head,
    "HeadObject": reading.head_object,
    "ListBuckets": listing.list_buckets,
    "ListMultipartUploads": multipart.list_uploads,
    "ListObjects": listing.list_objects,
    "ListObjectVersions": listing.list_versions,
    "ListParts": multipart.list_parts,
    "PutBucketCors": cors.put_cors,
    "PutBucketPolicy": buckets.put_policy,
    "PutBucketTagging": buckets.put_tagging,
    "PutBucketLogging": settings.put_logging,
    "PutBucketNotificationConfiguration": settings.put_notification,
    "PutBucketReplication": settings.put_replication,
    "PutBucketRequestPayment": settings.put_request_payment,
    "PutBucketVersioning": settings.put_versioning,
    "PutObject": objects.put_object,
    "PutObjectLegalHold": attributes.put_legal_hold,
    "PutObjectLockConfiguration": settings.put_object_lock,
    "PutObjectRetention": attributes.put_retention,
    "PutObjectTagging": attributes.put_tagging,
    "UploadPart": multipart.put_part,
    "UploadPartCopy": multipart.copy_part,
}
