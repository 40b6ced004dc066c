"""What this node holds, for those who read."""

import json
from collections.abc import Sequence
from datetime import UTC
from typing import Any
from uuid import UUID

from django.db import connection

from rs3gw.storage import rows
from rs3gw.storage.core import listing
from rs3gw.storage.core.objects import Entry
from rs3gw.storage.errors import NoSuchBucket
from rs3gw.storage.models import Bucket, BucketState, InlineBody

LISTING_BATCH_ROWS = 1000
SERVED_STATES = (BucketState.LIVE, BucketState.DELETE_CONFLICT)
ListPage = listing.Page[Entry]
_BUCKET_FIELDS = [field.attname for field in Bucket._meta.concrete_fields]
_BUCKET_SQL = (
    f"SELECT {', '.join(_BUCKET_FIELDS)} FROM storage_bucket "  # noqa: S608  (our own columns)
    "WHERE name = %s AND state IN ('live', 'delete_conflict')"
)
_FIND_SQL = (
    f"SELECT {rows.ENTRY_COLUMNS} FROM storage_objectversion "  # noqa: S608  (our own columns)
    "WHERE bucket_id = %s AND key = %s AND "
)
_LIST_SQL = (
    f"SELECT {rows.ENTRY_COLUMNS} FROM storage_objectversion "  # noqa: S608  (our own columns)
    "WHERE bucket_id = %s AND is_latest AND state = 'live' AND key {op} %s {upper} "
    "ORDER BY bucket_id, key LIMIT %s"
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


def find_entry(bucket: Bucket, key: str, version_id: str | None = None) -> Entry | None:
    """Return the version that readers see, or the one with `version_id`.

    Returns:
        None when there is no such version, or when the key's newest value is a delete.
    """
    if version_id is None:
        condition = "is_latest = %s"
        parameters: tuple[object, ...] = (bucket.pk, key, True)
    else:
        condition, parameters = "version_id = %s ORDER BY hlc DESC", (bucket.pk, key, version_id)
    row = rows.fetch_one(_FIND_SQL + condition, parameters)
    if row is None:
        return None
    entry = rows.to_entry(row)
    return None if entry.is_tombstone and version_id is None else entry


def list_keys(
    *,
    bucket: Bucket,
    prefix: str = "",
    delimiter: str = "",
    start_after: str = "",
    max_keys: int = 1000,
) -> ListPage:
    """Return one page of a bucket in key order.

    A walk on the index: it costs as many rows as the page has items and groups, whatever the
    bucket's size, because a group is left by seeking past it.

    Args:
        bucket: The bucket to list.
        prefix: Only keys that start with it.
        delimiter: Groups keys up to its first occurrence after the prefix; "" for no groups.
        start_after: Only keys and groups after it.
        max_keys: Most items and groups together; >= 0.
    """
    page: ListPage = listing.Page(keys_max=max_keys)
    if max_keys == 0:
        return page
    end = listing.successor(prefix) if prefix else None
    position, inclusive = _first_position(prefix, delimiter, start_after)
    batch = min(LISTING_BATCH_ROWS, max_keys + 1)
    while True:
        found = _walk(bucket.pk, position, end, batch, inclusive=inclusive)
        skip_to: str | None = None
        for entry in found:
            if skip_to is not None and entry.key < skip_to:
                continue
            group = listing.common_prefix(entry.key, prefix, delimiter)
            if group is None:
                added = page.add_entry(entry.key, entry)
            else:
                added, skip_to = page.add_group(group), listing.successor(group)
            if not added or (group is not None and skip_to is None):
                return page
        if len(found) < batch:
            return page
        position, inclusive = found[-1].key, False
        if skip_to is not None and position < skip_to:
            position, inclusive = skip_to, True


def _first_position(prefix: str, delimiter: str, start_after: str) -> tuple[str, bool]:
    group = listing.common_prefix(start_after, prefix, delimiter) if start_after else None
    if group is not None and start_after.startswith(prefix):
        # The group of the marker was given on an earlier page; go on behind it.
        after_group = listing.successor(group)
        if after_group is not None:
            return after_group, True
    if start_after >= prefix and start_after:
        return start_after, False
    return prefix, True


def _walk(
    bucket_id: int, position: str, end: str | None, limit: int, *, inclusive: bool
) -> list[Entry]:
    upper = "" if end is None else "AND key < %s"
    statement = _LIST_SQL.format(op=">=" if inclusive else ">", upper=upper)
    bounds = (position,) if end is None else (position, end)
    return [rows.to_entry(row) for row in rows.fetch_all(statement, (bucket_id, *bounds, limit))]


def is_bucket_empty(bucket: Bucket) -> bool:
    """Return whether a bucket holds no live object version."""
    statement = (
        "SELECT 1 FROM storage_objectversion WHERE bucket_id = %s AND state = 'live' LIMIT 1"
    )
    return rows.fetch_one(statement, (bucket.pk,)) is None


def known_bodies(sha256s: Sequence[str]) -> set[str]:
    """Return which of these small bodies are in the database."""
    return set(InlineBody.objects.filter(sha256__in=sha256s).values_list("sha256", flat=True))


def _no_bucket(name: str) -> Bucket:
    raise NoSuchBucket(f"The bucket {name!r} does not exist.")
