"""The backpressure of one bucket: a setting like its others, in JSON."""

import json
from collections.abc import Mapping

from replication import backlog
from replication.core.backpressure import limits_from_json
from replication.errors import ControlError
from replication.services.buckets import get_bucket_setting, put_bucket_setting
from rs3gw.storage.models import Bucket

NAME = "backpressure"


def get_backpressure(bucket: Bucket) -> dict[str, object]:
    """Return what a bucket says of backpressure itself; empty when it follows the cluster."""
    return dict(json.loads(get_bucket_setting(bucket, NAME) or "{}"))


def put_backpressure(bucket: Bucket, value: object, *, author: str) -> dict[str, object]:
    """Say what writers of a bucket feel of a backlog; return what is kept.

    Raises:
        ControlError: The value cannot be.
        WriteRefused, WriteIndeterminate: As in `create_bucket`.
    """
    if not isinstance(value, Mapping):
        raise ControlError("Backpressure must be an object with fields such as policy.")
    try:
        limits_from_json(value, backlog.default_limits())
    except ValueError as error:
        raise ControlError(f"This backpressure cannot be: {error}.") from None
    put_bucket_setting(bucket=bucket, name=NAME, value=json.dumps(dict(value)), author=author)
    return get_backpressure(bucket)
