"""Carrying out lifecycle rules: a walk over the buckets that have some.

One run does a bounded amount of work and notes where it stopped; the next one goes on there, and
after the last bucket the walk begins again. What a run does is an ordinary delete, so it goes to
the other nodes like a client's. Therefore one node of a region does it: the first by name of
those that can be reached. Uploads are known only to the node that received them, so each node
aborts its own.
"""

import contextlib
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from django.conf import settings

from cluster import conf as cluster_conf
from cluster import selectors as cluster_selectors
from replication import services
from replication.errors import WriteRefused
from rs3gw.common import clock
from rs3gw.common.errors import Rs3gwError
from rs3gw.s3 import bucket_config
from rs3gw.s3.core import locks
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.lifecycle import (
    Act,
    ActKind,
    LifecycleRule,
    VersionFacts,
    decide_key,
    decide_upload,
    storage_class,
)
from rs3gw.storage import selectors
from rs3gw.storage.core.objects import Entry
from rs3gw.storage.errors import NoSuchUpload
from rs3gw.storage.models import Bucket

logger = logging.getLogger(__name__)
KEYS_A_RUN_MAX = 1_000_000
SECONDS_A_RUN_MAX = 600.0
PAGE_ROWS = 1000
_running = threading.Lock()


@dataclass(frozen=True, slots=True)
class Position:
    """Where a walk stands: behind this key of this bucket; at the beginning when both are ""."""

    bucket: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Some versions of one key, newest first.

    Attributes:
        newer_noncurrent: How many replaced versions of the key come before these.
        is_first: Whether these are the newest ones.
        is_last: Whether these are the oldest ones.
    """

    entries: list[Entry]
    facts: list[VersionFacts]
    newer_noncurrent: int
    is_first: bool
    is_last: bool


class _Changed(Rs3gwError):
    """A version is not what it was when it was decided to delete it."""


def run() -> None:
    """Do a bounded part of the walk, unless another thread is at it."""
    if not _running.acquire(blocking=False):
        return
    try:
        deadline = clock.monotonic() + SECONDS_A_RUN_MAX
        walk = Walk(
            now=clock.utcnow(),
            day_seconds=settings.RS3GW_LIFECYCLE_DAY_SECONDS,
            start=_load(),
            is_late=lambda: clock.monotonic() > deadline,
        )
        try:
            walk.run(is_acting=is_acting())
        finally:
            _save(walk.position)
    finally:
        _running.release()


def is_acting() -> bool:
    """Return whether this node deletes for its region now."""
    if not cluster_conf.is_enabled():
        return True
    own = cluster_selectors.self_info().node_id
    names = [node.node_id for node in cluster_selectors.routable()]
    return own in names and own == min(names)


def _position_path() -> Path:
    return Path(settings.RS3GW_DATA_DIR) / "lifecycle.json"


def _load() -> Position:
    try:
        value = json.loads(_position_path().read_text(encoding="utf-8"))
        return Position(str(value["bucket"]), str(value["key"]))
    except (OSError, ValueError, KeyError, TypeError):
        # Never written, or torn by a crash: a walk from the beginning does nothing twice.
        return Position()


def _save(position: Position) -> None:
    path = _position_path()
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(asdict(position)), encoding="utf-8")
    draft.replace(path)


class Walk:
    """One run over the buckets with rules.

    Attributes:
        position: Where the next run goes on.
    """

    def __init__(
        self,
        *,
        now: datetime,
        day_seconds: float,
        start: Position,
        keys_max: int = KEYS_A_RUN_MAX,
        is_late: Callable[[], bool] = lambda: False,
    ) -> None:
        self.position = start
        self._now = now
        self._day_seconds = day_seconds
        self._keys_left = keys_max
        self._is_late = is_late

    def run(self, *, is_acting: bool) -> None:
        """Walk until the end, or until there was enough work for one run.

        Args:
            is_acting: Whether to delete objects; without it only uploads are aborted.
        """
        for bucket in sorted(selectors.list_buckets(), key=lambda bucket: bucket.name):
            rules = bucket_config.of(bucket).lifecycle
            if bucket.name < self.position.bucket or not any(rule.is_enabled for rule in rules):
                continue
            if bucket.name != self.position.bucket:
                self.position = Position(bucket.name)
            try:
                self._abort_uploads(bucket, rules)
                if is_acting and not self._walk_bucket(bucket, rules):
                    return
            except WriteRefused as refusal:
                logger.warning("lifecycle rules wait: %s", refusal)
                return
        self.position = Position()

    def _walk_bucket(self, bucket: Bucket, rules: tuple[LifecycleRule, ...]) -> bool:
        """Carry out the rules on each key; return False when the run must end before its end."""
        deleting = [rule for rule in rules if rule.is_enabled and _deletes(rule)]
        if not deleting:
            return True
        prefix = os.path.commonprefix([rule.chosen_by().prefix or "" for rule in deleting])
        entries = _entries(bucket, prefix, self.position.key)
        for part in parts_of(entries, now=self._now):
            if part.is_first and (self._keys_left <= 0 or self._is_late()):
                return False
            self._keys_left -= part.is_first
            key = part.entries[0].key
            acts = decide_key(
                deleting,
                key,
                part.facts,
                now=self._now,
                day_seconds=self._day_seconds,
                newer_noncurrent=part.newer_noncurrent,
                is_whole=part.is_first and part.is_last,
            )
            by_id = {entry.version_id: entry for entry in part.entries}
            for act in acts:
                self._carry_out(bucket, by_id[act.version_id], act)
            if part.is_last:
                self.position = Position(bucket.name, key)
        return True

    def _carry_out(self, bucket: Bucket, entry: Entry, act: Act) -> None:
        is_current = act.kind == ActKind.EXPIRE_CURRENT
        services.preflight(bucket)
        try:
            services.delete_object(
                bucket=bucket,
                key=entry.key,
                version_id=None if is_current else entry.version_id,
                condition=self._unless_changed(entry, is_current=is_current),
            )
        except WriteRefused:
            raise
        except Rs3gwError as error:
            logger.info("rule %r leaves %r for now: %s", act.rule_id, entry.key, error)

    def _unless_changed(self, entry: Entry, *, is_current: bool) -> Callable[[Entry | None], None]:
        def condition(found: Entry | None) -> None:
            if found is None or (found.actor, found.seq) != (entry.actor, entry.seq):
                raise _Changed("It was written or deleted in the meantime.")
            if not is_current:
                locks.check_delete(found.headers.lock, self._now, bypasses=False)

        return condition

    def _abort_uploads(self, bucket: Bucket, rules: tuple[LifecycleRule, ...]) -> None:
        key_marker = id_marker = ""
        while any(rule.is_enabled and rule.abort_days is not None for rule in rules):
            uploads = selectors.list_uploads(
                bucket, key_marker=key_marker, id_marker=id_marker, limit=PAGE_ROWS
            )
            for upload in uploads[:PAGE_ROWS]:
                if decide_upload(
                    rules,
                    upload.key,
                    upload.initiated_at,
                    now=self._now,
                    day_seconds=self._day_seconds,
                ):
                    # One that ended in the meantime needs nothing more.
                    with contextlib.suppress(NoSuchUpload):
                        services.abort_upload(upload=upload)
            if len(uploads) <= PAGE_ROWS or self._is_late():
                return
            key_marker, id_marker = uploads[PAGE_ROWS - 1].key, uploads[PAGE_ROWS - 1].upload_id


def labelled(bucket: Bucket, entries: Sequence[Entry]) -> Sequence[Entry]:
    """Return entries as readers see them: with the storage class that transitions gave them.

    Args:
        bucket: Where they are.
        entries: By key, newest first. A replaced version is recognised by the one before it.
    """
    rules = bucket_config.of(bucket).lifecycle
    if not any(rule.transitions or rule.noncurrent_transitions for rule in rules):
        return entries
    now = clock.utcnow()
    found = []
    for part in parts_of(iter(entries), now=now):
        newer_noncurrent = part.newer_noncurrent
        for entry, facts in zip(part.entries, part.facts, strict=True):
            name = storage_class(
                rules,
                entry.key,
                facts,
                now=now,
                day_seconds=settings.RS3GW_LIFECYCLE_DAY_SECONDS,
                newer_noncurrent=newer_noncurrent,
            )
            newer_noncurrent += not facts.is_latest
            headers = replace(entry.headers, storage_class=name) if name else entry.headers
            found.append(replace(entry, headers=headers))
    return found


def _deletes(rule: LifecycleRule) -> bool:
    return rule.expiration is not None or rule.noncurrent_expiration is not None


def _entries(bucket: Bucket, prefix: str, key_marker: str) -> Iterator[Entry]:
    """Yield all versions of the keys after a marker, read page by page."""
    version_marker = ""
    while True:
        page = selectors.list_versions(
            bucket=bucket,
            prefix=prefix,
            key_marker=key_marker,
            version_marker=version_marker,
            max_keys=PAGE_ROWS,
        )
        yield from page.entries
        if not page.is_truncated:
            return
        key_marker, version_marker = page.next_key_marker, page.next_version_marker


def parts_of(
    entries: Iterator[Entry], *, now: datetime, versions_max: int = PAGE_ROWS
) -> Iterator[Part]:
    """Yield the versions of each key, in several parts when there are more than `versions_max`.

    A part is yielded only when the entry after it is known. So the page after it has been read
    before its versions are deleted, and the marker of that page still existed.
    """
    part = Part([], [], 0, is_first=True, is_last=False)
    newer: Entry | None = None
    for entry in entries:
        is_same_key = newer is not None and newer.key == entry.key
        if newer is not None and not is_same_key:
            yield replace(part, is_last=True)
            part = Part([], [], 0, is_first=True, is_last=False)
        elif len(part.entries) >= versions_max:
            yield part
            noncurrent = sum(not facts.is_latest for facts in part.facts)
            part = Part([], [], part.newer_noncurrent + noncurrent, is_first=False, is_last=False)
        part.entries.append(entry)
        part.facts.append(_facts(entry, newer if is_same_key else None, now))
        newer = entry
    if part.entries:
        yield replace(part, is_last=True)


def _facts(entry: Entry, newer: Entry | None, now: datetime) -> VersionFacts:
    return VersionFacts(
        version_id=entry.version_id,
        is_latest=entry.is_latest,
        is_delete_marker=entry.is_delete_marker,
        last_modified=entry.last_modified,
        became_noncurrent_at=None if newer is None else newer.last_modified,
        size_bytes=entry.size_bytes,
        tags=entry.headers.tags,
        is_locked=_is_locked(entry, now),
    )


def _is_locked(entry: Entry, now: datetime) -> bool:
    try:
        locks.check_delete(entry.headers.lock, now, bypasses=False)
    except S3Error:
        return True
    return False
