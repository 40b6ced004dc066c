"""Rules for the names of buckets and keys, as S3 refuses what breaks them."""

from rs3gw.s3.core.errors import S3Error
from rs3gw.storage.core import names

KEY_BYTES_MAX = 1024


def check_bucket_name(name: str) -> None:
    """Refuse a name that cannot be a bucket's.

    Raises:
        S3Error: InvalidBucketName, saying what is wrong.
    """
    problem = names.check_bucket_name(name)
    if problem:
        raise S3Error("InvalidBucketName", problem)


def check_key(key: str) -> None:
    """Refuse a key that cannot be stored.

    Raises:
        S3Error: KeyTooLongError or InvalidArgument.
    """
    if len(key.encode()) > KEY_BYTES_MAX:
        raise S3Error("KeyTooLongError", f"A key has at most {KEY_BYTES_MAX} bytes of UTF-8.")
    if not key or "\x00" in key:
        raise S3Error("InvalidArgument", "A key is not empty and holds no NUL character.")
