"""The way from a start to an active member."""

import pytest

from cluster.core.discovery import Situation, Step, copy_sources, next_step
from cluster.core.node import Lifecycle, Liveness
from tests.unit.cluster.nodes import info

STARTING, JOINING = Lifecycle.STARTING, Lifecycle.JOINING


def situation(lifecycle, **known):
    values = {"is_member": False, "has_seeds": True, "has_met_seed": False, **known}
    return Situation(lifecycle=lifecycle, **values)


def test_a_node_with_nobody_to_find_is_active_at_once():
    assert next_step(situation(STARTING, has_seeds=False)) is Step.ACTIVATE


def test_a_new_node_that_meets_no_seed_keeps_trying():
    assert next_step(situation(STARTING)) is Step.CONTACT_SEEDS
    assert next_step(situation(STARTING, has_tried=True)) is Step.CONTACT_SEEDS


def test_a_node_that_met_a_seed_joins():
    assert next_step(situation(STARTING, has_met_seed=True)) is Step.JOIN


def test_a_member_that_restarts_tries_once_and_goes_on_alone():
    assert next_step(situation(STARTING, is_member=True)) is Step.CONTACT_SEEDS
    assert next_step(situation(STARTING, is_member=True, has_tried=True)) is Step.JOIN
    assert next_step(situation(JOINING, is_member=True)) is Step.ACTIVATE


@pytest.mark.parametrize("is_member", [True, False])
def test_whoever_joins_compares_itself_with_what_others_have_of_it_first(is_member):
    known = {"is_member": is_member, "peers": [info("b")]}

    assert next_step(situation(JOINING, **known)) is Step.COMPARE
    compared = next_step(situation(JOINING, **known, has_compared=True))
    assert compared is (Step.ACTIVATE if is_member else Step.COPY)


def test_where_all_are_still_joining_nobody_waits_for_anybody():
    peers = [info("b", lifecycle=JOINING), info("c", lifecycle=STARTING)]

    assert next_step(situation(JOINING, peers=peers, has_compared=True)) is Step.ACTIVATE


def test_a_new_node_copies_from_an_active_member_first():
    peers = [info("b", lifecycle=JOINING), info("c")]

    known = {"peers": peers, "has_compared": True}
    assert next_step(situation(JOINING, **known)) is Step.COPY
    assert next_step(situation(JOINING, **known, has_copied=True)) is Step.ACTIVATE


@pytest.mark.parametrize(
    "away",
    [info("b", liveness=Liveness.FAILED), info("b", lifecycle=STARTING, is_member=True)],
    ids=["failed", "restarting"],
)
def test_a_new_node_waits_for_a_member_to_copy_from(away):
    assert next_step(situation(JOINING, peers=[away], has_compared=True)) is Step.WAIT


@pytest.mark.parametrize("lifecycle", [Lifecycle.ACTIVE, Lifecycle.LEAVING, Lifecycle.LEFT])
def test_elsewhere_there_is_nothing_to_do(lifecycle):
    assert next_step(situation(lifecycle)) is Step.NOTHING


def test_copies_come_only_from_members_at_work():
    peers = [
        info("b"),
        info("c", lifecycle=Lifecycle.LEAVING),
        info("d", liveness=Liveness.SUSPECT),
        info("e", lifecycle=JOINING),
    ]

    assert [node.node_id for node in copy_sources(peers)] == ["b"]
