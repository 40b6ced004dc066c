"""What is asked of other members before a request is answered from what is here."""

from replication import consistency, engine, reading
from replication.core.consistency import ReadMode
from rs3gw.storage.models import Bucket


def preflight(bucket: Bucket | None = None) -> None:
    """Refuse a write that its mode cannot complete now, before its body is read.

    Args:
        bucket: The bucket it goes to; the cluster's default mode counts when None.

    Raises:
        WriteRefused: Too few members can be reached.
    """
    engine.preflight(None if bucket is None else consistency.write_mode(bucket))


def prepare_read(bucket: Bucket, key: str, *, is_behind: bool = False) -> None:
    """Make this node hold what a read of a key must see.

    Args:
        bucket: The bucket.
        key: The key.
        is_behind: The client has seen changes that this node has not applied yet.

    Raises:
        ReadRefused: The bucket's reads ask a majority, and too few members answer.
    """
    if consistency.of(bucket).read == ReadMode.QUORUM:
        reading.refresh(bucket, key)
    elif is_behind:
        reading.find_elsewhere(bucket, key)


def prepare_condition(bucket: Bucket, key: str) -> None:
    """Make this node hold what the condition of a write is checked against, before its body.

    Raises:
        ReadRefused: Other members confirm the bucket's writes, and too few of them answer.
    """
    if consistency.is_confirmed(bucket):
        reading.refresh(bucket, key)
