"""How a node's life and liveness show."""

import pytest

from cluster.core.node import Lifecycle, Liveness, NodeState, can_become, project
from tests.unit.cluster.nodes import info


def test_the_states_are_those_of_the_specification():
    assert [s.name for s in NodeState] == ["STARTING", "JOINING", "ACTIVE", "LEAVING", "FAILED"]


@pytest.mark.parametrize("lifecycle", [s for s in Lifecycle if s != Lifecycle.LEFT])
def test_failed_overrides_every_state(lifecycle):
    assert project(lifecycle, Liveness.FAILED) is NodeState.FAILED
    assert project(lifecycle, Liveness.SUSPECT).value == lifecycle.value
    assert project(lifecycle, Liveness.ALIVE).value == lifecycle.value


def test_who_has_left_never_shows_as_failed():
    assert project(Lifecycle.LEFT, Liveness.FAILED) is NodeState.LEAVING


def test_a_restart_begins_at_starting_from_anywhere():
    assert all(can_become(state, Lifecycle.STARTING) for state in Lifecycle)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (Lifecycle.LEFT, Lifecycle.ACTIVE),
        (Lifecycle.ACTIVE, Lifecycle.LEFT),
        (Lifecycle.ACTIVE, Lifecycle.JOINING),
        (Lifecycle.LEAVING, Lifecycle.ACTIVE),
    ],
)
def test_steps_that_skip_something_are_not_allowed(old, new):
    assert not can_become(old, new)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (info("a"), True),
        (info("a", lifecycle=Lifecycle.LEAVING), True),
        (info("a", lifecycle=Lifecycle.JOINING), False),
        (info("a", lifecycle=Lifecycle.STARTING, is_member=True), False),
        (info("a", liveness=Liveness.SUSPECT), False),
        (info("a", liveness=Liveness.FAILED), False),
    ],
)
def test_requests_go_only_to_members_that_are_heard_and_at_work(node, expected):
    assert node.is_routable is expected
