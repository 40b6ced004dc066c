"""Merging, refuting and reading of member records."""

import pytest

from cluster.core.membership import (
    RECORDS_MAX,
    MalformedMessage,
    Membership,
    Status,
    believe,
    merge_records,
    record_from_json,
    records_from_json,
    refute,
)
from cluster.core.node import Lifecycle
from tests.unit.cluster.nodes import record


def test_the_higher_incarnation_wins_whatever_is_said_of_the_lower():
    rumour = record("b", 3, status=Status.LEFT)
    word = record("b", 4)

    assert merge_records(rumour, word) is word
    assert merge_records(word, rumour) is word


def test_of_one_incarnation_the_worse_wins():
    said = [record("b", 3, status=status) for status in Status]

    assert merge_records(said[0], said[1]).status is Status.SUSPECT
    assert merge_records(said[2], said[1]).status is Status.FAILED
    assert merge_records(said[2], said[3]).status is Status.LEFT


def test_of_two_that_share_a_name_all_prefer_the_same_one():
    one, other = record("b", 3, version="1", status=Status.FAILED), record("b", 3, version="2")

    assert merge_records(one, other) is merge_records(other, one) is other


def test_a_node_refutes_a_rumour_by_raising_its_incarnation():
    own = record("a", 5)

    assert refute(own, record("a", 5, status=Status.FAILED)).incarnation == 6
    assert refute(own, record("a", 9)).incarnation == 10
    assert refute(own, record("a", 4, status=Status.LEFT)) is None
    assert refute(own, own) is None


def test_a_node_that_was_removed_while_away_has_to_join_again():
    own = record("a", 5)

    assert refute(own, record("a", 5, status=Status.LEFT)).must_rejoin
    assert not refute(own, record("a", 5, status=Status.SUSPECT)).must_rejoin


def test_a_node_that_has_left_does_not_come_back_by_rumour():
    own = record("a", 5, status=Status.LEFT, lifecycle=Lifecycle.LEFT)

    assert not refute(own, record("a", 7)).must_rejoin


def test_doubt_about_who_is_heard_directly_is_not_believed():
    failed = record("b", 3, status=Status.FAILED)

    assert believe(failed, is_heard_directly=True).status is Status.ALIVE
    assert believe(failed, is_heard_directly=False) is failed
    left = record("b", 3, status=Status.LEFT)
    assert believe(left, is_heard_directly=True) is left


def test_the_digest_leaves_out_what_each_node_observes_for_itself():
    calm = Membership([record("a"), record("b")])
    worried = Membership([record("a"), record("b", status=Status.FAILED)])
    other = Membership([record("a"), record("b", 2)])
    left = Membership([record("a"), record("b", status=Status.LEFT)])

    assert calm.digest() == worried.digest()
    assert len({calm.digest(), other.digest(), left.digest()}) == 3


def test_newer_records_are_those_that_the_other_lacks():
    ours = Membership([record("a", 2), record("b", 1), record("c", 1, status=Status.SUSPECT)])
    theirs = Membership([record("a", 1), record("c", 1)])

    assert {r.node_id for r in ours.newer_than(theirs)} == {"a", "b"}
    assert ours.newer_than(ours) == ()


def test_records_survive_the_wire():
    sent = record("a", 7, actor=2**63 - 256, version="1.2.3", metadata={"zone": "z1"})

    assert record_from_json(sent.to_json()) == sent


def test_fields_of_later_versions_are_ignored():
    data = {**record("a").to_json(), "colour": ["red"]}

    assert record_from_json(data) == record("a")


@pytest.mark.parametrize(
    "change",
    [
        {"node_id": "A b"},
        {"node_id": 7},
        {"address": "nowhere"},
        {"status": "drunk"},
        {"state": "unknown"},
        {"incarnation": -1},
        {"incarnation": True},
        {"incarnation": 2**63},
        {"actor": "1"},
        {"metadata": {"zone": 1}},
        {"metadata": {str(number): "" for number in range(33)}},
        {"version": "v" * 256},
    ],
)
def test_a_malformed_record_is_refused(change):
    with pytest.raises(MalformedMessage):
        record_from_json({**record("a").to_json(), **change})


@pytest.mark.parametrize("data", [None, {}, "text", [None], [1] * (RECORDS_MAX + 1)])
def test_a_malformed_table_is_refused(data):
    with pytest.raises(MalformedMessage):
        records_from_json(data)
