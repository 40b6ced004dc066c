"""Digests do not depend on order, can be put together, and tell two states apart."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from replication.core.digest import (
    Cause,
    Digest,
    Item,
    compare,
    digest_from_json,
    hash_of,
    leaf_of,
)

items = st.builds(
    Item,
    key=st.sampled_from(["a", "b", "c", "ü"]),
    version_id=st.sampled_from(["null", "v1"]),
    actor=st.integers(1, 3),
    seq=st.integers(1, 6),
    kind=st.sampled_from(["live", "tombstone", "marker", "attribute"]),
)
states = st.frozensets(items, max_size=12)
frontiers = st.dictionaries(st.integers(1, 3), st.integers(0, 6))


def digest_of(state):
    digest = Digest()
    for item in state:
        digest.add(leaf_of(item.key), item.hash())
    return digest


@given(states, st.randoms(use_true_random=False))
def test_the_order_of_entries_does_not_matter(state, rng: random.Random):
    shuffled = sorted(state)
    rng.shuffle(shuffled)
    assert digest_of(shuffled).root() == digest_of(sorted(state)).root()


@given(states, states)
def test_digests_of_halves_make_the_digest_of_the_whole(one, other):
    rest = other - one
    assert digest_of(one).merge(digest_of(rest)).leaves == digest_of(one | rest).leaves


@given(states, states)
def test_equal_roots_mean_equal_states(one, other):
    assert (digest_of(one).root() == digest_of(other).root()) == (one == other)
    leaves = {leaf_of(item.key) for item in one ^ other}
    assert set(digest_of(one).differing(digest_of(other))) == leaves


@given(states)
def test_a_digest_survives_its_json(state):
    digest = digest_of(state)
    assert digest_from_json(digest.to_json()) == digest


@settings(max_examples=200)
@given(states, states, frontiers, frontiers)
def test_every_key_that_differs_is_reported_once_from_both_sides(here, there, mine, theirs):
    found = compare(here, there, applied_here=mine, applied_there=theirs)
    mirrored = compare(there, here, applied_here=theirs, applied_there=mine)
    assert [d.key for d in found] == sorted({item.key for item in here ^ there})
    assert [(d.only_here, d.only_there) for d in found] == [
        (d.only_there, d.only_here) for d in mirrored
    ]
    opposite = {
        Cause.MISSING_HERE: Cause.MISSING_THERE,
        Cause.MISSING_THERE: Cause.MISSING_HERE,
        Cause.OLDER_HERE: Cause.OLDER_THERE,
        Cause.OLDER_THERE: Cause.OLDER_HERE,
    }
    assert [opposite.get(d.cause, d.cause) for d in found] == [d.cause for d in mirrored]


def test_a_delete_that_the_other_side_has_forgotten_is_no_difference():
    gone = Item("a", "null", 1, 5, "tombstone")
    assert compare([gone], [], applied_here={}, applied_there={1: 5})[0].cause == Cause.COLLECTED
    missing = compare([gone], [], applied_here={}, applied_there={1: 4})[0]
    assert missing.cause == Cause.MISSING_THERE
    live = Item("a", "null", 1, 5, "live")
    assert compare([live], [], applied_here={}, applied_there={1: 9})[0].cause == (
        Cause.MISSING_THERE
    )


def test_hashes_tell_neighbouring_parts_apart():
    assert hash_of("ab", "c") != hash_of("a", "bc")
