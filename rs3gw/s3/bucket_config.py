"""What a bucket's settings mean, read once for each change of them.

Every request asks for them, so what was parsed is kept for as long as the revision in the bucket's
row, which each request reads anyway, stays the same.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from replication import services
from rs3gw.s3.core.locks import LockConfiguration, parse_configuration
from rs3gw.storage.models import Bucket

KEPT_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketConfig:
    """A bucket's settings.

    Attributes:
        texts: All settings as they were put, by name.
        lock: Its object lock; None where that is off.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    lock: LockConfiguration | None = None

    def json(self, name: str) -> Any:
        """Return a setting that is kept as JSON, or None."""
        text = self.texts.get(name)
        return None if text is None else json.loads(text)


_kept: dict[int, tuple[int, BucketConfig]] = {}


def of(bucket: Bucket) -> BucketConfig:
    """Return the settings of a bucket as its row, just read, says they are."""
    known = _kept.get(bucket.pk)
    if known is not None and known[0] == bucket.settings_revision:
        return known[1]
    config = _compile(services.get_bucket_settings(bucket))
    if len(_kept) >= KEPT_MAX:
        _kept.clear()
    _kept[bucket.pk] = (bucket.settings_revision, config)
    return config


def _compile(texts: Mapping[str, str]) -> BucketConfig:
    lock = texts.get("object_lock")
    return BucketConfig(
        texts=texts, lock=None if lock is None else parse_configuration(lock.encode())
    )
