"""Bucket rows follow what `replication.core.buckets` decides.

A row is one life of a name. All lives of one name and owner are a family; its home row holds the
content and the others are aliases of it. `settle` reads what is known of a name, asks the core and
makes the rows so; it runs whenever something about a name was learnt, and depends on nothing but
what is known, so every node ends with the same buckets. `create_seq` is 0 while only the delete
of a life has arrived.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import F, Q

from cluster import selectors as cluster_selectors
from replication import registers, selectors
from replication.core.buckets import (
    BucketFamily,
    BucketLife,
    BucketStanding,
    conflict_name,
    delete_context,
    families,
)
from replication.core.events import ReplicationEvent
from rs3gw.common import clock, hlc
from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage import services as storage
from rs3gw.storage.core.objects import NULL_VERSION
from rs3gw.storage.core.siblings import Stamp
from rs3gw.storage.models import Bucket, BucketState, ObjectState, ObjectVersion

_UNKNOWN = Stamp(0, 0, 0)
_SHARD_MASK = 0xFF
_SERVED = frozenset({BucketStanding.LIVE, BucketStanding.DELETE_CONFLICT})
# States that an object may change: the bucket is there because it shows something, or is not.
_SHAKY_STATES = frozenset({BucketState.DELETED, BucketState.DELETE_CONFLICT, BucketState.RENAMED})


@dataclass(frozen=True, slots=True)
class Place:
    """Where the object events of one incarnation belong.

    Attributes:
        bucket: The home row of its family.
        seen: What the deletes of the family had seen: such an event comes too late.
    """

    bucket: Bucket
    seen: VectorClock

    def is_too_late(self, event: ReplicationEvent) -> bool:
        """Return whether a delete of the bucket had seen this event."""
        return self.seen.covers(event.actor, event.seq)

    def is_shaky(self) -> bool:
        """Return whether an object that comes or goes may change how the bucket is served."""
        return self.bucket.state in _SHAKY_STATES


def apply_create(*, name: str, incarnation: str, owner: str, region: str, stamp: Stamp) -> Bucket:
    """Take in that a bucket was created somewhere; return the row that holds its content."""
    known = Bucket.objects.filter(incarnation=incarnation).first()
    if known is None:
        _insert(name, incarnation, owner, region, stamp)
    elif known.create_seq == 0 and stamp.seq:
        known.name, known.owner, known.region = _base_name(name, incarnation), owner, region
        known.create_actor, known.create_seq = stamp.actor, stamp.seq
        known.create_hlc, known.created_at = stamp.hlc, clock.from_ms(hlc.physical_ms(stamp.hlc))
        known.save()
    else:
        return _home(incarnation)
    settle(_base_name(name, incarnation))
    return _home(incarnation)


def mark_deleted(bucket: Bucket, *, stamp: Stamp, seen: VectorClock) -> list[str]:
    """Delete a bucket that is empty here; return the incarnations that this deletes."""
    group = [bucket, *Bucket.objects.filter(alias_of=bucket)]
    for life in group:
        _record_delete(life, stamp.hlc, seen)
    settle(base_name(bucket))
    return sorted(str(life.incarnation) for life in group)


def context_of_delete(bucket: Bucket) -> VectorClock | None:
    """Return what a delete of this bucket has seen; None while some of it is on its way here."""
    known = selectors.frontiers()
    members = {node.actor for node in cluster_selectors.members()}
    contents = list(storage.bucket_histories(bucket))
    writers = {actor for history in contents for actor in history}
    ours = {a: known.get(a, 0) for a in writers if a & ~_SHARD_MASK in members}
    return delete_context(contents, ours)


def apply_delete(event: ReplicationEvent, incarnations: Sequence[str], seen: VectorClock) -> None:
    """Take in that a bucket was deleted on a node that had seen `seen` of it."""
    names: set[str] = set()
    for incarnation in incarnations:
        known = Bucket.objects.filter(incarnation=incarnation).first()
        if known is None:
            # The delete overtook the create; the row makes late events know that it is gone.
            known = _insert(event.bucket, incarnation, "", event.origin_region, _UNKNOWN)
        _record_delete(known, event.hlc, seen)
        names.add(base_name(known))
    for name in names:
        settle(name)


def apply_known_delete(incarnation: str, hlc: int, seen: VectorClock) -> None:
    """Take over from a member that a bucket was deleted there, or everywhere."""
    bucket = Bucket.objects.get(incarnation=incarnation)
    _record_delete(bucket, hlc, seen)
    settle(base_name(bucket))


def place_for(event: ReplicationEvent, record: Mapping[str, object] | None) -> Place | None:
    """Return where an object event belongs; None when its bucket is not known at all.

    After an event was joined into a shaky place, call `settle` with the bucket's `base_name`.
    """
    known = Bucket.objects.filter(incarnation=event.bucket_incarnation).first()
    if known is None or known.create_seq == 0:
        if record is None:
            return None
        apply_create(
            name=str(record["name"]),
            incarnation=event.bucket_incarnation,
            owner=str(record["owner"]),
            region=str(record["region"]),
            stamp=Stamp(*(int(str(record[field])) for field in ("actor", "seq", "hlc"))),
        )
    home = _home(event.bucket_incarnation)
    group = [home, *Bucket.objects.filter(alias_of=home)]
    seen = VectorClock()
    for life in group:
        seen = seen.merge(VectorClock.from_json(life.delete_context))
    return Place(home, seen)


def lives_that_count(bucket: Bucket) -> list[Bucket]:
    """Return the lives of a bucket whose settings are its own: those that were not deleted."""
    lives = Bucket.objects.filter(Q(pk=bucket.pk) | Q(alias_of=bucket))
    return [life for life in lives if life.delete_hlc is None] or [bucket]


def settle(name: str) -> None:
    """Make the rows of a name what is known of it says."""
    found = Bucket.objects.filter(Q(name=name) | Q(name__startswith=conflict_name(name, "")))
    rows = {str(row.incarnation): row for row in found if base_name(row) == name}
    lives = [_life(row, name) for row in rows.values()]
    gathered = families(lives, ())
    showing = [(name, family.owner) for family in gathered if _gather(family, rows)]
    decided = families(lives, showing)
    # Rows that give the name up go first: no two rows are served under one name.
    for family in sorted(decided, key=lambda f: f.standing in _SERVED):
        _write_family(family, rows, name)


def _gather(family: BucketFamily, rows: Mapping[str, Bucket]) -> bool:
    """Bring a family's content together in its home row; return whether it shows an object.

    What its deletes had seen is left in lives that are over, and removed from one that goes on.
    """
    home = rows[family.home]
    for incarnation in family.incarnations:
        if incarnation != family.home:
            storage.move_versions(rows[incarnation], home, but=family.seen)
    is_alive = not home.delete_hlc
    if not is_alive and not storage.shows_unseen(home, family.seen):
        return False
    if family.seen:
        storage.purge_versions(home, family.seen)
    # What is older than the newest version is shown too, but not what a concurrent write hides.
    live = ObjectVersion.objects.filter(bucket=home, state=ObjectState.LIVE)
    return live.filter(Q(is_latest=True) | ~Q(version_id=NULL_VERSION)).exists()


def _write_family(family: BucketFamily, rows: Mapping[str, Bucket], name: str) -> None:
    home = rows[family.home]
    for incarnation in family.incarnations:
        if incarnation != family.home:
            Bucket.objects.filter(incarnation=incarnation).update(
                name=name, state=BucketState.DELETED, alias_of=home
            )
    shown_name = family.name if family.standing == BucketStanding.RENAMED else name
    # Which lives count may have changed, and with them the settings.
    Bucket.objects.filter(pk=home.pk).update(
        name=shown_name,
        state=BucketState(str(family.standing)),
        alias_of=None,
        versioning=_versioning(family, rows),
        settings_revision=F("settings_revision") + 1,
    )


def _versioning(family: BucketFamily, rows: Mapping[str, Bucket]) -> str:
    alive = [life for life in family.incarnations if not rows[life].delete_hlc]
    lives = [f"bucket:{life}" for life in alive or [family.home]]
    value = registers.read_newest(lives, "versioning")
    return "" if value is None else str(value["text"])


def _life(row: Bucket, name: str) -> BucketLife:
    stamp = Stamp(row.create_actor, row.create_seq, row.create_hlc)
    return BucketLife(
        incarnation=str(row.incarnation),
        name=name,
        owner=row.owner,
        created=stamp if row.create_seq else None,
        deleted_hlc=row.delete_hlc or 0,
        delete_seen=VectorClock.from_json(row.delete_context),
    )


def _insert(name: str, incarnation: str, owner: str, region: str, stamp: Stamp) -> Bucket:
    return storage.insert_bucket(
        name=_base_name(name, incarnation),
        incarnation=UUID(incarnation),
        owner=owner,
        region=region,
        stamp=stamp,
        state=BucketState.DELETED,
    )


def _record_delete(bucket: Bucket, hlc: int, seen: VectorClock) -> None:
    context = VectorClock.from_json(bucket.delete_context).merge(seen)
    bucket.delete_hlc = max(bucket.delete_hlc or 0, hlc)
    bucket.delete_context = context.to_json()
    bucket.save(update_fields=["delete_hlc", "delete_context"])


def _home(incarnation: str) -> Bucket:
    return home_of(Bucket.objects.select_related("alias_of").get(incarnation=incarnation))


def home_of(bucket: Bucket) -> Bucket:
    """Return the row that holds the content of a bucket's family."""
    return bucket.alias_of or bucket


def base_name(bucket: Bucket) -> str:
    """Return the name that a bucket was created under, though it may have lost it."""
    return _base_name(bucket.name, str(bucket.incarnation))


def _base_name(name: str, incarnation: str) -> str:
    base, mark, _ = name.rpartition(conflict_name("", ""))
    return base if mark and name == conflict_name(base, incarnation) else name
