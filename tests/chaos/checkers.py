"""What must hold whatever happened. Each checker is pure and returns what broke, as sentences.

The evidence is what clients were told; nothing that a node says about time or causality counts.

The order of writes of a key depends on what was promised. `strong` (quorum, sync): a write is after
every one that was acknowledged, anywhere, before it began. Otherwise: a write is after all that its
own node had acknowledged, or shown to a reader, before it began.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from tests.chaos.history import ABSENT, DELETE, FAILED, GET, OK, PUT, UNKNOWN, Op, Snapshot

Place = tuple[str, str]


class KeyOrder:
    """The writes of one key that may have happened, and which of them is certainly before which."""

    def __init__(self, ops: Collection[Op], *, is_strong: bool) -> None:
        self.writes = [op for op in ops if op.is_write and op.outcome != FAILED]
        self.writes.sort(key=lambda op: op.start)
        self.put_of = {op.value: op for op in self.writes if op.kind == PUT}
        self._index = {op.number: i for i, op in enumerate(self.writes)}
        self._reads = [op for op in ops if op.kind == GET and op.outcome == OK]
        self._before = self._closure(is_strong)

    def _closure(self, is_strong: bool) -> list[int]:
        """Return, for each write, the set of the writes before it, as bits."""
        served: dict[int, list[tuple[float, int]]] = defaultdict(list)
        for read in self._reads:
            put = self.put_of.get(read.value)
            if put is not None:
                served[read.node].append((read.end, self._index[put.number]))
        before: list[int] = []
        for i, write in enumerate(self.writes):
            bits = 0
            for j, other in enumerate(self.writes[:i]):
                is_known = is_strong or other.node == write.node
                if other.outcome == OK and other.end < write.start and is_known:
                    bits |= 1 << j | before[j]
            for end, j in served[write.node]:
                if end < write.start and j < i:
                    bits |= 1 << j | before[j]
            before.append(bits)
        return before

    def is_before(self, write: Op, other: Op) -> bool:
        """Return whether `write` certainly precedes `other`."""
        return bool(self._before[self._index[other.number]] >> self._index[write.number] & 1)

    def acknowledged_after(self, write: Op) -> list[Op]:
        """Return the acknowledged writes that certainly follow one."""
        return [op for op in self.writes if op.outcome == OK and self.is_before(write, op)]

    def finals(self) -> set[str]:
        """Return the values that the key may have once everybody has heard of everything."""
        last = [op for op in self.writes if not self.acknowledged_after(op)]
        found = {op.value if op.kind == PUT else ABSENT for op in last}
        if not any(op.outcome == OK for op in self.writes):
            found.add(ABSENT)
        return found

    def is_behind(self, value: str, write: Op, *, until: float) -> bool:
        """Return whether showing `value` means that a write was not heard of.

        Args:
            value: What is shown; "" for nothing.
            write: The write.
            until: When it was shown; no later delete explains it.
        """
        if value != ABSENT:
            put = self.put_of.get(value)
            return put is not None and put != write and self.is_before(put, write)
        deletes = (op for op in self.writes if op.kind == DELETE and op.start < until)
        return not any(op == write or not self.is_before(op, write) for op in deletes)


def orders_of(history: Iterable[Op], *, is_strong: bool) -> dict[Place, KeyOrder]:
    """Return the order of each (bucket, key)."""
    ops: dict[Place, list[Op]] = defaultdict(list)
    for op in history:
        if op.key:
            ops[op.bucket, op.key].append(op)
    return {place: KeyOrder(found, is_strong=is_strong) for place, found in ops.items()}


def bodies_certify(history: Iterable[Op]) -> list[str]:
    """Every body that was ever read is of one write, whole, with that write's tag and metadata."""
    return [
        f"node {op.node} gave a body of {op.bucket}/{op.key} that is of no write: {op.note}"
        for op in history
        if op.kind == GET and op.outcome == OK and op.note
    ]


def refused_writes_stay_away(history: Sequence[Op], snapshots: Iterable[Snapshot]) -> list[str]:
    """Nothing is shown that was refused, or that nobody wrote."""
    possible = {op.value for op in history if op.kind == PUT and op.outcome != FAILED}
    shown = [(op.node, op.key, op.value) for op in history if op.kind == GET and op.value]
    shown += [(s.node, key, x.value) for s in snapshots for key, x in s.objects.items() if x.value]
    return [
        f"node {node} shows {key} as {value}, a write that was refused or never made"
        for node, key, value in dict.fromkeys(shown)
        if value not in possible
    ]


def finals_are_explained(
    history: Sequence[Op], snapshots: Sequence[Snapshot], *, is_strong: bool
) -> list[str]:
    """After healing: no acknowledged write is lost or undone by an older one, nothing is back."""
    broken = []
    for (bucket, key), order in orders_of(history, is_strong=is_strong).items():
        allowed = order.finals()
        for snapshot in snapshots:
            if snapshot.bucket == bucket:
                shown = snapshot.objects.get(key)
                value = shown.value if shown else ABSENT
                if value not in allowed:
                    broken.append(_why_final(order, snapshot.node, key, value, allowed))
    return broken


def _why_final(order: KeyOrder, node: int, key: str, value: str, allowed: set[str]) -> str:
    wanted = " or ".join(sorted(word or "nothing" for word in allowed))
    place = f"node {node} shows {value or 'nothing'} for {key}, not {wanted}"
    put = order.put_of.get(value)
    if put is None:
        return f"lost: {place}"
    after = order.acknowledged_after(put)
    if after and after[-1].kind == DELETE:
        return f"came back: {place}; it was deleted at node {after[-1].node}"
    return f"lost update: {place}"


def nodes_agree(snapshots: Sequence[Snapshot]) -> list[str]:
    """After healing: what all nodes show of a bucket is the same, byte for byte."""
    broken = []
    first: dict[str, Snapshot] = {}
    for snapshot in snapshots:
        broken += [
            f"node {snapshot.node}: {key} is listed and cannot be read: {shown.note}"
            for key, shown in snapshot.objects.items()
            if shown.note
        ]
        other = first.setdefault(snapshot.bucket, snapshot)
        keys = sorted(set(other.objects) | set(snapshot.objects))
        broken += [
            f"nodes {other.node} and {snapshot.node} differ in {key}: "
            f"{other.objects.get(key)} and {snapshot.objects.get(key)}"
            for key in keys
            if other.objects.get(key) != snapshot.objects.get(key)
        ]
        if other.versions != snapshot.versions:
            only = set(other.versions) ^ set(snapshot.versions)
            broken.append(
                f"nodes {other.node} and {snapshot.node} differ in versions of {snapshot.bucket}: "
                f"{sorted(only, key=str)[:4] or 'their order'}"
            )
    return broken


def enough_nodes_have_it(
    history: Sequence[Op], snapshots: Sequence[Snapshot], *, missing_max: int
) -> list[str]:
    """Before healing: of the nodes that answer, at most so many lack an acknowledged write.

    Args:
        history: All operations; nothing was written after the snapshots began.
        snapshots: What the nodes show that can be asked.
        missing_max: Members outside a majority for quorum, 0 for sync.
    """
    broken = []
    for (bucket, key), order in orders_of(history, is_strong=True).items():
        shown = {
            s.node: s.objects[key].value if key in s.objects else ABSENT
            for s in snapshots
            if s.bucket == bucket
        }
        for write in order.writes:
            if write.outcome == OK:
                behind = [
                    node
                    for node, value in shown.items()
                    if order.is_behind(value, write, until=float("inf"))
                ]
                if len(behind) > missing_max:
                    what = write.value or "a delete"
                    broken.append(f"{what} of {key} was acknowledged and nodes {behind} lack it")
    return broken


def reads_go_forward(
    history: Sequence[Op], *, is_strong: bool, is_global: bool = False, but: Collection[int] = ()
) -> list[str]:
    """A node never shows less than it had acknowledged or shown before.

    Args:
        history: All operations.
        is_strong: Which order was promised.
        is_global: Whether a read sees what *any* node acknowledged before: the promise of sync.
        but: Nodes whose disk was replaced.
    """
    broken = []
    reads: dict[Place, list[Op]] = defaultdict(list)
    for op in history:
        if op.kind == GET and op.outcome == OK and op.node not in but:
            reads[op.bucket, op.key].append(op)
    for place, order in orders_of(history, is_strong=is_strong).items():
        for read in reads[place]:
            known = _known_before(order, reads[place], read, is_global=is_global)
            missed = [w for w in known if order.is_behind(read.value, w, until=read.end)]
            if missed:
                broken.append(
                    f"node {read.node} showed {read.value or 'nothing'} for {read.key} at "
                    f"{read.start:.3f}, after {missed[-1].value or 'a delete'} was known to it"
                )
    return broken


def _known_before(order: KeyOrder, reads: Iterable[Op], read: Op, *, is_global: bool) -> list[Op]:
    known = [
        write
        for write in order.writes
        if write.outcome == OK and write.end < read.start and (is_global or write.node == read.node)
    ]
    for earlier in reads:
        if earlier.node == read.node and earlier.end < read.start:
            put = order.put_of.get(earlier.value)
            if put is not None:
                known.append(put)
    return known


def versions_are_made_once(history: Sequence[Op], snapshots: Iterable[Snapshot]) -> list[str]:
    """Each acknowledged write of a bucket with versions made one, also when it was sent twice."""
    broken = []
    for snapshot in snapshots:
        writes = [op for op in history if op.is_write and op.bucket == snapshot.bucket]
        told = {op.version for op in writes if op.outcome == OK and op.version}
        maybe = [op for op in writes if op.outcome == UNKNOWN]
        told_maybe = {op.version for op in maybe if op.version}
        counts = Counter(version.version_id for version in snapshot.versions)
        where = f"node {snapshot.node}, {snapshot.bucket}"
        broken += [f"{where}: version {v} is lost" for v in sorted(told - set(counts))]
        broken += [f"{where}: {v} is there {n} times" for v, n in counts.items() if n > 1]
        nameless = set(counts) - told - told_maybe
        unnamed_writes = sum(not op.version for op in maybe)
        if len(nameless) > unnamed_writes:
            broken.append(
                f"{where}: {len(nameless)} versions that no answer named, and {unnamed_writes} "
                f"writes without answer: {sorted(nameless)[:4]}"
            )
    return broken


def all_refused(
    history: Iterable[Op], nodes: Collection[int], begin: float, end: float
) -> list[str]:
    """What began in this time these nodes refused, if it was a write: with 503 and certainly."""
    return _writes_that(
        history, nodes, begin, end, lambda op: op.outcome == FAILED and op.status == 503
    )


def all_accepted(
    history: Iterable[Op], nodes: Collection[int], begin: float, end: float
) -> list[str]:
    """Every write that began in this time these nodes acknowledged."""
    return _writes_that(history, nodes, begin, end, lambda op: op.outcome == OK)


def all_read(history: Iterable[Op], nodes: Collection[int], begin: float, end: float) -> list[str]:
    """Every read that began in this time these nodes answered."""
    ops = [op for op in history if not op.is_write and op.node in nodes]
    found = [op for op in ops if begin < op.start < end]
    if not found:
        return [f"nodes {sorted(nodes)} were not asked for anything"]
    return [_said(op) for op in found if op.outcome != OK]


def _writes_that(
    history: Iterable[Op],
    nodes: Collection[int],
    begin: float,
    end: float,
    holds: Callable[[Op], bool],
) -> list[str]:
    ops = [op for op in history if op.is_write and op.node in nodes]
    found = [op for op in ops if begin < op.start < end]
    if not found:
        return [f"nodes {sorted(nodes)} were not asked to write anything"]
    return [_said(op) for op in found if not holds(op)]


def _said(op: Op) -> str:
    return f"node {op.node}: {op.kind} {op.key} was {op.outcome}, {op.status} {op.note}".strip()


def write_gap_seconds(history: Iterable[Op], nodes: Collection[int], since: float) -> float:
    """Return the longest time after `since` in which none of these nodes acknowledged a write."""
    ends = sorted(
        op.end
        for op in history
        if op.is_write and op.outcome == OK and op.node in nodes and op.end > since
    )
    moments = [since, *ends]
    return max((b - a for a, b in zip(moments, moments[1:], strict=False)), default=float("inf"))


def outcomes(history: Iterable[Op]) -> Mapping[str, int]:
    """Return how many operations there were of each kind and outcome."""
    return Counter(f"{op.kind} {op.outcome}" for op in history)
