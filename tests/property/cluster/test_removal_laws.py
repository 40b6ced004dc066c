"""Removals only grow: all nodes come to know the same ones, and the epoch never falls."""

from hypothesis import given
from hypothesis import strategies as st

from cluster.core.removal import Removal, Removals, removals_from_json

removals = st.builds(
    Removal,
    node_id=st.sampled_from(["a", "b"]),
    actor=st.sampled_from([256, 512]),
    epoch=st.integers(1, 4),
    removed_by=st.sampled_from(["x", "y"]),
    at_ms=st.integers(0, 2),
)
sets = st.lists(removals, max_size=6).map(Removals)


@given(sets, sets, sets)
def test_merge_is_commutative_associative_and_idempotent(one, two, three):
    assert one.merge(two) == two.merge(one)
    assert one.merge(two).merge(three) == one.merge(two.merge(three))
    assert one.merge(one) == one


@given(sets, sets)
def test_nothing_is_forgotten_and_the_epoch_never_falls(one, two):
    both = one.merge(two)

    assert both.epoch == max(one.epoch, two.epoch)
    for removal in [*one, *two]:
        assert both.find(removal.node_id, removal.actor) is not None


@given(sets)
def test_what_is_told_is_what_is_known(one):
    assert removals_from_json(one.to_json()) == one
