"""What a write says about the version that it makes."""

from collections.abc import Mapping
from dataclasses import replace

from rs3gw.common import clock
from rs3gw.s3 import bucket_config
from rs3gw.s3.auth import Identity
from rs3gw.s3.core import locks
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.encryption import Sealing
from rs3gw.s3.operations.acl import new_object_acl
from rs3gw.s3.operations.headers import object_headers
from rs3gw.s3.request import S3Request
from rs3gw.storage.core.objects import ObjectHeaders
from rs3gw.storage.models import Bucket


def new_headers(
    request: S3Request, caller: Identity, bucket: Bucket, sealing: Sealing
) -> ObjectHeaders:
    """Return the headers, owner, access list and lock of a new version.

    Raises:
        S3Error: What the request asks for cannot be.
    """
    owner, acl = new_object_acl(request.headers, bucket, caller.owner)
    return replace(
        object_headers(request),
        owner=owner,
        acl=acl,
        lock=new_lock(request.headers, bucket),
        encryption=sealing.description,
    )


def new_lock(headers: Mapping[str, str], bucket: Bucket) -> dict[str, str]:
    """Return the lock of a new version: what its writer asks for, else the bucket's default.

    Raises:
        S3Error: InvalidRequest: the bucket has no object lock.
    """
    now = clock.utcnow()
    asked = locks.lock_from_headers(headers, now)
    configuration = bucket_config.of(bucket).lock
    if configuration is None:
        if asked:
            raise S3Error("InvalidRequest", "Bucket is missing Object Lock Configuration")
        return {}
    default = configuration.default
    if default is not None and "mode" not in asked:
        asked |= {"mode": default.mode, "until": locks.date_text(default.until(now))}
    return asked
