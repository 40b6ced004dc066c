"""Majorities intersect, and a tracker never says yes too early.

Kills: a majority off by one, an answer counted twice, a stranger counted.
"""

from hypothesis import given
from hypothesis import strategies as st

from cluster.core.config import ReplicationMode
from replication.core.quorum import AckTracker, acks_needed, bodies_needed

members = st.integers(1, 50)


@given(members)
def test_two_majorities_always_share_a_member(count):
    assert 2 * acks_needed(ReplicationMode.QUORUM, count) > count


@given(members)
def test_a_majority_is_the_least_that_does(count):
    assert 2 * (acks_needed(ReplicationMode.QUORUM, count) - 1) <= count


@given(members)
def test_modes_ask_for_more_in_their_order(count):
    asynchronous, quorum, synchronous = (
        acks_needed(mode, count)
        for mode in (
            ReplicationMode.ASYNCHRONOUS,
            ReplicationMode.QUORUM,
            ReplicationMode.SYNCHRONOUS,
        )
    )
    assert asynchronous == 1 <= quorum <= synchronous == count
    assert bodies_needed(ReplicationMode.QUORUM, count) == quorum


nodes = st.sampled_from(["a", "b", "c", "d", "stranger"])
steps = st.lists(st.tuples(st.sampled_from(["ack", "fail"]), nodes), max_size=12)


@given(st.integers(1, 4), steps)
def test_the_tracker_agrees_with_counting_first_answers(needed, answers):
    tracker = AckTracker(needed=needed, members=["a", "b", "c", "d"])
    first = {}
    for kind, node in answers:
        getattr(tracker, kind)(node)
        if node != "stranger":
            first.setdefault(node, kind)
        acked = sum(kind == "ack" for kind in first.values())
        left = 4 - len(first)
        assert tracker.acked_count == acked
        if acked >= needed:
            assert tracker.state == "reached"
        else:
            assert tracker.state == ("pending" if acked + left >= needed else "impossible")
