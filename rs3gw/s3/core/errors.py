"""S3's error codes, their statuses, and the XML they are written in."""

import re
from collections.abc import Mapping
from html import escape

from rs3gw.common.errors import Rs3gwError

STATUSES = {
    "AccessControlListNotSupported": 400,
    "AccessDenied": 403,
    "AccessForbidden": 403,
    "AuthorizationHeaderMalformed": 400,
    "AuthorizationQueryParametersError": 400,
    "BadDigest": 400,
    "BadRequest": 400,
    "BucketAlreadyExists": 409,
    "BucketAlreadyOwnedByYou": 409,
    "BucketNotEmpty": 409,
    "EntityTooLarge": 400,
    "EntityTooSmall": 400,
    "IncompleteBody": 400,
    "InternalError": 500,
    "InvalidAccessKeyId": 403,
    "InvalidArgument": 400,
    "InvalidBucketAclWithObjectOwnership": 400,
    "InvalidBucketName": 400,
    "InvalidBucketState": 409,
    "InvalidDigest": 400,
    "InvalidEncryptionAlgorithmError": 400,
    "InvalidLocationConstraint": 400,
    "InvalidPart": 400,
    "InvalidPartNumber": 416,
    "InvalidPartOrder": 400,
    "InvalidPolicyDocument": 400,
    "InvalidRange": 416,
    "InvalidRequest": 400,
    "InvalidRetentionPeriod": 400,
    "InvalidTag": 400,
    "KeyTooLongError": 400,
    "MalformedACLError": 400,
    "MalformedPOSTRequest": 400,
    "MalformedPolicy": 400,
    "MalformedTrailerError": 400,
    "MalformedXML": 400,
    "MaxPostPreDataLengthExceeded": 400,
    "MetadataTooLarge": 400,
    "MethodNotAllowed": 405,
    "MissingContentLength": 411,
    "NoSuchBucket": 404,
    "NoSuchBucketPolicy": 404,
    "NoSuchCORSConfiguration": 404,
    "NoSuchKey": 404,
    "NoSuchLifecycleConfiguration": 404,
    "NoSuchObjectLockConfiguration": 404,
    "NoSuchPublicAccessBlockConfiguration": 404,
    "NoSuchTagSet": 404,
    "NoSuchUpload": 404,
    "NoSuchVersion": 404,
    "NoSuchWebsiteConfiguration": 404,
    "NotImplemented": 501,
    "ObjectLockConfigurationNotFoundError": 404,
    "ConditionalRequestConflict": 409,
    "OperationAborted": 409,
    "OwnershipControlsNotFoundError": 404,
    "PreconditionFailed": 412,
    "ReplicationConfigurationNotFoundError": 404,
    "RequestTimeTooSkewed": 403,
    "RequestTimeout": 400,
    "SealBroken": 503,
    "ServerSideEncryptionConfigurationNotFoundError": 404,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
    "SlowDown": 503,
    "UnresolvableGrantByEmailAddress": 400,
    "XAmzContentSHA256Mismatch": 400,
}


# What XML cannot hold, not even escaped.
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


class S3Error(Rs3gwError):
    """An S3 request that is answered with an error.

    Attributes:
        headers: Headers of the answer, such as `x-amz-delete-marker`.
        details: Further elements of the answer, such as `Region`.
    """

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        assert code in STATUSES, code
        self.code = code
        self.headers = dict(headers or {})
        self.details = dict(details or {})
        super().__init__(message or code)


def status_of(error: Rs3gwError) -> int:
    """Return the HTTP status of an anticipated failure."""
    return STATUSES.get(error.code, 500)


def error_xml(error: Rs3gwError, *, resource: str, request_id: str, host_id: str) -> bytes:
    """Return the body of an error answer."""
    elements = {
        "Code": error.code,
        "Message": error.message,
        **getattr(error, "details", {}),
        "Resource": resource,
        "RequestId": request_id,
        "HostId": host_id,
    }
    content = "".join(
        f"<{name}>{escape(_readable(text))}</{name}>" for name, text in elements.items()
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{content}</Error>'.encode()


def _readable(text: str) -> str:
    return FORBIDDEN.sub("\ufffd", text)
