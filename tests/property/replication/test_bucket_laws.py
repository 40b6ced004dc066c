"""Buckets: what nodes know of a life grows the same everywhere, and what is served follows."""

from hypothesis import given
from hypothesis import strategies as st

from replication.core.buckets import (
    BucketLife,
    BucketStanding,
    conflict_name,
    delete_context,
    families,
    merge_lives,
    visible,
)
from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage.core.siblings import Sibling, Stamp

contexts = st.dictionaries(st.integers(1, 3), st.integers(1, 5), max_size=3).map(VectorClock)
IDS = ("1111", "2222", "3333", "4444")


def born(index):
    return BucketLife(
        incarnation=IDS[index],
        name="photos",
        owner="anna" if index % 2 else "bob",
        created=Stamp(index + 1, 1, 10 * index),
    )


@st.composite
def knowledge(draw, index=0):
    """Return what some node knows of one life: its create or not, and some deletes."""
    life = born(index) if draw(st.booleans()) else BucketLife(incarnation=IDS[index], name="photos")
    for _ in range(draw(st.integers(0, 2))):
        life = life.deleted(draw(st.integers(1, 50)), draw(contexts))
    return life


@given(knowledge(), knowledge(), knowledge())
def test_knowledge_of_a_life_is_a_join(a, b, c):
    assert merge_lives(a, b) == merge_lives(b, a)
    assert merge_lives(merge_lives(a, b), c) == merge_lives(a, merge_lives(b, c))
    assert merge_lives(a, a) == a


lives_of_a_name = st.tuples(*(st.none() | knowledge(index) for index in range(4))).map(
    lambda found: [life for life in found if life is not None]
)
showing_sets = st.frozensets(st.sampled_from([("photos", "anna"), ("photos", "bob")]))


@given(lives_of_a_name, showing_sets, st.randoms(use_true_random=False))
def test_what_is_served_does_not_depend_on_the_order_of_arrival(lives, showing, rng):
    shuffled = list(lives)
    rng.shuffle(shuffled)
    assert families(shuffled, showing) == families(lives, showing)


@given(lives_of_a_name, showing_sets)
def test_each_life_is_of_one_family_and_nothing_alive_is_hidden(lives, showing):
    found = families(lives, showing)
    created = [life for life in lives if life.created]
    named = [incarnation for family in found for incarnation in family.incarnations]
    assert sorted(named) == sorted(life.incarnation for life in created)
    for family in found:
        own = [life for life in created if life.incarnation in family.incarnations]
        is_alive = any(not life.deleted_hlc for life in own)
        is_served = family.standing != BucketStanding.DELETED
        assert is_served == (is_alive or ("photos", family.owner) in showing)
        assert family.home in family.incarnations
        if is_alive:
            alive = [life.incarnation for life in own if not life.deleted_hlc]
            assert family.home == min(alive)


@given(lives_of_a_name, showing_sets)
def test_a_name_that_is_served_has_one_bucket(lives, showing):
    served = [f for f in families(lives, showing) if f.standing != BucketStanding.DELETED]
    names = [family.name for family in served]
    assert len(names) == len(set(names))
    kept = [family for family in served if family.standing != BucketStanding.RENAMED]
    assert len(kept) <= 1
    assert all(family.name == "photos" for family in kept)


stamps = st.builds(Stamp, st.integers(1, 3), st.integers(1, 6), st.integers(0, 9))
values = st.lists(
    st.builds(Sibling, stamps, contexts, st.booleans()),
    max_size=5,
    unique_by=lambda sibling: (sibling.stamp.actor, sibling.stamp.seq),
)


@given(values, contexts)
def test_a_delete_hides_what_it_had_seen_and_nothing_else(siblings, seen):
    shown = visible(siblings, seen)
    unseen = [s for s in siblings if not seen.covers(s.stamp.actor, s.stamp.seq)]
    assert shown == visible(unseen, {})
    if shown is not None:
        assert shown in unseen
        assert not shown.is_tombstone


@given(st.lists(contexts, max_size=4), contexts)
def test_a_delete_claims_only_what_was_applied_without_a_gap(contents, frontiers):
    complete = {1: 0, 2: 0, 3: 0, **frontiers}
    seen = delete_context(contents, complete)
    everything = VectorClock()
    for history in contents:
        everything = everything.merge(history)
    if VectorClock(complete).dominates(everything):
        assert seen == everything
    else:
        assert seen is None


def test_writers_of_other_regions_are_taken_at_their_word():
    assert delete_context([VectorClock({9: 4})], {1: 0}) == VectorClock({9: 4})


def test_a_delete_is_refused_while_a_value_it_would_hide_is_on_its_way():
    tombstone = Sibling(Stamp(2, 1, 20), VectorClock({1: 2}), is_tombstone=True)
    assert delete_context([tombstone.history()], {1: 1, 2: 1}) is None
    assert delete_context([tombstone.history()], {1: 2, 2: 1}) == VectorClock({1: 2, 2: 1})


def test_an_older_life_does_not_compete_with_the_next_one():
    old = Sibling(Stamp(1, 2, 90), VectorClock(), is_tombstone=True)
    new = Sibling(Stamp(2, 1, 50), VectorClock())
    assert visible([old, new], VectorClock({1: 2})) == new


def test_the_earlier_owner_keeps_the_name():
    anna, bob = families([born(1), born(0)], ())
    assert (bob.name, bob.owner, bob.standing) == ("photos", "bob", BucketStanding.LIVE)
    assert anna.name == conflict_name("photos", "2222")
    assert (anna.owner, anna.standing) == ("anna", BucketStanding.RENAMED)


def test_an_owner_who_lost_the_name_leaves_it_to_the_next():
    first, loser = born(0).deleted(15, VectorClock()), born(1)
    anna, bob = families([first, loser, born(2)], ())
    assert (bob.name, bob.standing) == ("photos", BucketStanding.LIVE)
    assert anna.standing == BucketStanding.RENAMED


def test_a_name_given_back_before_is_free_for_the_next_owner():
    gone = born(0).deleted(5, VectorClock())
    anna, bob = families([gone, born(1)], ())
    assert (anna.name, anna.standing) == ("photos", BucketStanding.LIVE)
    assert bob.standing == BucketStanding.DELETED


def test_a_deleted_bucket_with_something_unseen_waits_for_a_person():
    gone = born(0).deleted(5, VectorClock())
    (bucket,) = families([gone], {("photos", "bob")})
    assert (bucket.name, bucket.standing) == ("photos", BucketStanding.DELETE_CONFLICT)
