"""Laws of healing: copies never fall below what must exist, and placement moves only what it must.

The nodes of the model take the steps that real ones take, one at a time and in any order, with
whatever they believe of the membership at that moment: mark, ask one holder (which looks at its
marks first and at its disk later), decide, drop, unmark.
"""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.core.placement import SHARDS
from replication.core.healing import (
    Load,
    NodeView,
    Plan,
    WalkHistory,
    loads,
    make_plan,
    may_drop,
    moves,
    next_walk,
    says_held,
    violations,
    with_leaving,
    without,
)

NAMES = [f"node-{number}" for number in range(6)]
HOUR = 3600.0


class Model:
    """Nodes with one body, each with a believed list of holders that may change at any time."""

    def __init__(self, rng, factor, *, marks_count=True, disk_first=False):
        self.rng = rng
        self.factor = factor
        self.marks_count = marks_count
        self.disk_first = disk_first
        self.on_disk = set(rng.sample(NAMES, rng.randint(factor, len(NAMES))))
        self.marked = set()
        self.believed = {name: self._some_holders() for name in NAMES}
        self.running = {}

    def _some_holders(self):
        return self.rng.sample(NAMES, self.factor)

    def step(self):
        """Let one node take one step."""
        name = self.rng.choice(NAMES)
        kind = self.rng.random()
        if kind < 0.05:
            self.believed[name] = self._some_holders()
        elif kind < 0.1 and self.on_disk and name in self.believed[name]:
            self.on_disk.add(name)
        else:
            run = self.running.setdefault(name, self._drop(name))
            try:
                next(run)
            except StopIteration:
                del self.running[name]

    def _drop(self, name):
        holders = list(self.believed[name])
        if name not in self.on_disk or name in holders:
            return
        self.marked.add(name)
        yield
        confirmed = []
        for holder in holders:
            answer = yield from self._answer(holder)
            if answer:
                confirmed.append(holder)
        wanted = list(self.believed[name])
        if may_drop(
            own=name, holder_ids=wanted, confirmed=confirmed, replication_factor=self.factor
        ):
            yield
            self.on_disk.discard(name)
        yield
        self.marked.discard(name)

    def _answer(self, holder):
        is_on_disk = holder in self.on_disk
        if self.disk_first:
            yield
        is_marked = self.marks_count and holder in self.marked
        if not self.disk_first:
            yield
            is_on_disk = holder in self.on_disk
        yield
        return says_held(is_marked=is_marked, is_on_disk=is_on_disk, is_named=True)


def fewest_copies(seed, factor, steps=400, **broken):
    model = Model(random.Random(seed), factor, **broken)
    fewest = len(model.on_disk)
    for _ in range(steps):
        model.step()
        fewest = min(fewest, len(model.on_disk))
    return fewest


@given(st.integers(min_value=0), st.integers(1, 4))
def test_dropping_never_leaves_fewer_copies_than_must_exist(seed, factor):
    assert fewest_copies(seed, factor) >= factor


@pytest.mark.parametrize("broken", [{"marks_count": False}, {"disk_first": True}])
def test_the_law_notices_a_node_that_breaks_the_protocol(broken):
    assert any(fewest_copies(seed, 2, **broken) < 2 for seed in range(3000))


@st.composite
def regions(draw):
    count = draw(st.integers(2, 9))
    zones = st.sampled_from(["", "a", "b", "c"])
    return [
        NodeView(
            node_id=f"n{number}",
            weight=draw(st.sampled_from([0.0, 0.5, 1.0, 2.0])),
            zone=draw(zones),
            is_leaving=draw(st.booleans()),
            failed_since=draw(st.none() | st.floats(0, 3 * HOUR)),
        )
        for number in range(count)
    ]


@given(regions(), st.floats(0, 4 * HOUR))
def test_at_least_half_of_the_members_are_never_given_up(nodes, now):
    plan = make_plan(nodes, now=now, rebuild_after_seconds=1800)
    assert 2 * len(plan.given_up) <= len(nodes)
    failed = {node.node_id: node.failed_since for node in nodes if node.failed_since is not None}
    for name in plan.given_up:
        assert now - failed[name] >= 1800


@given(st.floats(0, 4 * HOUR), st.integers(1, 3))
def test_more_than_a_third_that_failed_together_are_not_given_up(now, count):
    alive = [NodeView(node_id=f"alive-{number}") for number in range(2 * count - 1)]
    failed = [NodeView(node_id=f"failed-{number}", failed_since=0.0) for number in range(count)]
    plan = make_plan([*alive, *failed], now=now, rebuild_after_seconds=1800)
    assert plan.given_up == ()
    assert plan.withheld


@given(regions(), st.integers(0, 4))
def test_a_move_brings_every_shard_to_its_new_holders(nodes, factor):
    before = make_plan(nodes, now=0.0, rebuild_after_seconds=HOUR)
    after = with_leaving(before, nodes[0].node_id)
    shards = {shard: Load(1, 10) for shard in range(0, SHARDS, 64)}
    held, wanted = loads(shards, before, factor), loads(shards, after, factor)
    for node_id, load in wanted.items():
        gained = sum(m.load.bodies for m in moves(shards, before, after, factor)
                     if m.taker == node_id)  # fmt: skip
        if any(held[name].bodies for name in held):
            assert held[node_id].bodies + gained >= load.bodies
    assert wanted[nodes[0].node_id] == Load()


@given(regions(), st.integers(0, 4))
def test_nothing_moves_when_nothing_changes(nodes, factor):
    plan = make_plan(nodes, now=0.0, rebuild_after_seconds=HOUR)
    assert moves({1: Load(1, 1)}, plan, plan, factor) == []


@given(regions(), st.integers(1, 4))
def test_what_placement_cannot_keep_is_always_said(nodes, factor):
    plan = make_plan(nodes, now=0.0, rebuild_after_seconds=HOUR)
    zones = {member.node_id: member.zone or member.node_id for member in plan.members}
    is_broken = False
    for shard in range(0, SHARDS, 256):
        chosen = plan.holders(f"{shard:03x}", factor)
        is_broken |= len(chosen) < factor or len({zones[name] for name in chosen}) < len(chosen)
    assert bool(violations(plan, factor)) >= is_broken


@given(regions())
def test_a_plan_asks_for_one_walk_and_then_is_content(nodes):
    plan = make_plan(nodes, now=0.0, rebuild_after_seconds=HOUR)
    assert next_walk(WalkHistory(), plan, now=0.0, interval_seconds=60)
    done = WalkHistory(plan_key=plan.key(), given_up=plan.given_up, ended_at=10.0)
    assert next_walk(done, plan, now=69.0, interval_seconds=60) is None
    assert next_walk(done, plan, now=70.0, interval_seconds=60)[0] == "audit"
    other = without(plan, plan.members[0].node_id) if plan.members else Plan(members=())
    if other.key() != plan.key():
        assert next_walk(done, other, now=11.0, interval_seconds=60)
