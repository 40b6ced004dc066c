"""What can go wrong with an object, under S3's own names."""

from rs3gw.common.errors import Rs3gwError


class StorageError(Rs3gwError):
    """A request cannot be served as asked; `code` is the S3 error code."""


class NoSuchBucket(StorageError):
    """There is no bucket of that name."""

    code = "NoSuchBucket"
    default_message = "The specified bucket does not exist."


class NoSuchKey(StorageError):
    """There is no object under that key."""

    code = "NoSuchKey"
    default_message = "The specified key does not exist."


class NoSuchUpload(StorageError):
    """The upload was completed, aborted, or never began."""

    code = "NoSuchUpload"
    default_message = (
        "The specified multipart upload does not exist. It may have been aborted or completed."
    )


class BucketAlreadyOwnedByYou(StorageError):
    """The bucket exists and belongs to the caller."""

    code = "BucketAlreadyOwnedByYou"
    default_message = "Your previous request to create the named bucket succeeded; it is yours."


class BucketAlreadyExists(StorageError):
    """The bucket exists and belongs to someone else."""

    code = "BucketAlreadyExists"
    default_message = "The requested bucket name is taken. Choose another name."


class BucketNotEmpty(StorageError):
    """A bucket with objects cannot be deleted."""

    code = "BucketNotEmpty"
    default_message = "The bucket still holds objects. Delete them first."


class InvalidPart(StorageError):
    """A part that was named is not there, or is another one."""

    code = "InvalidPart"
    default_message = (
        "One or more of the specified parts could not be found, or its entity tag is another."
    )


class InvalidPartOrder(StorageError):
    """Parts were not named in ascending order."""

    code = "InvalidPartOrder"
    default_message = "The list of parts was not in ascending order by part number."


class EntityTooSmall(StorageError):
    """A part other than the last is below the least size."""

    code = "EntityTooSmall"
    default_message = "Every part but the last must be at least 5 MiB."


class EntityTooLarge(StorageError):
    """A body is above the largest size."""

    code = "EntityTooLarge"
    default_message = "The proposed upload exceeds the maximum allowed size."


class StorageBusy(StorageError):
    """The writer did not take a change in time."""

    code = "SlowDown"
    retryable = True
    default_message = "This node cannot take the change now. Reduce your request rate and retry."


class StorageFull(StorageError):
    """The disk cannot take a body."""

    code = "ServiceUnavailable"
    retryable = True
    default_message = "This node's disk cannot take the body now. Free space there, then retry."


class BodyMissing(StorageError):
    """No reachable node holds the bytes of an object."""

    code = "ServiceUnavailable"
    retryable = True
    default_message = "No reachable node holds the bytes of this object now. Retry later."


class BodyLost(BodyMissing):
    """No node of the region holds the bytes of an object."""

    code = "InternalError"
    retryable = False
    default_message = (
        "No node holds the bytes of this object undamaged. The page of damaged bodies in the "
        "admin of the node says more."
    )


class NodesMissing(StorageError):
    """What is asked for may lie on nodes that do not answer."""

    code = "ServiceUnavailable"
    retryable = True
    default_message = (
        "A part of the upload may lie on a node that does not answer now. Retry when it is back."
    )


class BodyBroken(StorageError):
    """The stored bytes of an encrypted object are not what was stored."""

    code = "InternalError"
    default_message = "The stored bytes of this object are damaged. The log of the node says more."


class BodySealed(StorageError):
    """An object is encrypted with a key that is not at hand."""

    code = "InvalidRequest"
    default_message = (
        "The object was stored using a form of Server Side Encryption. The correct parameters "
        "must be provided to retrieve the object."
    )
