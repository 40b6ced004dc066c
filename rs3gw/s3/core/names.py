"""Rules for the names of buckets and keys."""

import re

from rs3gw.s3.core.errors import S3Error

RESERVED_BUCKETS = frozenset({"admin", "api", "metrics", "healthz", "static"})
KEY_BYTES_MAX = 1024
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")


def check_bucket_name(name: str) -> None:
    """Refuse a name that cannot be a bucket's.

    Raises:
        S3Error: InvalidBucketName, saying what is wrong.
    """
    if not _BUCKET.fullmatch(name):
        raise S3Error(
            "InvalidBucketName",
            "A bucket name has 3 to 63 lower-case letters, digits, dots and hyphens, and begins "
            "and ends with a letter or digit.",
        )
    if ".." in name or ".-" in name or "-." in name or _ADDRESS.fullmatch(name):
        raise S3Error("InvalidBucketName", "A bucket name is not an address and has no '..'.")
    if name in RESERVED_BUCKETS:
        raise S3Error("InvalidBucketName", f"The name {name!r} is kept for the node's own pages.")


def check_key(key: str) -> None:
    """Refuse a key that cannot be stored.

    Raises:
        S3Error: KeyTooLongError or InvalidArgument.
    """
    if len(key.encode()) > KEY_BYTES_MAX:
        raise S3Error("KeyTooLongError", f"A key has at most {KEY_BYTES_MAX} bytes of UTF-8.")
    if not key or "\x00" in key:
        raise S3Error("InvalidArgument", "A key is not empty and holds no NUL character.")
