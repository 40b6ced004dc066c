"""Counts and majorities."""

import pytest

from cluster.core.health import majority, measure, quorum_available
from cluster.core.node import Lifecycle, Liveness
from tests.unit.cluster.nodes import info


def test_health_counts_what_shows():
    nodes = [
        info("a"),
        info("b", liveness=Liveness.FAILED),
        info("c", liveness=Liveness.SUSPECT),
        info("d", lifecycle=Lifecycle.JOINING),
    ]

    health = measure(nodes)

    assert (health.total_nodes, health.healthy_nodes, health.failed_nodes) == (4, 1, 1)


@pytest.mark.parametrize(("size", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_a_majority_is_more_than_half(size, needed):
    assert majority(size) == needed
    assert quorum_available(size, needed)
    assert not quorum_available(size, needed - 1)


def test_two_halves_never_both_have_a_majority():
    for size in range(1, 20):
        for part in range(size + 1):
            assert not (quorum_available(size, part) and quorum_available(size, size - part))
