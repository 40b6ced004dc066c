"""What becomes of bucket names when several nodes create and delete them.

A name may have several lives, each with an incarnation of its own. What is known of a life only
grows: who created it and when, and what the deletes of it had seen. Everything else is computed
from all lives of a name and the objects in them, so nodes that know the same serve the same.

- Lives of one name and owner are a family: one bucket, with one content. The least life that was
  not deleted is its home, which new events name.
- A delete hides what it had seen and nothing else. A family without a life that still shows an
  object stands, as `delete_conflict`, for a person to look at.
- Two owners who held a name at the same time: the earlier create keeps it, the other bucket is
  renamed. At the same time means that neither create follows the other's delete.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import chain

from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage.core.siblings import Sibling, Stamp, join, latest

CONFLICT_SUFFIX_CHARS = 6


class BucketStanding(StrEnum):
    """How a bucket is served."""

    LIVE = "live"
    DELETED = "deleted"
    DELETE_CONFLICT = "delete_conflict"
    RENAMED = "renamed"


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketLife:
    """One life of a bucket name.

    Attributes:
        incarnation: UUID text; the identity of this life everywhere.
        name: Name that it was created under.
        owner: Who created it; "" while only its delete has arrived.
        created: Stamp of the create; None while only its delete has arrived.
        deleted_hlc: Time of the latest delete; 0 when there was none.
        delete_seen: Everything that its deletes had seen.
    """

    incarnation: str
    name: str
    owner: str = ""
    created: Stamp | None = None
    deleted_hlc: int = 0
    delete_seen: VectorClock = field(default_factory=VectorClock)

    def deleted(self, hlc: int, seen: VectorClock) -> "BucketLife":
        """Return the life after one more delete, which had seen `seen`."""
        return replace(
            self,
            deleted_hlc=max(self.deleted_hlc, hlc),
            delete_seen=self.delete_seen.merge(seen),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketFamily:
    """All lives of one name and owner: one bucket.

    Attributes:
        name: Name that clients use; differs from the lives' own when it lost that.
        owner: Its owner.
        home: Incarnation that new events name and that holds the content.
        incarnations: All its lives, ascending.
        standing: How it is served.
        seen: Everything that its deletes had seen, which is hidden.
    """

    name: str
    owner: str
    home: str
    incarnations: tuple[str, ...]
    standing: BucketStanding
    seen: VectorClock


def merge_lives(left: BucketLife, right: BucketLife) -> BucketLife:
    """Return what two nodes know together of one life: commutative, associative, idempotent."""
    assert left.incarnation == right.incarnation
    known = left if left.created is not None else right
    return replace(
        known,
        deleted_hlc=max(left.deleted_hlc, right.deleted_hlc),
        delete_seen=left.delete_seen.merge(right.delete_seen),
    )


def delete_context(
    contents: Iterable[VectorClock], frontiers: Mapping[int, int]
) -> VectorClock | None:
    """Return what the delete of a bucket that is empty here had seen of it.

    The answer says that everything up to a number of each writer was seen. Where an event below
    that number is still on its way, that would be a lie that costs the event: there is no answer.

    Args:
        contents: History of each value in the bucket, tombstones too: its context and its dot.
        frontiers: How far this node has applied each writer of its region without a gap; writers
            that are not named are taken at their word.

    Returns:
        What to send with the delete; None when the bucket cannot be deleted yet.
    """
    seen = VectorClock()
    for history in contents:
        seen = seen.merge(history)
    is_complete = all(frontiers.get(actor, seq) >= seq for actor, seq in seen.items())
    return seen if is_complete else None


def visible(siblings: Iterable[Sibling], seen: Mapping[int, int]) -> Sibling | None:
    """Return the value of a key that readers see, or None.

    Args:
        siblings: Values of the key in all lives of a family.
        seen: What the family's deletes had seen; it competes with nothing.
    """
    joined: dict[str, tuple[Sibling, ...]] = {}
    for sibling in siblings:
        if sibling.stamp.seq > seen.get(sibling.stamp.actor, 0):
            version = joined.get(sibling.version_id, ())
            joined[sibling.version_id] = join(version, sibling).siblings
    best = latest(chain.from_iterable(joined.values()))
    return None if best is None or best.is_tombstone else best


def families(
    lives: Iterable[BucketLife], showing: Collection[tuple[str, str]]
) -> list[BucketFamily]:
    """Return the buckets that lives are, those that are gone too, ascending by name and owner.

    Args:
        lives: All lives of some names. One whose create has not arrived belongs to none yet.
        showing: (name, owner) of the families that hold a visible object.
    """
    members: dict[tuple[str, str], list[BucketLife]] = {}
    for life in lives:
        if life.created is not None:
            members.setdefault((life.name, life.owner), []).append(life)
    holding = {
        address: _holding(found, is_showing=address in showing)
        for address, found in members.items()
    }
    keepers: set[str] = set()
    for name in {name for name, _ in members}:
        rivals = [
            life for address, found in members.items() if address[0] == name for life in found
        ]
        open_ones = {life.incarnation for address in holding for life in holding[address]}
        keepers |= _keepers(rivals, open_ones)
    return [
        _family(address, members[address], holding[address], keepers) for address in sorted(members)
    ]


def _holding(lives: Sequence[BucketLife], *, is_showing: bool) -> list[BucketLife]:
    """Return the lives that have not ended: those not deleted, else the last if it shows."""
    alive = [life for life in lives if not life.deleted_hlc]
    if alive or not is_showing:
        return alive
    return [max(lives, key=_end)]


def _keepers(rivals: Iterable[BucketLife], open_ones: Collection[str]) -> set[str]:
    """Return the lives that had the name for themselves, the earliest first."""
    kept: list[BucketLife] = []
    for life in sorted(rivals, key=_born):
        is_free = all(
            other.owner == life.owner
            or (other.incarnation not in open_ones and other.deleted_hlc < _born(life)[0])
            for other in kept
        )
        if is_free:
            kept.append(life)
    return {life.incarnation for life in kept}


def _family(
    address: tuple[str, str],
    lives: Sequence[BucketLife],
    holding: Sequence[BucketLife],
    keepers: Collection[str],
) -> BucketFamily:
    name, owner = address
    home = min(holding or [max(lives, key=_end)], key=lambda life: life.incarnation)
    seen = VectorClock()
    for life in lives:
        seen = seen.merge(life.delete_seen)
    standing = BucketStanding.DELETED
    if holding and not any(life.incarnation in keepers for life in holding):
        standing = BucketStanding.RENAMED
        name = conflict_name(name, home.incarnation)
    elif holding:
        is_alive = not holding[0].deleted_hlc
        standing = BucketStanding.LIVE if is_alive else BucketStanding.DELETE_CONFLICT
    return BucketFamily(
        name=name,
        owner=owner,
        home=home.incarnation,
        incarnations=tuple(sorted(life.incarnation for life in lives)),
        standing=standing,
        seen=seen,
    )


def _born(life: BucketLife) -> tuple[int, int, int]:
    assert life.created is not None
    return life.created.order_key()


def _end(life: BucketLife) -> tuple[int, str]:
    return (life.deleted_hlc, life.incarnation)


def conflict_name(name: str, incarnation: str) -> str:
    """Return the name of a bucket that lost its own to an earlier create of another owner."""
    return f"{name}--conflict-{incarnation.replace('-', '')[-CONFLICT_SUFFIX_CHARS:]}"
