"""Nodes that are killed, lose power, or stand still."""

import time

import pytest

from tests.chaos import checkers, faults
from tests.chaos.region import TIMEOUT_SECONDS

MODES = ("async", "quorum", "sync")
VICTIM, OTHERS = 2, (0, 1)
CALM_SECONDS, FAULT_SECONDS = 1.0, 3.0


def expect_table(experiment, nodes, begin, end):
    """With a node gone sync refuses; async and quorum go on; everybody reads."""
    if experiment.mode == "sync":
        experiment.require(checkers.all_refused(experiment.history, nodes, begin, end))
    else:
        experiment.require(checkers.all_accepted(experiment.history, nodes, begin, end))
    experiment.require(checkers.all_read(experiment.history, nodes, begin, end))


def while_gone(experiment, struck):
    """Measure and check what the others do while the victim is away."""
    experiment.detect([VICTIM], by=OTHERS)
    expect_table(experiment, OTHERS, *experiment.work(FAULT_SECONDS))
    if experiment.mode != "sync":
        gap = checkers.write_gap_seconds(experiment.history, OTHERS, struck)
        experiment.figures.gap_seconds = gap
    experiment.look(OTHERS)


@pytest.mark.parametrize("mode", MODES)
def test_one_of_three_is_killed(run, mode):
    with run(mode) as experiment:
        experiment.work(CALM_SECONDS)
        struck = time.monotonic()
        with faults.killed(experiment.cluster, VICTIM):
            while_gone(experiment, struck)
        experiment.work(CALM_SECONDS)
        experiment.converge()
    experiment.check()


@pytest.mark.parametrize("mode", MODES)
def test_one_of_three_is_frozen_for_long(run, mode):
    with run(mode) as experiment:
        experiment.work(CALM_SECONDS)
        struck = time.monotonic()
        with faults.frozen(experiment.cluster, VICTIM):
            while_gone(experiment, struck)
        experiment.work(CALM_SECONDS)
        experiment.converge()
    experiment.check()


@pytest.mark.parametrize("mode", MODES)
def test_a_short_pause_fails_nobody(run, mode):
    with run(mode) as experiment:
        cluster = experiment.cluster
        experiment.work(CALM_SECONDS)
        seen = set()
        with faults.frozen(cluster, VICTIM):
            begin = time.monotonic()
            while time.monotonic() - begin < TIMEOUT_SECONDS / 2:
                seen.add(cluster.liveness(0)[VICTIM])
        _, end = experiment.work(2 * CALM_SECONDS)
        seen |= {cluster.liveness(node).get(VICTIM) for node in OTHERS}
        experiment.converge()
    assert "failed" not in seen
    experiment.figures.gap_seconds = checkers.write_gap_seconds(experiment.history, OTHERS, begin)
    experiment.check()


@pytest.mark.parametrize("mode", MODES)
def test_all_are_killed_at_once(run, mode):
    with run(mode) as experiment:
        experiment.work(2 * CALM_SECONDS)
        with faults.killed(experiment.cluster, *experiment.cluster.all):
            pass
        experiment.converge()
    experiment.check()


@pytest.mark.parametrize("mode", MODES)
def test_all_lose_their_power(run, mode):
    with run(mode) as experiment:
        experiment.work(2 * CALM_SECONDS)
        with faults.power_lost(experiment.cluster, *experiment.cluster.all):
            pass
        experiment.converge()
    experiment.check()


@pytest.mark.parametrize("mode", ["async", "quorum"])
def test_a_disk_is_replaced_by_an_empty_one(run, mode):
    with run(mode) as experiment:
        cluster = experiment.cluster
        experiment.work(2 * CALM_SECONDS)
        if mode == "async":
            # What only the lost disk had is lost; wait until others have it.
            experiment.converge()
            experiment.workload.go_on()
        with faults.replaced_disk(cluster, VICTIM):
            experiment.work(CALM_SECONDS)
        cluster.wait_ready(VICTIM)
        experiment.work(2 * CALM_SECONDS)
        experiment.converge(60)
    experiment.check(but=[VICTIM])
