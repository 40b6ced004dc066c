"""Changes of what this node holds.

The functions that take a stamp run inside the caller's transaction, together with the event that
tells the other nodes; `rs3gw.storage.commit` makes both durable at once.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from rs3gw.common import clock, hlc, identity, ids
from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage import attributes, rows
from rs3gw.storage.core.objects import Entry
from rs3gw.storage.core.siblings import (
    Newer,
    Outcome,
    Sibling,
    Stamp,
    join,
    key_context,
    latest,
    newer_than,
)
from rs3gw.storage.models import (
    Bucket,
    BucketState,
    ClockShard,
    MultipartUpload,
    ObjectState,
    ObjectVersion,
)

POSTGRESQL_SHARDS = 4
PART_SIZE_MIN_BYTES = 5 * 2**20
PART_NUMBER_MAX = 10_000
MOVE_ROWS = 500
NOTHING_SEEN = VectorClock()


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of a version that another node wrote.

    Attributes:
        outcome: Whether it is in the state of its key now.
        is_conflict: It met a concurrent write.
        newer: What readers see instead of it although it had not been seen; None for nothing.
    """

    outcome: Outcome
    is_conflict: bool = False
    newer: Newer | None = None


# Picks some of the values of one version.
Choose = Callable[[Sequence[Sibling]], Sequence[Sibling]]


def init_clock() -> None:
    """Make the clock's rows on the first start; check that they are this node's afterwards.

    Raises:
        IdentityError: The database belongs to another data directory.
    """
    actor = identity.ensure().actor
    shards = POSTGRESQL_SHARDS if connection.vendor == "postgresql" else 1
    with transaction.atomic():
        if not ClockShard.objects.exists():
            ClockShard.objects.bulk_create(
                ClockShard(shard=shard, actor=ids.shard_actor(actor, shard))
                for shard in range(shards)
            )
        stored = ClockShard.objects.get(shard=0).actor
    shard_count.cache_clear()
    if stored != actor and _completes_renewal(stored):
        return
    if stored != actor:
        raise identity.IdentityError(
            f"{identity.path()} names writer {actor}, the database names {stored}: this database "
            "and this data directory do not belong together"
        )


def _completes_renewal(stored: int) -> bool:
    """Adopt the writer id that the database took before a crash; return whether there was one."""
    proposed = identity.proposed()
    if proposed is None or proposed.actor != stored:
        return False
    identity.adopt_proposed()
    return True


def change_actor(actor: int) -> list[tuple[int, int]]:
    """Let every shard count under a new writer id, from 1; return the old ids and their counts.

    Positions in the log go on, so lanes keep their place. Runs in the caller's transaction.
    """
    former = []
    for clock_row in ClockShard.objects.select_for_update().order_by("shard"):
        former.append((clock_row.actor, clock_row.seq))
        ClockShard.objects.filter(shard=clock_row.shard).update(
            actor=ids.shard_actor(actor, clock_row.shard), seq=0
        )
    return former


@lru_cache(maxsize=1)
def shard_count() -> int:
    """Return the number of shards of this node's log, fixed when the node was made."""
    return ClockShard.objects.count() or 1


def shard_of(bucket_name: str, key: str) -> int:
    """Return the shard of the log that orders the changes of a key."""
    count = shard_count()
    return 0 if count == 1 else zlib.crc32(f"{bucket_name}\0{key}".encode()) % count


def observe_clock(shard: int, remote_hlc: int) -> None:
    """Raise a shard's clock to a remote timestamp; the next local change comes after it."""
    rows.observe_clock(shard, remote_hlc)


def write_entry(
    entry: Entry, *, stamp: Stamp, inline: bytes | None, seen: VectorClock = NOTHING_SEEN
) -> Entry:
    """Store a local write over everything its key holds here, and return what was stored.

    Runs inside the caller's transaction, after `stamp` was taken.

    Args:
        entry: What to store.
        stamp: Its identity and time.
        inline: Its small body, when the caller has it at hand.
        seen: What else it comes after, as another node holds it.
    """
    siblings = rows.read_siblings(entry.bucket_id, entry.key)
    stamped = replace(
        entry,
        actor=stamp.actor,
        seq=stamp.seq,
        hlc=stamp.hlc,
        context=key_context(siblings).merge(seen),
        last_modified=clock.from_ms(hlc.physical_ms(stamp.hlc)),
    )
    return _put(stamped, siblings, inline)[0]


def merge_entry(entry: Entry, *, inline: bytes | None) -> Merged:
    """Join a version that another node wrote into the state of its key.

    Runs inside the caller's transaction. Any order and number of deliveries ends in one state.
    """
    siblings = rows.read_siblings(entry.bucket_id, entry.key)
    stored, outcome = _put(attributes.complete(entry), siblings, inline)
    change = sibling_of(entry)
    if outcome == "superseded":
        return Merged(outcome)
    if outcome == "duplicate":
        return Merged(outcome, newer=newer_than(siblings, change))
    is_conflict = any(
        s.version_id == entry.version_id and not entry.context.covers(s.stamp.actor, s.stamp.seq)
        for s in siblings
    )
    if stored.is_latest:
        return Merged(outcome, is_conflict)
    return Merged(outcome, is_conflict, newer_than([*siblings, change], change))


def sibling_of(entry: Entry) -> Sibling:
    """Return an entry as one of the values of its key."""
    return Sibling(
        Stamp(entry.actor, entry.seq, entry.hlc),
        entry.context,
        entry.is_tombstone,
        entry.version_id,
    )


def _put(entry: Entry, siblings: Sequence[Sibling], inline: bytes | None) -> tuple[Entry, Outcome]:
    incoming = sibling_of(entry)
    same_version = [s for s in siblings if s.version_id == entry.version_id]
    result = join(same_version, incoming)
    if result.outcome != "applied":
        return entry, result.outcome
    rows.delete_versions([_row_id(sibling) for sibling in result.dropped])
    others = [s for s in siblings if s not in result.dropped]
    best = latest([*others, incoming])
    row_id = rows.insert_entry(entry, is_latest=best is incoming)
    for sibling in others:
        was_latest, is_latest = _is_latest(sibling), sibling is best
        if was_latest != is_latest:
            rows.set_latest(_row_id(sibling), is_latest=is_latest)
    if inline is not None:
        rows.upsert_inline(entry.sha256, inline)
    return replace(entry, row_id=row_id, is_latest=best is incoming), "applied"


def _row_id(sibling: Sibling) -> int:
    assert isinstance(sibling.payload, tuple)
    return int(sibling.payload[0])


def _is_latest(sibling: Sibling) -> bool:
    assert isinstance(sibling.payload, tuple)
    return bool(sibling.payload[1])


def insert_bucket(
    *,
    name: str,
    incarnation: UUID,
    owner: str,
    region: str,
    stamp: Stamp,
    state: BucketState = BucketState.LIVE,
) -> Bucket:
    """Insert a bucket; the caller has settled whether the name is free."""
    return Bucket.objects.create(
        name=name,
        incarnation=incarnation,
        owner=owner,
        region=region,
        state=state,
        created_at=clock.from_ms(hlc.physical_ms(stamp.hlc)),
        create_actor=stamp.actor,
        create_seq=stamp.seq,
        create_hlc=stamp.hlc,
    )


def bucket_histories(bucket: Bucket) -> Iterator[VectorClock]:
    """Yield the history of each value in a bucket, tombstones too: its context and its dot."""
    found = ObjectVersion.objects.filter(bucket=bucket).values_list("actor", "seq", "context")
    for actor, seq, context in found.iterator():
        yield VectorClock.from_json(context).with_dot(actor, seq)


def move_versions(source: Bucket, target: Bucket, *, but: VectorClock) -> None:
    """Join the contents of one bucket into another, key by key; those that `but` covers stay.

    Used when two lives of a name turned out to be one bucket.
    """
    MultipartUpload.objects.filter(bucket=source).update(bucket=target)
    moving = ObjectVersion.objects.filter(bucket=source).exclude(_covered(but))
    if not moving.exists():
        return
    stays = ObjectVersion.objects.filter(_covered(but), bucket=source).exists()
    if not stays and not ObjectVersion.objects.filter(bucket=target).exists():
        moving.update(bucket=target)
        return
    while True:
        ids = list(moving.order_by("pk").values_list("pk", flat=True)[:MOVE_ROWS])
        for entry in rows.read_entries(ids):
            assert entry.row_id is not None
            rows.delete_versions([entry.row_id], keeps_attributes=True)
            merge_entry(replace(entry, bucket_id=target.pk, row_id=None), inline=None)
        if len(ids) < MOVE_ROWS:
            return


def shows_unseen(bucket: Bucket, seen: VectorClock) -> bool:
    """Return whether a bucket holds an object that `seen` does not cover."""
    live = ObjectVersion.objects.filter(bucket=bucket, state=ObjectState.LIVE)
    return live.exclude(_covered(seen)).exists()


def _covered(seen: VectorClock) -> Q:
    covered = Q(pk__in=[])
    for actor, seq in seen.items():
        covered |= Q(actor=actor, seq__lte=seq)
    return covered


def purge_versions(bucket: Bucket, seen: VectorClock) -> None:
    """Remove from a bucket what its deletes had seen, and show what is left of each key."""
    covered = ObjectVersion.objects.filter(_covered(seen), bucket=bucket)
    found = list(covered.values_list("pk", "key"))
    rows.delete_versions([row_id for row_id, _ in found])
    for key in {key for _, key in found}:
        _show_latest(bucket.pk, key)


def forget_values(
    bucket_id: int,
    key: str,
    version_id: str,
    choose: Callable[[Sequence[Sibling]], Sequence[Sibling]],
) -> int:
    """Remove from a key what `choose` picks of one version's values; return how many.

    Runs inside the caller's transaction, which keeps writers of the key out until it ends.
    """
    bucket_name = Bucket.objects.values_list("name", flat=True).get(pk=bucket_id)
    observe_clock(shard_of(bucket_name, key), 0)
    same = [s for s in rows.read_siblings(bucket_id, key) if s.version_id == version_id]
    chosen = [_row_id(sibling) for sibling in choose(same)]
    rows.delete_versions(chosen)
    if chosen:
        _show_latest(bucket_id, key)
    return len(chosen)


def _show_latest(bucket_id: int, key: str) -> None:
    siblings = rows.read_siblings(bucket_id, key)
    best = latest(siblings)
    for sibling in siblings:
        if _is_latest(sibling) != (sibling is best):
            rows.set_latest(_row_id(sibling), is_latest=sibling is best)
