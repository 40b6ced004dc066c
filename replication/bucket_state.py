"""What becomes of bucket names when several nodes create and delete them.

A bucket's identity is its incarnation. Incarnations of one name that were alive at the same time
and belong to one owner form a group: the least incarnation carries on, the others are aliases of
it, and their contents are one. A delete names the incarnations it knew and what it had seen in
them. A group is gone when each of its incarnations was deleted and nothing unseen is left in it;
an object that the delete had not seen keeps the bucket, for a person to look at. Each rule
depends on the set of events alone, so every node ends with the same buckets.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from replication.core.events import ReplicationEvent
from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage import services as storage
from rs3gw.storage.core.siblings import Stamp
from rs3gw.storage.models import Bucket, BucketState, ObjectVersion
from rs3gw.storage.selectors import SERVED_STATES

CONFLICT_SUFFIX_CHARS = 6


def apply_create(*, name: str, incarnation: str, owner: str, region: str, stamp: Stamp) -> Bucket:
    """Take in that a bucket was created somewhere; return the bucket that now serves it."""
    known = Bucket.objects.filter(incarnation=incarnation).first()
    if known is not None:
        return known.alias_of or known
    rival = Bucket.objects.filter(name=name, state__in=SERVED_STATES).first()
    if rival is None:
        return storage.insert_bucket(
            name=name, incarnation=UUID(incarnation), owner=owner, region=region, stamp=stamp
        )
    if rival.owner == owner:
        return _merge(rival, name, incarnation, region, stamp)
    return _rename_loser(rival, name, incarnation, owner, region, stamp)


def _merge(rival: Bucket, name: str, incarnation: str, region: str, stamp: Stamp) -> Bucket:
    is_canonical = incarnation < str(rival.incarnation)
    Bucket.objects.filter(pk=rival.pk).update(state=BucketState.DELETED)
    newcomer = storage.insert_bucket(
        name=name, incarnation=UUID(incarnation), owner=rival.owner, region=region, stamp=stamp
    )
    canonical, alias = (newcomer, rival) if is_canonical else (rival, newcomer)
    _set_alias(alias, canonical)
    Bucket.objects.filter(pk=canonical.pk).update(state=BucketState.LIVE)
    canonical.state = BucketState.LIVE
    return canonical


def _set_alias(alias: Bucket, canonical: Bucket) -> None:
    Bucket.objects.filter(pk=alias.pk).update(state=BucketState.DELETED, alias_of=canonical)
    Bucket.objects.filter(alias_of=alias).update(alias_of=canonical)
    storage.move_versions(alias, canonical)


def _rename_loser(
    rival: Bucket, name: str, incarnation: str, owner: str, region: str, stamp: Stamp
) -> Bucket:
    rival_stamp = Stamp(rival.create_actor, rival.create_seq, rival.create_hlc)
    if rival_stamp.order_key() < stamp.order_key():
        newcomer = storage.insert_bucket(
            name=_conflict_name(name, incarnation),
            incarnation=UUID(incarnation),
            owner=owner,
            region=region,
            stamp=stamp,
        )
        Bucket.objects.filter(pk=newcomer.pk).update(state=BucketState.RENAMED)
        return newcomer
    hidden = _conflict_name(name, str(rival.incarnation))
    Bucket.objects.filter(pk=rival.pk).update(name=hidden, state=BucketState.RENAMED)
    return storage.insert_bucket(
        name=name, incarnation=UUID(incarnation), owner=owner, region=region, stamp=stamp
    )


def _conflict_name(name: str, incarnation: str) -> str:
    return f"{name}--conflict-{incarnation.replace('-', '')[-CONFLICT_SUFFIX_CHARS:]}"


def mark_deleted(bucket: Bucket, *, stamp: Stamp, seen: VectorClock) -> list[str]:
    """Delete a bucket that is empty here; return the incarnations that this deletes."""
    group = _group(bucket)
    for member in group:
        _record_delete(member, stamp.hlc, seen)
    Bucket.objects.filter(pk=bucket.pk).update(state=BucketState.DELETED)
    return sorted(str(member.incarnation) for member in group)


def apply_delete(event: ReplicationEvent, incarnations: Sequence[str], seen: VectorClock) -> None:
    """Take in that a bucket was deleted on a node that had seen `seen` of it."""
    for incarnation in incarnations:
        known = Bucket.objects.filter(incarnation=incarnation).first()
        if known is None:
            # The delete overtook the create; the row makes late events know that it is gone.
            known = storage.insert_bucket(
                name=event.bucket,
                incarnation=UUID(incarnation),
                owner=str(event.payload.get("owner", "root")),
                region=event.origin_region,
                stamp=Stamp(event.actor, event.seq, event.hlc),
                state=BucketState.DELETED,
            )
        _record_delete(known, event.hlc, seen)
    for incarnation in incarnations:
        bucket = Bucket.objects.select_related("alias_of").get(incarnation=incarnation)
        _settle(bucket.alias_of or bucket)


def apply_known_delete(incarnation: str, hlc: int, seen: VectorClock) -> None:
    """Take over from a member that a bucket was deleted there, or everywhere."""
    bucket = Bucket.objects.select_related("alias_of").get(incarnation=incarnation)
    _record_delete(bucket, hlc, seen)
    _settle(bucket.alias_of or bucket)


def _record_delete(bucket: Bucket, hlc: int, seen: VectorClock) -> None:
    context = VectorClock.from_json(bucket.delete_context).merge(seen)
    bucket.delete_hlc = max(bucket.delete_hlc or 0, hlc)
    bucket.delete_context = context.to_json()
    bucket.save(update_fields=["delete_hlc", "delete_context"])


def _settle(canonical: Bucket) -> None:
    group = _group(canonical)
    if canonical.state not in SERVED_STATES or any(b.delete_hlc is None for b in group):
        return
    seen = group_delete_context(group)
    state = BucketState.DELETED if _all_covered(canonical, seen) else BucketState.DELETE_CONFLICT
    Bucket.objects.filter(pk=canonical.pk).update(state=state)


def _all_covered(bucket: Bucket, seen: VectorClock) -> bool:
    live = ObjectVersion.objects.filter(bucket=bucket, state="live").values_list("actor", "seq")
    return all(seen.covers(actor, seq) for actor, seq in live.iterator())


def _group(canonical: Bucket) -> list[Bucket]:
    return [canonical, *Bucket.objects.filter(alias_of=canonical)]


def group_delete_context(group: Sequence[Bucket]) -> VectorClock:
    """Return all that the deletes of these incarnations had seen."""
    seen = VectorClock()
    for bucket in group:
        seen = seen.merge(VectorClock.from_json(bucket.delete_context))
    return seen


def bucket_for(event: ReplicationEvent, record: Mapping[str, object] | None) -> Bucket | None:
    """Return the bucket that an object event belongs in; None when the event is too late.

    An event for a deleted bucket is too late when the delete had seen it. One that the delete
    had not seen brings the bucket back, marked for a person to look at.
    """
    known = (
        Bucket.objects.select_related("alias_of")
        .filter(incarnation=event.bucket_incarnation)
        .first()
    )
    if known is None:
        return None if record is None else _create_from(event, record)
    bucket = known.alias_of or known
    if bucket.state != BucketState.DELETED:
        return bucket
    seen = group_delete_context(_group(bucket))
    if seen.covers(event.actor, event.seq):
        return None
    return _bring_back(bucket)


def _bring_back(bucket: Bucket) -> Bucket:
    rival = Bucket.objects.filter(name=bucket.name, state__in=SERVED_STATES).first()
    if rival is None:
        Bucket.objects.filter(pk=bucket.pk).update(state=BucketState.DELETE_CONFLICT)
        bucket.state = BucketState.DELETE_CONFLICT
        return bucket
    canonical, alias = sorted((rival, bucket), key=lambda b: str(b.incarnation))
    Bucket.objects.filter(pk=rival.pk).update(state=BucketState.DELETED)
    _set_alias(alias, canonical)
    Bucket.objects.filter(pk=canonical.pk).update(state=BucketState.LIVE)
    canonical.state = BucketState.LIVE
    return canonical


def _create_from(event: ReplicationEvent, record: Mapping[str, object]) -> Bucket:
    return apply_create(
        name=str(record["name"]),
        incarnation=event.bucket_incarnation,
        owner=str(record["owner"]),
        region=str(record["region"]),
        stamp=Stamp(int(str(record["actor"])), int(str(record["seq"])), int(str(record["hlc"]))),
    )
