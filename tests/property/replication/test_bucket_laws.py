"""Buckets: what nodes know of a life grows the same everywhere, and what is served follows."""

import random

from hypothesis import given
from hypothesis import strategies as st

from replication.core.buckets import (
    BucketLife,
    BucketStanding,
    conflict_name,
    merge_lives,
    serve,
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
standing_sets = st.frozensets(st.sampled_from(IDS))


@given(lives_of_a_name, standing_sets, st.randoms(use_true_random=False))
def test_what_is_served_does_not_depend_on_the_order_of_arrival(lives, standing, rng):
    shuffled = list(lives)
    random.Random(rng.random()).shuffle(shuffled)
    assert serve(shuffled, standing) == serve(lives, standing)


@given(lives_of_a_name, standing_sets)
def test_a_name_is_served_once_and_nothing_alive_is_hidden(lives, standing):
    served = serve(lives, standing)
    names = [bucket.name for bucket in served]
    assert len(names) == len(set(names))
    alive = {
        life.incarnation
        for life in lives
        if life.created and (not life.deleted_hlc or life.incarnation in standing)
    }
    assert {incarnation for bucket in served for incarnation in bucket.incarnations} == alive
    for bucket in served:
        assert bucket.incarnation == min(bucket.incarnations)


@given(lives_of_a_name, standing_sets)
def test_one_owner_has_one_bucket_of_a_name(lives, standing):
    owners = [bucket.owner for bucket in serve(lives, standing)]
    assert len(owners) == len(set(owners))


stamps = st.builds(Stamp, st.integers(1, 3), st.integers(1, 6), st.integers(0, 9))
values = st.lists(
    st.tuples(st.sampled_from(IDS[:2]), st.builds(Sibling, stamps, contexts, st.booleans())),
    max_size=5,
    unique_by=lambda item: (item[1].stamp.actor, item[1].stamp.seq),
)


@given(values, knowledge(0), knowledge(1))
def test_a_delete_hides_only_what_it_had_seen(siblings, first, second):
    lives = {life.incarnation: life for life in (first, second)}
    shown = visible(siblings, lives)
    if shown is not None:
        value, home = shown
        assert not value.is_tombstone
        assert not lives[home].hides(value.stamp)


def test_a_late_write_that_a_hidden_tombstone_answered_stays_away():
    put = Sibling(Stamp(1, 2, 10), VectorClock())
    tombstone = Sibling(Stamp(2, 1, 20), VectorClock({1: 2}), is_tombstone=True)
    life = born(0).deleted(30, VectorClock({2: 1}))
    assert visible([("1111", put)], {"1111": life}) is not None
    assert visible([("1111", put), ("1111", tombstone)], {"1111": life}) is None


def test_an_older_life_does_not_compete_with_the_next_one():
    old = Sibling(Stamp(1, 2, 90), VectorClock(), is_tombstone=True)
    new = Sibling(Stamp(2, 1, 50), VectorClock())
    lives = {"1111": born(0).deleted(30, VectorClock({1: 2})), "3333": born(2)}
    assert visible([("1111", old), ("3333", new)], lives) == (new, "3333")


def test_the_earlier_owner_keeps_the_name():
    first, second = born(0), born(1)
    bob, anna = serve([second, first], frozenset())
    assert (bob.name, bob.owner, bob.standing) == ("photos", "bob", BucketStanding.LIVE)
    assert anna.name == conflict_name("photos", "2222")
    assert (anna.owner, anna.standing) == ("anna", BucketStanding.RENAMED)


def test_a_name_given_back_before_is_free_for_the_next_owner():
    gone = born(0).deleted(5, VectorClock())
    (anna,) = serve([gone, born(1)], frozenset())
    assert (anna.name, anna.standing) == ("photos", BucketStanding.LIVE)


def test_a_deleted_bucket_with_something_unseen_waits_for_a_person():
    gone = born(0).deleted(5, VectorClock())
    (bucket,) = serve([gone], frozenset({"1111"}))
    assert (bucket.name, bucket.standing) == ("photos", BucketStanding.DELETE_CONFLICT)
