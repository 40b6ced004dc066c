"""Pages of a bucket in key order, read by walking the index.

A page costs as many rows as it has items and groups, whatever the bucket's size: a group under a
common prefix is left by seeking past it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rs3gw.storage import rows
from rs3gw.storage.core import listing
from rs3gw.storage.core.objects import NULL_VERSION, Entry
from rs3gw.storage.models import Bucket

# The largest page that S3 asks for, and the row that tells whether there is more.
BATCH_ROWS = 1001
ROWS_PER_ITEM = 4
_KEYS = (
    f"SELECT {rows.ENTRY_COLUMNS} FROM storage_objectversion "  # noqa: S608  (our own columns)
    "WHERE bucket_id = %s AND is_latest AND state = 'live' AND key {op} %s {upper} "
    "ORDER BY bucket_id, key LIMIT %s"
)
_VERSIONS = (
    f"SELECT {rows.ENTRY_COLUMNS} FROM storage_objectversion "  # noqa: S608  (our own columns)
    "WHERE bucket_id = %s AND state <> 'tombstone' AND key {op} %s {upper} "
    "ORDER BY bucket_id, key, hlc DESC, actor DESC, seq DESC LIMIT %s"
)
_OLDER = (
    f"SELECT {rows.ENTRY_COLUMNS} FROM storage_objectversion "  # noqa: S608  (our own columns)
    "WHERE bucket_id = %s AND state <> 'tombstone' AND key = %s "
    "AND (hlc, actor, seq) < (%s, %s, %s) "
    "ORDER BY hlc DESC, actor DESC, seq DESC LIMIT %s"
)
_NEWEST = (
    "SELECT {columns} FROM storage_objectversion WHERE bucket_id = %s AND key = %s "
    "AND version_id = %s ORDER BY hlc DESC, actor DESC, seq DESC LIMIT 1"
)
_POSITION = _NEWEST.format(columns="hlc, actor, seq")
_NEWEST_ID = _NEWEST.format(columns="id")
ListPage = listing.Page[Entry]


@dataclass(slots=True)
class VersionPage(listing.Page[Entry]):
    """A page of versions: by key, and the newest first within a key."""

    @property
    def next_key_marker(self) -> str:
        """Key or group after which the next page begins."""
        return self.next_start_after

    @property
    def next_version_marker(self) -> str:
        """Version after which the next page begins; "" when the last item is a group."""
        last = self.entries[-1] if self.entries else None
        return last.version_id if last is not None and last.key == self.next_start_after else ""


@dataclass(frozen=True, slots=True)
class _Range:
    """Which keys are walked: from `position` on and before `end`; and whether all versions."""

    bucket_id: int
    has_versions: bool
    position: str
    is_inclusive: bool
    end: str | None

    def read(self, limit: int) -> list[Entry]:
        upper = "" if self.end is None else "AND key < %s"
        template = _VERSIONS if self.has_versions else _KEYS
        statement = template.format(op=">=" if self.is_inclusive else ">", upper=upper)
        bounds = (self.position,) if self.end is None else (self.position, self.end)
        found = rows.fetch_all(statement, (self.bucket_id, *bounds, limit))
        return [rows.to_entry(row) for row in found]

    def shows(self, entry: Entry) -> bool:
        """Return whether a row belongs on the page."""
        return not self.has_versions or _is_shown(entry)

    def rest_of_key(self, last: Entry, limit: int) -> list[Entry]:
        """Return what a batch left of its last key: its older versions, up to `limit`."""
        if not self.has_versions:
            return []
        return _older_than(self.bucket_id, last.key, (last.hlc, last.actor, last.seq), limit)


def list_keys(
    *,
    bucket: Bucket,
    prefix: str = "",
    delimiter: str = "",
    start_after: str = "",
    max_keys: int = 1000,
) -> ListPage:
    """Return one page of the objects that readers see, in key order.

    Args:
        bucket: The bucket to list.
        prefix: Only keys that start with it.
        delimiter: Groups keys up to its first occurrence after the prefix; "" for no groups.
        start_after: Only keys and groups after it.
        max_keys: Most items and groups together; >= 0.
    """
    page: ListPage = listing.Page(keys_max=max_keys)
    position, is_inclusive = _first_position(prefix, delimiter, start_after)
    end = listing.successor(prefix) if prefix else None
    if max_keys > 0:
        _fill(page, _Range(bucket.pk, False, position, is_inclusive, end), prefix, delimiter)
    return page


def list_versions(
    *,
    bucket: Bucket,
    prefix: str = "",
    delimiter: str = "",
    key_marker: str = "",
    version_marker: str = "",
    max_keys: int = 1000,
) -> VersionPage:
    """Return one page of all versions and delete markers, newest first within a key.

    Args:
        bucket: The bucket to list.
        prefix: Only keys that start with it.
        delimiter: Groups keys up to its first occurrence after the prefix; "" for no groups.
        key_marker: Only keys and groups after it.
        version_marker: With `key_marker`, also the versions of that key older than this one.
        max_keys: Most items and groups together; >= 0.
    """
    page = VersionPage(keys_max=max_keys)
    if max_keys == 0:
        return page
    if key_marker and version_marker and key_marker.startswith(prefix):
        for entry in _older_versions(bucket, key_marker, version_marker, max_keys + 1):
            if not page.add_entry(entry.key, entry):
                return page
    position, is_inclusive = _first_position(prefix, delimiter, key_marker)
    end = listing.successor(prefix) if prefix else None
    _fill(page, _Range(bucket.pk, True, position, is_inclusive, end), prefix, delimiter)
    return page


def _older_versions(bucket: Bucket, key: str, version_id: str, limit: int) -> list[Entry]:
    marker = rows.fetch_one(_POSITION, (bucket.pk, key, version_id))
    return [] if marker is None else _older_than(bucket.pk, key, marker, limit)


def _older_than(bucket_id: int, key: str, dot: Sequence[int], limit: int) -> list[Entry]:
    """Return the versions of a key before the one with this (hlc, actor, seq)."""
    found = rows.fetch_all(_OLDER, (bucket_id, key, *dot, limit))
    return [entry for entry in map(rows.to_entry, found) if _is_shown(entry)]


def _is_shown(entry: Entry) -> bool:
    """Return whether a row is what its version is; concurrent writes of `null` may hide it."""
    if entry.version_id != NULL_VERSION or entry.is_latest:
        return True
    row = rows.fetch_one(_NEWEST_ID, (entry.bucket_id, entry.key, entry.version_id))
    return row is not None and row[0] == entry.row_id


def _fill(page: listing.Page[Entry], walked: _Range, prefix: str, delimiter: str) -> None:
    batch_max = batch = min(BATCH_ROWS, page.keys_max + 1)
    while True:
        found = walked.read(batch)
        items_before = page.item_count()
        skip_to: str | None = None
        for entry in found:
            if (skip_to is not None and entry.key < skip_to) or not walked.shows(entry):
                continue
            group = listing.common_prefix(entry.key, prefix, delimiter)
            if group is None:
                added = page.add_entry(entry.key, entry)
            else:
                added, skip_to = page.add_group(group), listing.successor(group)
            if not added or (group is not None and skip_to is None):
                return
        if len(found) < batch:
            return
        last = found[-1]
        # What is read of a group behind its first key is read in vain: few at a time where groups
        # are large, and more again where they are not.
        new_items = page.item_count() - items_before
        batch = min(batch_max, ROWS_PER_ITEM * (new_items or batch))
        if skip_to is not None and last.key < skip_to:
            walked = replace(walked, position=skip_to, is_inclusive=True)
            continue
        for entry in walked.rest_of_key(last, page.keys_max + 1):
            if not page.add_entry(entry.key, entry):
                return
        walked = replace(walked, position=last.key, is_inclusive=False)


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
