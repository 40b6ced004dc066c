"""Placement is even, spreads over zones, and moves no more than it must."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.core.placement import SHARDS, Member, holders

SHARD_NAMES = [f"{shard:03x}" + "0" * 61 for shard in range(0, SHARDS, 4)]
factors = st.integers(1, 3)
sizes = st.integers(3, 8)


def cluster(size, *, zones=0, prefix="node"):
    return [
        Member(f"{prefix}-{number}", 1.0, f"zone-{number % zones}" if zones else "")
        for number in range(size)
    ]


def placement(members, factor):
    return {name: set(holders(name, members, factor)) for name in SHARD_NAMES}


@settings(max_examples=20, deadline=None)
@given(sizes, factors)
def test_a_member_that_comes_takes_only_its_share(size, factor):
    before = placement(cluster(size), factor)
    after = placement([*cluster(size), Member("new")], factor)

    moved = sum(len(after[name] - before[name]) for name in SHARD_NAMES)
    share = len(SHARD_NAMES) * factor / (size + 1)
    assert moved <= 1.35 * share
    assert all(after[name] - before[name] <= {"new"} for name in SHARD_NAMES)


@settings(max_examples=20, deadline=None)
@given(sizes, factors, st.data())
def test_a_member_that_goes_moves_only_its_share(size, factor, data):
    members = cluster(size)
    gone = data.draw(st.sampled_from(members))
    before = placement(members, factor)
    after = placement([m for m in members if m != gone], factor)

    for name in SHARD_NAMES:
        if gone.node_id not in before[name]:
            assert after[name] == before[name]


@settings(max_examples=20, deadline=None)
@given(sizes, factors)
def test_equal_members_hold_about_the_same(size, factor):
    held = Counter(node for nodes in placement(cluster(size), factor).values() for node in nodes)
    fair = len(SHARD_NAMES) * factor / size

    assert len(held) == size
    assert max(held.values()) <= 1.35 * fair
    assert min(held.values()) >= 0.65 * fair


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 4))
def test_a_member_of_more_weight_holds_more(weight):
    members = [Member("big", float(weight)), *cluster(4, prefix="small")]
    held = Counter(node for nodes in placement(members, 1).values() for node in nodes)
    small = sum(held[f"small-{number}"] for number in range(4)) / 4

    assert 0.7 * weight <= held["big"] / small <= 1.35 * weight


@settings(max_examples=20, deadline=None)
@given(st.integers(3, 9), st.integers(2, 4), factors)
def test_copies_lie_in_as_many_zones_as_there_are(size, zones, factor):
    members = cluster(size, zones=zones)
    zone_of = {member.node_id: member.zone for member in members}
    zone_count = len(set(zone_of.values()))

    for nodes in placement(members, factor).values():
        assert len({zone_of[node] for node in nodes}) == min(factor, zone_count)
