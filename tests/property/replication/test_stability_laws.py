"""What may be forgotten. Kills: a tombstone that goes too soon, a value that shows again."""

from collections import defaultdict

from hypothesis import example, given, settings
from hypothesis import strategies as st

from replication.core.applied import AppliedRanges
from replication.core.review import Answer, Brought, Fate, Known, judge
from replication.core.stability import (
    Limits,
    Told,
    cut,
    exceeded,
    forgettable,
    may_evict,
    ranges_of,
    remote_writers,
)
from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage.core.siblings import Sibling, Stamp, join, key_context, winner

NODES = (1, 2, 3)
frontiers = st.dictionaries(st.integers(1, 4), st.integers(0, 5))


class Replica:
    """One node and one key: its log, what it applied, what it was told."""

    def __init__(self, actor):
        self.actor, self.seq, self.hlc = actor, 0, 0
        self.values, self.log, self.floor = (), {}, 0
        self.applied = defaultdict(AppliedRanges)
        self.told = {}

    def write(self, *, is_delete, skew):
        self.seq += 1
        self.hlc = max(self.hlc + 1, skew)
        stamp = Stamp(self.actor, self.seq, self.hlc)
        value = Sibling(stamp, key_context(self.values), is_delete)
        replaced = {(s.stamp.actor, s.stamp.seq) for s in self.values}
        self.values = join(self.values, value).siblings
        self.log[self.seq] = value
        self.applied[self.actor], _ = self.applied[self.actor].add(self.seq)
        return value, replaced

    def take(self, value):
        ranges, is_new = self.applied[value.stamp.actor].add(value.stamp.seq)
        if is_new:
            self.applied[value.stamp.actor] = ranges
            self.hlc = max(self.hlc, value.stamp.hlc)
            self.values = join(self.values, value).siblings

    def word(self):
        known = {actor: ranges.frontier for actor, ranges in self.applied.items()}
        left = min(self.log, default=self.seq + 1) - 1
        return Told(
            writers=frozenset({self.actor}),
            frontiers={**known, self.actor: self.seq},
            settled={self.actor: left},
        )

    def cut(self):
        return cut(self.word(), {str(n): self.told.get(n) for n in NODES if n != self.actor})

    def trim(self):
        stable = self.cut().stable
        self.log = {n: v for n, v in self.log.items() if not stable.covers(self.actor, n)}

    def forget(self):
        found = self.cut()
        gone = forgettable(self.values, found.is_settled)
        self.values = tuple(value for value in self.values if value not in gone)

    def shown(self):
        best = winner(self.values)
        return None if best is None or best.is_tombstone else best.stamp


acts = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(NODES), st.integers(0, 12)),
    st.tuples(st.just("delete"), st.sampled_from(NODES), st.integers(0, 12)),
    st.tuples(st.just("send"), st.sampled_from(NODES), st.sampled_from(NODES), st.integers(1, 3)),
    st.tuples(st.just("send"), st.sampled_from(NODES), st.sampled_from(NODES), st.integers(1, 3)),
    st.tuples(st.just("tell"), st.sampled_from(NODES), st.sampled_from(NODES)),
    st.tuples(st.just("trim"), st.sampled_from(NODES)),
    st.tuples(st.just("forget"), st.sampled_from(NODES)),
    st.just(("all",)),
)


class Story:
    """Three replicas of a key, and what their clients were told."""

    def __init__(self):
        self.nodes = {actor: Replica(actor) for actor in NODES}
        self.stamps, self.replaced = {}, set()

    def act(self, name, node=1, *rest):
        if name == "all":
            return self.all_forget()
        replica = self.nodes[node]
        if name in ("put", "delete"):
            value, replaced = replica.write(is_delete=name == "delete", skew=rest[0])
            self.stamps[value.stamp.actor, value.stamp.seq] = value
            self.replaced |= replaced
        elif name == "send":
            other = self.nodes[rest[0]]
            lacking = [n for n in replica.log if not other.applied[node].contains(n)]
            if lacking:
                other.take(replica.log[lacking[rest[1] % len(lacking)]])
        elif name == "tell":
            self.nodes[rest[0]].told[node] = replica.word()
        else:
            getattr(replica, name)()
        return None

    def all_forget(self):
        """Let everyone tell all, trim, and forget."""
        for name in ("tell", "trim", "tell", "forget"):
            for node in NODES:
                for other in NODES if name == "tell" else ("",):
                    self.act(name, node, other)

    def finish(self):
        """Let everyone have everything, and forget all that can be forgotten."""
        for sender in self.nodes.values():
            for value in list(sender.log.values()):
                for other in self.nodes.values():
                    other.take(value)
        for _ in range(3):
            self.all_forget()

    def expected(self):
        left = [v for dot, v in self.stamps.items() if dot not in self.replaced]
        best = winner(left)
        return None if best is None or best.is_tombstone else best.stamp


# A write beside the delete, of which one node has only the delete when it forgets.
RIVAL_ON_ITS_WAY = [
    ("put", 1, 0),
    ("delete", 2, 12),
    ("send", 2, 1, 1),
    ("send", 2, 3, 1),
    ("all",),
]


@settings(max_examples=300, deadline=None)
@example(RIVAL_ON_ITS_WAY)
@given(st.lists(acts, min_size=10, max_size=40))
def test_no_delete_comes_back_whatever_is_told_trimmed_and_forgotten_when(story):
    told = Story()
    for act in story:
        if act[0] not in ("send", "tell") or act[1] != act[2]:
            told.act(*act)
    told.finish()
    for node in told.nodes.values():
        assert node.shown() == told.expected()
        assert not node.log
        assert not any(value.is_tombstone for value in node.values)


def sibling(actor, seq, hlc, *, is_tombstone=False):
    return Sibling(Stamp(actor, seq, hlc), VectorClock(), is_tombstone)


values = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 9), st.booleans()),
    unique_by=lambda value: value[:2],
    max_size=5,
).map(lambda found: [sibling(a, s, h, is_tombstone=t) for a, s, h, t in found])


@given(values, st.sets(st.integers(0, 4)))
def test_forgetting_changes_nothing_that_readers_see(siblings, settled):
    going = forgettable(siblings, lambda s: siblings.index(s) in settled)
    before = winner(siblings)
    after = winner([s for s in siblings if s not in going])
    shown = None if before is None or before.is_tombstone else before
    assert (None if after is None or after.is_tombstone else after) == shown
    assert all(siblings.index(s) in settled for s in going)


@given(st.lists(frontiers, min_size=1, max_size=4))
def test_what_is_stable_is_with_everyone(known):
    own, *others = [Told(writers=frozenset(), frontiers=f, settled={}) for f in known]
    found = cut(own, {str(number): told for number, told in enumerate(others)})
    for actor, seq in found.stable.items():
        assert all(told.get(actor, 0) >= seq for told in known)


@given(frontiers, frontiers)
def test_nothing_is_stable_while_a_member_is_silent(own, other):
    heard = Told(writers=frozenset(), frontiers=other, settled={})
    found = cut(Told(frontiers=own), {"a": heard, "b": None})
    assert found.silent == ("b",)
    assert not found.stable


@given(st.integers(1, 9), st.data())
def test_two_parts_never_evict_each_other(registered, data):
    mine = data.draw(st.integers(1, registered))
    evicted = data.draw(st.integers(0, registered - 1))
    theirs = registered - mine
    decides = may_evict(registered=registered, reachable=mine, evicted=evicted)
    assert not (decides and may_evict(registered=registered, reachable=theirs, evicted=evicted))
    if decides:
        assert registered - evicted - 1 > registered // 2 >= evicted + 1


@given(st.sets(st.integers(1, 30)))
def test_ranges_hold_exactly_their_numbers_and_never_touch(numbers):
    found = ranges_of(numbers)
    assert {n for low, high in found for n in range(low, high + 1)} == numbers
    assert all(high + 1 < low for (_, high), (low, _) in zip(found, found[1:], strict=False))


@given(st.integers(0, 9), st.integers(0, 9))
def test_no_limit_is_exceeded_by_what_is_not_limited(limit, waiting):
    beyond = exceeded(Limits(events=limit), events=waiting, size_bytes=10**15, age_seconds=10**9)
    assert bool(beyond) == (0 < limit < waiting)


def test_a_writer_that_only_others_log_is_remote():
    ours = Told(writers=frozenset({1}), settled={1: 5, 9: 2})
    theirs = Told(writers=frozenset({2}), settled={2: 5})
    assert remote_writers([ours, theirs]) == {9}
    assert cut(ours, {"b": theirs}).settled == {1: 5, 2: 5, 9: 0}


answers = st.sampled_from(
    [
        Answer(has_row=row, has_version=version, was_applied=applied)
        for row, version, applied in (
            (True, True, True),
            (False, True, True),
            (False, True, False),
            (False, False, True),
            (False, False, False),
        )
    ]
)
unheard = st.builds(
    Brought,
    is_own=st.booleans(),
    is_old=st.just(value=True),
    is_shared=st.just(value=False),
    is_winner=st.booleans(),
    is_named=st.booleans(),
    is_tombstone=st.just(value=False),
)


@given(answers, st.lists(answers, max_size=2), unheard)
def test_nothing_old_goes_straight_back_where_it_is_unknown_or_was_replaced(first, rest, value):
    known = Known(first, tuple(rest))
    fate = judge(known, value)
    if not known.any("has_version"):
        assert fate == Fate.SET_ASIDE
    elif first.was_replaced:
        assert fate == Fate.DROP
    if fate == Fate.WRITE_AGAIN:
        assert value.is_winner and not known.any("was_replaced")
