"""What this node holds, for those who read."""

import json
from collections.abc import Sequence
from datetime import UTC
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from rs3gw.storage import rows
from rs3gw.storage.core import listing
from rs3gw.storage.core.objects import Entry
from rs3gw.storage.errors import NoSuchBucket
from rs3gw.storage.models import Bucket, BucketState, InlineBody, MultipartUpload
from rs3gw.storage.walks import ListPage, VersionPage, list_keys, list_versions

__all__ = [
    "ListPage",
    "SERVED_STATES",
    "VersionPage",
    "find_bucket",
    "find_entry",
    "find_incarnation",
    "find_version",
    "get_bucket",
    "is_bucket_empty",
    "known_bodies",
    "list_buckets",
    "list_keys",
    "list_uploads",
    "list_versions",
]
SERVED_STATES = (BucketState.LIVE, BucketState.DELETE_CONFLICT)
_BUCKET_FIELDS = [field.attname for field in Bucket._meta.concrete_fields]
_BUCKET_SQL = (
    f"SELECT {', '.join(_BUCKET_FIELDS)} FROM storage_bucket "  # noqa: S608  (our own columns)
    "WHERE name = %s AND state IN ('live', 'delete_conflict')"
)
_FIND_SQL = (
    f"SELECT {rows.ENTRY_COLUMNS} FROM storage_objectversion "  # noqa: S608  (our own columns)
    "WHERE bucket_id = %s AND key = %s AND "
)


def get_bucket(name: str) -> Bucket:
    """Return the bucket that a name stands for now.

    Raises:
        NoSuchBucket: There is none.
    """
    return find_bucket(name) or _no_bucket(name)


def find_bucket(name: str) -> Bucket | None:
    """Return the bucket that a name stands for now, or None."""
    row = rows.fetch_one(_BUCKET_SQL, (name,))
    return None if row is None else _bucket_of(row)


def _bucket_of(row: Sequence[Any]) -> Bucket:
    """Return a row as the ORM would; SQLite keeps UUIDs, dates and JSON as text."""
    values = dict(zip(_BUCKET_FIELDS, row, strict=True))
    values["incarnation"] = UUID(str(values["incarnation"]))
    created_at = values["created_at"]
    if created_at.tzinfo is None:
        values["created_at"] = created_at.replace(tzinfo=UTC)
    if isinstance(values["delete_context"], str):
        values["delete_context"] = json.loads(values["delete_context"])
    return Bucket.from_db(connection.alias, _BUCKET_FIELDS, list(values.values()))


def find_incarnation(incarnation: str) -> Bucket | None:
    """Return the bucket with an incarnation, following aliases to the life that carries on."""
    bucket = Bucket.objects.filter(incarnation=incarnation).select_related("alias_of").first()
    if bucket is not None and bucket.alias_of is not None:
        return bucket.alias_of
    return bucket


def list_buckets(owner: str | None = None) -> list[Bucket]:
    """Return the buckets that are served, by name."""
    buckets = Bucket.objects.filter(state__in=SERVED_STATES)
    return list(buckets if owner is None else buckets.filter(owner=owner))


def find_version(bucket: Bucket, key: str, version_id: str | None = None) -> Entry | None:
    """Return the newest version of a key, or the one with `version_id`; a delete marker too.

    Returns:
        None when there is no such version, or when it was deleted.
    """
    if version_id is None:
        condition = "is_latest = %s"
        parameters: tuple[object, ...] = (bucket.pk, key, True)
    else:
        condition = "version_id = %s ORDER BY hlc DESC, actor DESC, seq DESC LIMIT 1"
        parameters = (bucket.pk, key, version_id)
    row = rows.fetch_one(_FIND_SQL + condition, parameters)
    if row is None:
        return None
    entry = rows.to_entry(row)
    return None if entry.is_tombstone else entry


def find_entry(bucket: Bucket, key: str, version_id: str | None = None) -> Entry | None:
    """Return the object that readers see, or the one with `version_id`.

    Returns:
        None when there is none, or when it was deleted, by a delete marker too.
    """
    entry = find_version(bucket, key, version_id)
    return None if entry is None or entry.is_delete_marker else entry


def is_bucket_empty(bucket: Bucket) -> bool:
    """Return whether a bucket holds no version of any object, and no delete marker."""
    statement = (
        "SELECT 1 FROM storage_objectversion WHERE bucket_id = %s AND state <> 'tombstone' LIMIT 1"
    )
    return rows.fetch_one(statement, (bucket.pk,)) is None


def list_uploads(
    bucket: Bucket,
    *,
    prefix: str = "",
    key_marker: str = "",
    id_marker: str = "",
    limit: int = 1000,
) -> list[MultipartUpload]:
    """Return uploads under way by key and id, one more than `limit` when there are more."""
    uploads = MultipartUpload.objects.filter(bucket=bucket, key__gte=max(prefix, key_marker))
    end = listing.successor(prefix) if prefix else None
    if end is not None:
        uploads = uploads.filter(key__lt=end)
    if key_marker:
        after = Q(key__gt=key_marker)
        if id_marker:
            after |= Q(key=key_marker, upload_id__gt=id_marker)
        uploads = uploads.filter(after)
    return list(uploads.order_by("key", "upload_id")[: limit + 1])


def known_bodies(sha256s: Sequence[str]) -> set[str]:
    """Return which of these small bodies are in the database."""
    return set(InlineBody.objects.filter(sha256__in=sha256s).values_list("sha256", flat=True))


def _no_bucket(name: str) -> Bucket:
    raise NoSuchBucket(f"The bucket {name!r} does not exist.")
