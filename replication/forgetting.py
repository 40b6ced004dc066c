"""What is removed because every node has it and nobody can need it any more.

Deletes first: a tombstone goes when it is settled (`replication.core.stability`), so that nothing
that it keeps away can come back. The rest is what piles up beside: changes of versions that are
gone, rows of deleted buckets, old values of registers, gaps in what was applied.
"""

import json
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, F

from replication import bucket_state, eviction, selectors, stability
from replication.core.applied import AppliedRanges
from replication.core.stability import Cut, forgettable, remote_writers
from replication.models import (
    AppliedActor,
    BucketFarewell,
    BucketReplicationConfig,
    Delivery,
    DeliveryState,
    Register,
    RegisterRevision,
    UpkeepCount,
)
from replication.stability import Standing
from rs3gw.common import clock, hlc
from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage import commit, rows
from rs3gw.storage import services as storage
from rs3gw.storage.core.siblings import Sibling, Stamp
from rs3gw.storage.models import (
    Bucket,
    BucketState,
    ClockShard,
    ObjectVersion,
    VersionAttribute,
)

logger = logging.getLogger(__name__)
BATCH_ROWS = 200
TOMBSTONES_LOOKED_AT_MAX = 20_000
ATTRIBUTES_MAX = 20_000
BUCKETS_MAX = 500
REVISIONS_KEPT = 100

_TOMBSTONES = (
    "SELECT id, bucket_id, key, version_id, actor, seq, hlc, context FROM storage_objectversion "
    "WHERE state = 'tombstone' AND hlc < %s AND (hlc > %s OR (hlc = %s AND id > %s)) "
    "ORDER BY hlc, id LIMIT %s"
)
_ORPHANS = (
    "SELECT a.id, a.actor, a.seq FROM storage_versionattribute a "
    "WHERE a.id > %s AND a.set_hlc < %s AND NOT EXISTS "
    "(SELECT 1 FROM storage_objectversion v WHERE v.actor = a.actor AND v.seq = a.seq) "
    "ORDER BY a.id LIMIT %s"
)

# Where the last run stopped looking: (hlc, row id).
_reached: list[tuple[int, int]] = [(-1, 0)]


def forget_tombstones() -> int:
    """Remove settled tombstones that are old enough; return how many rows went."""
    standing = stability.current()
    if standing.held:
        logger.debug("no delete is forgotten: %s", standing.held)
        return 0
    age_ms = int(settings.RS3GW_TOMBSTONE_MIN_AGE_SECONDS * 1000)
    before = hlc.pack(clock.now_ms() - age_ms) if age_ms else 2**62
    removed = _walk(standing.cut, before)
    count("tombstones", removed)
    return removed


def _walk(cut: Cut, before: int) -> int:
    removed = looked_at = 0
    while looked_at < TOMBSTONES_LOOKED_AT_MAX:
        at_hlc, at_id = _reached[0]
        found = rows.fetch_all(_TOMBSTONES, (before, at_hlc, at_hlc, at_id, BATCH_ROWS))
        going = [row for row in found if cut.is_settled(_sibling(row))]
        places = sorted({(row[1], row[2], row[3]) for row in going})
        if places:
            removed += commit.run(lambda places=places: _forget(places, cut, before))  # type: ignore[misc]
        looked_at += len(found)
        _reached[0] = (found[-1][6], found[-1][0]) if len(found) == BATCH_ROWS else (-1, 0)
        if len(found) < BATCH_ROWS:
            break
    return removed


def _sibling(row: Sequence[object]) -> Sibling:
    actor, seq, stamp = (int(str(number)) for number in row[4:7])
    context = VectorClock.from_json(json.loads(str(row[7])))
    return Sibling(Stamp(actor, seq, stamp), context, is_tombstone=True)


def _forget(places: Sequence[tuple[int, str, str]], cut: Cut, before: int) -> int:
    def choose(siblings: Sequence[Sibling]) -> Sequence[Sibling]:
        return forgettable(siblings, lambda s: s.stamp.hlc < before and cut.is_settled(s))

    return sum(storage.forget_values(*place, choose) for place in places)


def tidy() -> None:
    """Remove what piles up beside the objects; run from time to time."""
    eviction.end_settled()
    stability.forget_strangers()
    standing = stability.current()
    _learn_of_remote_writers(standing)
    if not standing.held:
        count("buckets", _forget_buckets(standing.cut))
    age_seconds = settings.RS3GW_TOMBSTONE_MIN_AGE_SECONDS
    count("attributes", _forget_attributes(hlc.pack(clock.now_ms() - int(age_seconds * 1000))))
    count("revisions", _forget_revisions())
    retention = timedelta(seconds=settings.RS3GW_EVENT_RETENTION_SECONDS)
    count("deliveries", _forget_deliveries(clock.utcnow() - retention))


def count(name: str, removed: int) -> None:
    """Add to how many rows of a kind were removed."""
    if removed:
        UpkeepCount.objects.get_or_create(name=name)
        UpkeepCount.objects.filter(name=name).update(removed=F("removed") + removed)


def _learn_of_remote_writers(standing: Standing) -> None:
    """Close the gaps in what was applied of remote regions that nobody will fill any more."""
    told = [word for word in standing.others.values() if word is not None]
    remote = remote_writers([stability.own_told(), *told])
    for actor in remote:
        through = max(word.settled.get(actor, 0) for word in told) if told else 0
        row, _ = AppliedActor.objects.get_or_create(actor=actor)
        AppliedActor.objects.filter(actor=actor).update(
            is_remote=True, settled=max(row.settled, through)
        )
        closed = standing.cut.settled.get(actor, 0)
        if not standing.cut.silent and row.frontier < closed:
            commit.run(lambda a=actor, c=closed: eviction.close_gap(a, 1, c))  # type: ignore[misc]


def _forget_attributes(before: int) -> int:
    """Remove changes of versions that were here and are gone; they cannot come back."""
    ranges = {
        row.actor: AppliedRanges.from_json({"frontier": row.frontier, "islands": row.islands})
        for row in AppliedActor.objects.all()
    }
    own = dict(ClockShard.objects.values_list("actor", "seq"))
    removed = looked_at = after = 0
    while looked_at < ATTRIBUTES_MAX:
        found = rows.fetch_all(_ORPHANS, (after, before, BATCH_ROWS))
        gone = [
            row_id
            for row_id, actor, seq in found
            if seq <= own.get(actor, 0) or ranges.get(actor, AppliedRanges()).contains(seq)
        ]
        removed += VersionAttribute.objects.filter(pk__in=gone).delete()[0]
        looked_at += len(found)
        if len(found) < BATCH_ROWS:
            break
        after = found[-1][0]
    return removed


def _forget_revisions() -> int:
    """Keep the newest values of each register."""
    crowded = (
        RegisterRevision.objects.values("register")
        .annotate(total=Count("pk"))
        .filter(total__gt=REVISIONS_KEPT)
        .values_list("register", flat=True)
    )
    removed = 0
    for register_id in list(crowded):
        kept = RegisterRevision.objects.filter(register=register_id).order_by("-pk")
        oldest = kept.values_list("pk", flat=True)[REVISIONS_KEPT - 1]
        removed += kept.filter(pk__lt=oldest).delete()[0]
    return removed


def _forget_deliveries(before: datetime) -> int:
    done = Delivery.objects.filter(state=DeliveryState.DONE, settled_at__lt=before)
    return done.delete()[0]


def _forget_buckets(cut: Cut) -> int:
    """Remove buckets that were deleted everywhere and that no event can name any more.

    In two steps: first everyone has to have what is known here, the delete with it; then everyone
    has to have all that was written until then.
    """
    here = {a: seq for a, seq in selectors.frontiers().items() if a in cut.settled}
    over = Bucket.objects.filter(state=BucketState.DELETED, delete_hlc__isnull=False)
    removed = 0
    for bucket in over.order_by("pk")[:BUCKETS_MAX]:
        step, is_new = BucketFarewell.objects.get_or_create(
            bucket_id=bucket.pk, defaults={"mark": here}
        )
        reached = not is_new and cut.has_reached(
            {int(actor): int(seq) for actor, seq in step.mark.items()}
        )
        if not reached or _may_be_named_again(bucket):
            continue
        if not step.is_last:
            BucketFarewell.objects.filter(pk=step.pk).update(mark=here, is_last=True)
            continue
        removed += commit.run(lambda bucket=bucket: _remove_bucket(bucket))  # type: ignore[misc]
    return removed


def _may_be_named_again(bucket: Bucket) -> bool:
    """Return whether a remote region may still name it, or another bucket has its name's rest."""
    name = bucket_state.base_name(bucket)
    has_rules = BucketReplicationConfig.objects.filter(bucket=name).exists()
    is_remote = bucket.region != settings.RS3GW_REGION
    renamed = Bucket.objects.filter(state=BucketState.RENAMED, name__startswith=name)
    return has_rules or is_remote or renamed.exists()


def _remove_bucket(bucket: Bucket) -> int:
    name = bucket_state.base_name(bucket)
    still = Bucket.objects.select_for_update().filter(pk=bucket.pk, state=BucketState.DELETED)
    if not still.exists():
        return 0
    held = ObjectVersion.objects.filter(bucket=bucket).values_list("pk", flat=True)
    rows.delete_versions(list(held))
    BucketFarewell.objects.filter(pk=bucket.pk).delete()
    Register.objects.filter(scope=f"bucket:{bucket.incarnation}").delete()
    bucket.delete()
    bucket_state.settle(name)
    return 1
