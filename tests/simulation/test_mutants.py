"""The simulator bites: each rule, replaced by the obvious wrong one, is caught within few seeds.

A checker that no broken rule can fail proves nothing. Beside each mutant stands what it gets
wrong; the last tests show that the harness itself accepts a right rule written differently.
"""

from dataclasses import replace

import pytest

from replication.core.applied import AppliedRanges
from replication.core.buckets import delete_context
from replication.core.lanes import settle
from rs3gw.common import hlc
from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage.core.siblings import JoinResult, join, key_context
from tests.simulation import checkers, workloads
from tests.simulation.replica import Rules
from tests.simulation.world import Weather, World

SEEDS = 25


def wall_clock(last, now_ms):
    """Stamp with the wall clock, as it is."""
    return hlc.pack(now_ms)


def wall_clock_observed(last, remote, now_ms):
    """Learn nothing from the timestamps of others."""
    return last


def newest_register(current, incoming, *, is_local):
    """Keep one value; the newest stamp wins, but a local write is always installed."""
    if not current:
        return JoinResult((incoming,), (), "applied")
    (held,) = current
    if is_local or incoming.stamp.order_key() > held.stamp.order_key():
        return JoinResult((incoming,), tuple(current), "applied")
    return JoinResult(tuple(current), (), "superseded")


def register_rule(current, incoming):
    """Install what follows the held value as its writer knew it (a local write), else compare."""
    held = current[0] if current else None
    is_local = held is not None and incoming.context == held.history()
    return newest_register(current, incoming, is_local=is_local)


def pairwise_first_write(current, incoming):
    """Fold pairwise: a follower replaces; of two concurrent values the older one stays."""
    if not current:
        return JoinResult((incoming,), (), "applied")
    (held,) = current
    follows = incoming.context.covers(held.stamp.actor, held.stamp.seq)
    precedes = held.context.covers(incoming.stamp.actor, incoming.stamp.seq)
    older = incoming.stamp.order_key() < held.stamp.order_key()
    if follows or (older and not precedes):
        return JoinResult((incoming,), tuple(current), "applied")
    return JoinResult(tuple(current), (), "superseded")


def context_ignored_on_arrival(current, incoming):
    """Take in whatever comes, even what was replaced long ago."""
    seen = incoming.context
    kept = [s for s in current if not seen.covers(s.stamp.actor, s.stamp.seq)]
    return JoinResult((*kept, incoming), (), "applied")


def no_context(siblings):
    """Write without saying what was seen."""
    return VectorClock()


def frontier_over_gaps(ranges, seq):
    """Take the highest number seen for the frontier."""
    return AppliedRanges(max(ranges.frontier, seq)), seq > ranges.frontier


def forget_what_failed(*args, **kwargs):
    """Move the cursor on and remember nothing."""
    return replace(settle(*args, **kwargs), retry=())


def forget_silence(batch, results, **kwargs):
    """Count an event without a good answer as delivered."""
    settlement = settle(batch, results, **kwargs)
    return replace(settlement, acked=tuple(sent.position for sent in batch), retry=())


def delete_without_looking(contents, frontiers):
    """Claim all up to the highest number of each writer, whether or not all of it came."""
    return delete_context(contents, {})


def everything_seen(contents, frontiers):
    """Claim that a bucket delete had seen everything."""
    return VectorClock(dict.fromkeys(range(1000, 1010), 2**40))


MUTANTS = {
    "winners folded pairwise": (Rules(join=pairwise_first_write), workloads.objects),
    "writes without causal context": (Rules(context=no_context), workloads.objects),
    "context ignored on arrival": (Rules(join=context_ignored_on_arrival), workloads.objects),
    "frontier that skips gaps": (Rules(add_applied=frontier_over_gaps), workloads.objects),
    "retry that drops": (Rules(settle=forget_what_failed), workloads.objects),
    "silence taken for success": (Rules(settle=forget_silence), workloads.objects),
    "bucket delete that claims what is in flight": (
        Rules(delete_context=delete_without_looking),
        workloads.bucket_deleted_over_a_gap,
    ),
    "bucket delete that removes everything": (
        Rules(delete_context=everything_seen),
        workloads.buckets,
    ),
}


# Bad enough that later events often overtake earlier ones.
OVERTAKING = Weather(item_failures=0.5, delay_seconds_max=0.1, partitions=False)


def survived(rules, workload, check=checkers.check_all):
    for seed in range(SEEDS):
        world = World(seed, rules=rules, weather=OVERTAKING if seed % 2 else None)
        workload(world)
        world.settle()
        try:
            check(world)
        except AssertionError:
            return False
    return True


def test_one_value_per_key_diverges_by_wall_clock_and_converges_by_hybrid_clock():
    wall = Rules(tick=wall_clock, observe=wall_clock_observed, join=register_rule)
    hybrid = Rules(join=register_rule)
    assert not survived(wall, workloads.objects, checkers.all_nodes_hold_the_same)
    assert survived(hybrid, workloads.objects, checkers.all_nodes_hold_the_same)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_rule_is_caught(name):
    assert not survived(*MUTANTS[name])


def reversed_join(current, incoming):
    """The right rule, with the set handed over in another order."""
    return join(list(reversed(current)), incoming)


@pytest.mark.parametrize("rules", [Rules(join=reversed_join), Rules(context=key_context)])
def test_a_right_rule_written_differently_passes(rules):
    assert survived(rules, workloads.objects)
