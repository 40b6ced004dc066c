"""Digests of an index: small sums that two nodes compare instead of their entries.

An entry is a 64-bit hash. Entries are spread over 1024 leaves by their key, and a leaf is the XOR
of its entries' hashes and their number. XOR needs no order, so a digest is made in one walk in any
order and two halves can be put together. Nothing is kept up to date in the write path: what a
comparison needs is computed when it is asked for, of what is older than a moment that both sides
have passed.
"""

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

LEAVES = 1024
HASH_BITS = 64
Leaf = tuple[int, int]


def leaf_of(key: str) -> int:
    """Return the leaf of a key, 0 to `LEAVES` - 1."""
    return zlib.crc32(key.encode()) % LEAVES


def hash_of(*parts: object) -> int:
    """Return the 64-bit hash of an entry that these parts describe."""
    text = "\0".join(map(str, parts)).encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=HASH_BITS // 8).digest(), "big")


@dataclass(slots=True)
class Digest:
    """The leaves of one bucket; a leaf without entries is left out."""

    leaves: dict[int, Leaf] = field(default_factory=dict)

    def add(self, leaf: int, entry_hash: int) -> None:
        """Add an entry."""
        total, count = self.leaves.get(leaf, (0, 0))
        self.leaves[leaf] = (total ^ entry_hash, count + 1)

    def merge(self, other: "Digest") -> "Digest":
        """Return the digest of what either holds; they must share no entry."""
        merged = Digest(dict(self.leaves))
        for leaf, (total, count) in other.leaves.items():
            known_total, known_count = merged.leaves.get(leaf, (0, 0))
            merged.leaves[leaf] = (known_total ^ total, known_count + count)
        return merged

    def root(self) -> Leaf:
        """Return one sum of all leaves, which says which entry lies in which leaf."""
        total = 0
        for leaf, (leaf_total, count) in self.leaves.items():
            total ^= hash_of(leaf, leaf_total, count)
        return total, sum(count for _, count in self.leaves.values())

    def differing(self, other: "Digest") -> list[int]:
        """Return the leaves in which two digests differ."""
        either = self.leaves.keys() | other.leaves.keys()
        return sorted(leaf for leaf in either if self.leaves.get(leaf) != other.leaves.get(leaf))

    def to_json(self) -> dict[str, list[str]]:
        """Return the leaves as JSON values; sums are text, because JSON numbers are not 64 bit."""
        return {
            str(leaf): [f"{total:x}", str(count)] for leaf, (total, count) in self.leaves.items()
        }


def digest_from_json(value: object) -> Digest:
    """Return the digest that `to_json` wrote.

    Raises:
        ValueError: It has another form.
    """
    if not isinstance(value, dict) or len(value) > LEAVES:
        raise ValueError("the digest is not an object of leaves")
    digest = Digest()
    for name, pair in value.items():
        leaf = int(name)
        if not 0 <= leaf < LEAVES or not isinstance(pair, list) or len(pair) != 2:
            raise ValueError("a leaf is not what it should be")
        digest.leaves[leaf] = (int(str(pair[0]), 16), int(pair[1]))
    return digest


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """One entry of a leaf, as far as comparing needs it.

    Attributes:
        key: Its key.
        version_id: Its version.
        actor: Who wrote it.
        seq: Its number among that writer's changes.
        kind: `live`, `tombstone` or `marker`; "attribute" for a change of a version.
        detail: Of an attribute: the dots of the changes; else "".
    """

    key: str
    version_id: str
    actor: int
    seq: int
    kind: str
    detail: str = ""

    def hash(self) -> int:
        """Return the hash that goes into the leaf."""
        return hash_of(self.key, self.version_id, self.actor, self.seq, self.kind, self.detail)


class Cause:
    """Why a key is not the same on two nodes."""

    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"
    OLDER_HERE = "older_here"
    OLDER_THERE = "older_there"
    CONCURRENT = "concurrent"
    ATTRIBUTE = "attribute"
    COLLECTED = "collected"


@dataclass(frozen=True, slots=True)
class Difference:
    """A key that is not the same on two nodes.

    Attributes:
        key: The key.
        cause: One of `Cause`.
        only_here: What the other node lacks.
        only_there: What this node lacks.
    """

    key: str
    cause: str
    only_here: tuple[Item, ...]
    only_there: tuple[Item, ...]


def compare(
    here: Iterable[Item],
    there: Iterable[Item],
    *,
    applied_here: Mapping[int, int],
    applied_there: Mapping[int, int],
) -> list[Difference]:
    """Return the keys in which two sets of items differ, with the reason.

    Args:
        here: What this node holds.
        there: What the other one holds.
        applied_here: How far each writer was applied here.
        applied_there: How far each writer was applied there.
    """
    mine, theirs = set(here), set(there)
    found: list[Difference] = []
    for key in sorted({item.key for item in mine ^ theirs}):
        only_here = tuple(sorted(item for item in mine - theirs if item.key == key))
        only_there = tuple(sorted(item for item in theirs - mine if item.key == key))
        has_here = any(item.key == key for item in mine & theirs)
        cause = _cause(only_here, only_there, applied_here, applied_there, is_shared=has_here)
        found.append(Difference(key, cause, only_here, only_there))
    return found


def _cause(
    only_here: tuple[Item, ...],
    only_there: tuple[Item, ...],
    applied_here: Mapping[int, int],
    applied_there: Mapping[int, int],
    *,
    is_shared: bool,
) -> str:
    entries_here = [item for item in only_here if item.kind != "attribute"]
    entries_there = [item for item in only_there if item.kind != "attribute"]
    if not entries_here and not entries_there:
        return Cause.ATTRIBUTE
    if _is_collected(entries_here, applied_there) and not entries_there:
        return Cause.COLLECTED
    if _is_collected(entries_there, applied_here) and not entries_here:
        return Cause.COLLECTED
    if not entries_here:
        return Cause.OLDER_HERE if is_shared else Cause.MISSING_HERE
    if not entries_there:
        return Cause.OLDER_THERE if is_shared else Cause.MISSING_THERE
    return Cause.CONCURRENT


def _is_collected(items: list[Item], applied_elsewhere: Mapping[int, int]) -> bool:
    """Return whether these are deletes that the other node has seen and already forgotten."""
    return bool(items) and all(
        item.kind == "tombstone" and item.seq <= applied_elsewhere.get(item.actor, 0)
        for item in items
    )
