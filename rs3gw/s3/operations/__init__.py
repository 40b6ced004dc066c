"""The operations of the S3 endpoint, by their names in the API."""

from collections.abc import Callable, Mapping

from django.http.response import HttpResponseBase

from rs3gw.s3.auth import Identity
from rs3gw.s3.operations import buckets, listing, multipart, multipart_lists, objects, reading
from rs3gw.s3.request import S3Request

Operation = Callable[[S3Request, Identity], HttpResponseBase]

OPERATIONS: Mapping[str, Operation] = {
    "AbortMultipartUpload": multipart.abort,
    "CompleteMultipartUpload": multipart.complete,
    "CopyObject": objects.copy_object,
    "CreateBucket": buckets.create,
    "CreateMultipartUpload": multipart.create,
    "DeleteBucket": buckets.delete,
    "DeleteBucketPolicy": buckets.delete_policy,
    "DeleteBucketTagging": buckets.delete_tagging,
    "DeleteObject": objects.delete_object,
    "DeleteObjects": objects.delete_objects,
    "GetBucketAcl": buckets.get_acl,
    "GetBucketLocation": buckets.get_location,
    "GetBucketPolicy": buckets.get_policy,
    "GetBucketTagging": buckets.get_tagging,
    "GetBucketVersioning": buckets.get_versioning,
    "GetObject": reading.get_object,
    "GetObjectAcl": reading.get_acl,
    "GetObjectTagging": reading.get_tagging,
    "HeadBucket": buckets.head,
    "HeadObject": reading.head_object,
    "ListBuckets": listing.list_buckets,
    "ListMultipartUploads": multipart_lists.list_uploads,
    "ListObjects": listing.list_objects,
    "ListObjectVersions": listing.list_versions,
    "ListParts": multipart_lists.list_parts,
    "PutBucketPolicy": buckets.put_policy,
    "PutBucketTagging": buckets.put_tagging,
    "PutObject": objects.put_object,
    "UploadPart": multipart.put_part,
    "UploadPartCopy": multipart.copy_part,
}
