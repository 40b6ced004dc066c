"""Nodes that trim, forget, evict, lose disks and join again: deletes stay deleted.

`RS3GW_SIM_SCHEDULES` sets how many schedules run; `SEED=n` runs that one and tells its story.
"""

import os
from collections import Counter

import pytest

from replication.core.review import Fate, judge
from replication.core.stability import Cut
from rs3gw.storage.core.siblings import winner
from tests.simulation import aftermath, tales
from tests.simulation.region import Region, forgetting
from tests.simulation.replica import Rules
from tests.simulation.world import seeds

SCHEDULES = int(os.environ.get("RS3GW_SIM_SCHEDULES", "2000"))
SCHEDULES_A_TEST = 25
MUTANT_SCHEDULES = 250


def played(seed, rules=None, workload=forgetting):
    nodes = 3 + seed % 3 if workload is forgetting else 3
    region = Region(seed, node_count=nodes, rules=rules)
    workload(region)
    region.settle()
    return region


def blocks():
    chosen = seeds(SCHEDULES)
    return [chosen[i : i + SCHEDULES_A_TEST] for i in range(0, len(chosen), SCHEDULES_A_TEST)]


@pytest.mark.parametrize("block", blocks(), ids=lambda block: f"{block[0]}-{block[-1]}")
def test_deletes_stay_deleted_and_nothing_grows(block):
    for seed in block:
        region = played(seed)
        try:
            aftermath.check_all(region)
        except AssertionError as error:
            raise AssertionError(f"make simulate SEED={seed}: {error}") from error


def test_the_schedules_hold_what_they_are_for():
    happened = Counter()
    for seed in range(20):
        happened.update(played(seed).happened.keys())
    for what in ("evicted", "told", "joined", "forgotten", "new disk"):
        assert happened[what] >= 5, happened


@pytest.mark.parametrize("seed", seeds(10))
@pytest.mark.parametrize(
    "tale", [tales.a_rival_is_on_its_way, tales.half_a_write_and_a_long_absence]
)
def test_a_delete_outlives_what_was_on_its_way(tale, seed):
    region = played(seed, workload=tale)
    aftermath.check_all(region)
    assert not any(key == "a" for node in region.nodes.values() for _, _, key, _ in node.listing())


def by_age(cut, value):
    """A tombstone goes when it is old."""
    return True


def by_dot_alone(cut, value):
    """A tombstone goes when everyone has it, whatever of what it follows is on its way."""
    return value.stamp.seq <= cut.stable.get(value.stamp.actor, 0)


def though_others_are_ahead(cut, value):
    """A tombstone goes though changes from before it may be on their way here."""
    return Cut(stable=cut.stable, settled=cut.settled).is_settled(value)


def tombstones_alone(siblings, is_settled):
    """A tombstone goes, and what it hid beside it shows again."""
    return [s for s in siblings if s.is_tombstone and is_settled(s)]


def winner_alone(siblings, is_settled):
    """What won decides; whether the others are settled is not asked."""
    best = winner(siblings)
    return list(siblings) if best.is_tombstone and is_settled(best) else []


def straight_back(known, value):
    """What an evicted node brings back goes in."""
    return Fate.SEND if value.is_own else judge(known, value)


MUTANTS = {
    "tombstones die by age": Rules(is_settled=by_age),
    "only members that are heard count": Rules(counts=lambda ago: ago < 1.0),
    "what a tombstone follows is not asked": Rules(is_settled=by_dot_alone),
    "a tombstone leaves its rivals behind": Rules(forgettable=tombstones_alone),
    "rivals of a tombstone need not be settled": Rules(forgettable=winner_alone),
    "the log is trimmed by age": Rules(trims=lambda event, stable: True, passed=max),
    "a new disk goes on under the old writer id": Rules(keeps_actor=True),
    "an evicted node comes straight back": Rules(judge=straight_back),
    "an evicted node joins again without a look at what it holds": Rules(reviews=False),
}
MUTANTS_OF_TALES = {
    "changes on their way are not waited for": (
        Rules(is_settled=though_others_are_ahead),
        tales.a_rival_is_on_its_way,
    ),
    "an evicted node is listened to": (
        Rules(refuses=False),
        tales.half_a_write_and_a_long_absence,
    ),
}


def survived(rules, workload=forgetting):
    for seed in range(MUTANT_SCHEDULES):
        try:
            aftermath.check_all(played(seed, rules, workload))
        except AssertionError:
            return False
    return True


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_rule_is_caught(name):
    assert not survived(MUTANTS[name])


@pytest.mark.parametrize("name", MUTANTS_OF_TALES)
def test_a_broken_rule_is_caught_by_its_tale(name):
    assert not survived(*MUTANTS_OF_TALES[name])
