"""This node's index as digests and items, up to a moment."""

from collections.abc import Iterable, Iterator

from django.db import connection
from django.db.models import F, Q

from replication.core.digest import Digest, Item, hash_of, leaf_of
from replication.models import Register
from rs3gw.storage import selectors
from rs3gw.storage.models import Bucket, ObjectVersion

CHUNK_ROWS = 5000
_ATTRIBUTES = (
    "SELECT v.bucket_id, v.key, v.version_id, a.actor, a.seq, a.name, a.set_actor, a.set_seq "
    "FROM storage_versionattribute a "
    "JOIN storage_objectversion v ON v.actor = a.actor AND v.seq = a.seq "
    "WHERE a.set_hlc <= %s AND v.hlc <= %s"
)


def _buckets(name: str = "") -> dict[int, Bucket]:
    """Return the buckets that count by row id; a life that is an alias counts as its other one."""
    found = Bucket.objects.filter(state__in=selectors.SERVED_STATES, alias_of=None)
    return {bucket.pk: bucket for bucket in (found.filter(name=name) if name else found)}


def digests(through_hlc: int, bucket: str = "") -> dict[str, Digest]:
    """Return the digest of each bucket by name, of what is not younger than `through_hlc`.

    Args:
        through_hlc: Younger entries are left out.
        bucket: Only this one; all when "".
    """
    buckets = _buckets(bucket)
    found = {row.name: Digest() for row in buckets.values()}
    for bucket_id, item in _items(through_hlc, buckets if bucket else None):
        row = buckets.get(bucket_id)
        if row is not None:
            found[row.name].add(leaf_of(item.key), item.hash())
    return found


def items(through_hlc: int, bucket: str, leaves: Iterable[int]) -> list[Item]:
    """Return the entries of some leaves of a bucket that are not younger than `through_hlc`."""
    wanted = set(leaves)
    found = _items(through_hlc, _buckets(bucket))
    return sorted(item for _, item in found if leaf_of(item.key) in wanted)


def _items(through_hlc: int, only: dict[int, Bucket] | None) -> Iterator[tuple[int, Item]]:
    versions = ObjectVersion.objects.filter(hlc__lte=through_hlc)
    if only is not None:
        versions = versions.filter(bucket__in=list(only))
    rows = versions.values_list("bucket_id", "key", "version_id", "actor", "seq", "state")
    for bucket_id, key, version_id, actor, seq, state in rows.iterator(chunk_size=CHUNK_ROWS):
        yield bucket_id, Item(key, version_id, actor, seq, state)
    with connection.cursor() as cursor:
        cursor.execute(_ATTRIBUTES, (through_hlc, through_hlc))
        while found := cursor.fetchmany(CHUNK_ROWS):
            for bucket_id, key, version_id, actor, seq, name, set_actor, set_seq in found:
                if only is None or bucket_id in only:
                    detail = f"{name} {set_actor}.{set_seq}"
                    yield bucket_id, Item(key, version_id, actor, seq, "attribute", detail)


def control_root(through_hlc: int) -> str:
    """Return one sum of this node's registers, and of the buckets that exist."""
    total = 0
    registers = Register.objects.filter(hlc__lte=through_hlc)
    for row in registers.values_list("scope", "name", "actor", "seq", "is_deleted").iterator():
        total ^= hash_of(*row)
    lives = Bucket.objects.filter(create_hlc__lte=through_hlc)
    unseen = Q(delete_hlc__gt=through_hlc)
    for incarnation, ended in lives.exclude(unseen).values_list("incarnation", F("delete_hlc")):
        total ^= hash_of(incarnation, ended or 0)
    return f"{total:x}"
