"""Two groups of nodes that each confirm something always have a node in common."""

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.core.electorate import Electorate, is_settled, sets_from_header

NODES = st.frozensets(st.sampled_from("abcdefg"), min_size=1)


@settings(max_examples=300)
@given(NODES, NODES, NODES, NODES, NODES)
def test_confirmations_before_while_and_after_a_change_overlap(before, after, one, two, three):
    """Whoever has heard of a change, and whoever has not, share a node that confirms."""
    old, joint = Electorate(before), Electorate(after, before)
    if old.is_reached(one) and joint.is_reached(two):
        assert one & two
    if joint.is_reached(two) and Electorate(after).is_reached(three):
        assert two & three


@settings(max_examples=300)
@given(NODES, NODES, NODES, NODES)
def test_a_change_counts_alone_only_when_every_old_majority_knows_it(before, after, knowing, acks):
    joint = Electorate(after, before)
    if is_settled(joint, knowing) and Electorate(before).is_reached(acks):
        assert knowing & acks


@given(NODES, st.just(frozenset()) | NODES)
def test_the_sets_survive_their_header(current, settled):
    electorate = Electorate(current, settled)
    assert sets_from_header(electorate.to_header()) == tuple(s for s, _ in electorate.sets())


def test_a_header_of_nobody_holds_no_set():
    assert sets_from_header("") == ()
    assert sets_from_header(",;") == ()


@given(NODES, st.integers(0, 3), NODES)
def test_members_that_were_never_met_are_counted(current, unmet, nodes):
    is_reached = Electorate(current, unmet=unmet).is_reached(nodes)
    assert is_reached == (2 * len(current & nodes) > len(current) + unmet)
