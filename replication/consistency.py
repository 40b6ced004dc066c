"""The consistency that each bucket asks for, and what it amounts to now."""

import logging

from cluster import selectors as cluster_selectors
from cluster.core.config import ReplicationMode
from replication import bucket_state, registers
from replication.core.consistency import (
    DEFAULT,
    BadConsistency,
    Consistency,
    effective_write,
    is_degraded,
    parse,
)
from replication.engine import default_mode
from replication.models import Register
from rs3gw.common import clock
from rs3gw.storage import selectors
from rs3gw.storage.models import Bucket

logger = logging.getLogger(__name__)
SETTING = "consistency"
KEPT_MAX = 10_000
_kept: dict[int, tuple[int, Consistency]] = {}


def of(bucket: Bucket) -> Consistency:
    """Return what a bucket asks for; read once for each change of its settings."""
    known = _kept.get(bucket.pk)
    if known is not None and known[0] == bucket.settings_revision:
        return known[1]
    scopes = [f"bucket:{life.incarnation}" for life in bucket_state.lives_that_count(bucket)]
    value = registers.read_newest(scopes, SETTING)
    found = DEFAULT if value is None else _read(bucket, str(value["text"]))
    if len(_kept) >= KEPT_MAX:
        _kept.clear()
    _kept[bucket.pk] = (bucket.settings_revision, found)
    return found


def _read(bucket: Bucket, text: str) -> Consistency:
    try:
        return parse(text)
    except BadConsistency as error:
        # Put on a node of another version: the careful reading of what cannot be read.
        logger.error("the consistency of bucket %s cannot be read: %s", bucket.name, error)  # noqa: TRY400
        return Consistency(write=ReplicationMode.QUORUM)


def write_mode(bucket: Bucket) -> ReplicationMode:
    """Return who must confirm a write to a bucket now."""
    wanted = of(bucket)
    silences = silences_seconds() if wanted.degrade_after_seconds else []
    return effective_write(wanted, default_mode(), silences)


def is_confirmed(bucket: Bucket) -> bool:
    """Return whether other members confirm the writes of a bucket before they are answered."""
    return write_mode(bucket) != ReplicationMode.ASYNCHRONOUS


def silences_seconds() -> list[float]:
    """Return for how long each member that cannot be reached has been silent."""
    now = clock.utcnow()
    return [
        (now - node.last_seen).total_seconds()
        for node in cluster_selectors.registered_peers()
        if not node.is_routable
    ]


def degraded_buckets() -> list[str]:
    """Return the names of the buckets that go on without members that must confirm writes."""
    silences = silences_seconds()
    if not silences:
        return []
    wanting = Register.objects.filter(
        scope__startswith="bucket:", name=SETTING, is_deleted=False
    ).values_list("scope", "value")
    names = []
    for scope, value in wanting:
        if not is_degraded(_parsed(value), silences):
            continue
        bucket = selectors.find_incarnation(scope.partition(":")[2])
        if bucket is not None and bucket.state in selectors.SERVED_STATES:
            names.append(bucket.name)
    return sorted(set(names))


def _parsed(value: object) -> Consistency:
    try:
        return parse(str(value["text"])) if isinstance(value, dict) else DEFAULT
    except (BadConsistency, KeyError):
        return DEFAULT
