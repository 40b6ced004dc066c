"""What becomes of bucket names when several nodes create and delete them.

A name may have several lives, each with an incarnation of its own. What is known of a life only
grows: who created it and when, and what the deletes of it had seen. Everything else is computed
from all lives of a name and the objects in them, so nodes that know the same serve the same.

- Lives of one owner are one bucket: the least incarnation carries on, their contents are joined.
- A delete hides what it had seen and nothing else. A life that still shows something stands,
  as `delete_conflict`, for a person to look at.
- Two owners who held a name at the same time: the earlier create keeps it, the other bucket is
  renamed. At the same time means that neither create follows the other's delete.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage.core.siblings import Sibling, Stamp, join, winner

CONFLICT_SUFFIX_CHARS = 6


class BucketStanding(StrEnum):
    """How a bucket is served."""

    LIVE = "live"
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

    def hides(self, stamp: Stamp) -> bool:
        """Return whether a delete of this life had seen the change with this stamp."""
        return bool(self.deleted_hlc) and self.delete_seen.covers(stamp.actor, stamp.seq)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedBucket:
    """A bucket as clients see it.

    Attributes:
        name: Name it is served under.
        owner: Its owner.
        incarnation: The life that new events name.
        incarnations: All lives that are one bucket, ascending.
        standing: How it is served.
    """

    name: str
    owner: str
    incarnation: str
    incarnations: tuple[str, ...]
    standing: BucketStanding


def merge_lives(left: BucketLife, right: BucketLife) -> BucketLife:
    """Return what two nodes know together of one life: commutative, associative, idempotent."""
    assert left.incarnation == right.incarnation
    known = left if left.created is not None else right
    return replace(
        known,
        deleted_hlc=max(left.deleted_hlc, right.deleted_hlc),
        delete_seen=left.delete_seen.merge(right.delete_seen),
    )


def visible(
    siblings: Iterable[tuple[str, Sibling]], lives: Mapping[str, BucketLife]
) -> tuple[Sibling, str] | None:
    """Return the value of a key that readers see, and the incarnation it was written in.

    What a delete of the bucket had seen competes with nothing, but still replaces what it had
    replaced: else a late write that a hidden tombstone had answered would come back.

    Args:
        siblings: (incarnation, value) of the key in all lives of one owner.
        lives: Those lives, by incarnation.

    Returns:
        The winning object; None when the winner is a delete or everything is hidden.
    """
    joined: tuple[Sibling, ...] = ()
    home: dict[tuple[int, int], str] = {}
    for incarnation, sibling in sorted(siblings, key=lambda item: item[1].stamp.order_key()):
        home[sibling.stamp.actor, sibling.stamp.seq] = incarnation
        joined = join(joined, sibling).siblings
    open_ones = [
        sibling
        for sibling in joined
        if not lives[home[sibling.stamp.actor, sibling.stamp.seq]].hides(sibling.stamp)
    ]
    best = winner(open_ones)
    if best is None or best.is_tombstone:
        return None
    return best, home[best.stamp.actor, best.stamp.seq]


def serve(lives: Iterable[BucketLife], standing: frozenset[str]) -> list[ServedBucket]:
    """Return the buckets that these lives are served as, ascending by name.

    Args:
        lives: All lives that this node knows of.
        standing: Incarnations that show an object (`visible` is not None for some key).
    """
    families: dict[tuple[str, str], list[BucketLife]] = {}
    for life in lives:
        if life.created is not None:
            families.setdefault((life.name, life.owner), []).append(life)
    served: list[ServedBucket] = []
    for (name, owner), members in families.items():
        standing_ones = [m for m in members if not m.deleted_hlc or m.incarnation in standing]
        if not standing_ones:
            continue
        canonical = min(standing_ones, key=lambda life: life.incarnation)
        is_loser = any(
            _outranks(rival, standing_ones, standing)
            for (other_name, other_owner), rivals in families.items()
            if other_name == name and other_owner != owner
            for rival in rivals
        )
        is_live = any(not life.deleted_hlc for life in standing_ones)
        served.append(
            ServedBucket(
                name=conflict_name(name, canonical.incarnation) if is_loser else name,
                owner=owner,
                incarnation=canonical.incarnation,
                incarnations=tuple(sorted(life.incarnation for life in standing_ones)),
                standing=_standing(is_loser=is_loser, is_live=is_live),
            )
        )
    return sorted(served, key=lambda bucket: bucket.name)


def _standing(*, is_loser: bool, is_live: bool) -> BucketStanding:
    if is_loser:
        return BucketStanding.RENAMED
    return BucketStanding.LIVE if is_live else BucketStanding.DELETE_CONFLICT


def _outranks(rival: BucketLife, held: Iterable[BucketLife], standing: frozenset[str]) -> bool:
    """Return whether `rival` held the name before, and still when, every life of `held` began."""
    rival_end = None if rival.incarnation in standing else rival.deleted_hlc or None
    first = min(_born(life) for life in held)
    return _born(rival) < first and (rival_end is None or rival_end > first[0])


def _born(life: BucketLife) -> tuple[int, int, int]:
    assert life.created is not None
    return life.created.order_key()


def conflict_name(name: str, incarnation: str) -> str:
    """Return the name of a bucket that lost its own to an earlier create of another owner."""
    return f"{name}--conflict-{incarnation.replace('-', '')[-CONFLICT_SUFFIX_CHARS:]}"
