"""Disks that fill up or fail, clocks that are wrong, and services that die."""

import pytest

from tests.chaos import checkers, faults
from tests.chaos.history import doubted
from tests.chaos.workload import wait_alike
from tests.probe.cluster import wait_until

MODES = ("async", "quorum")
VICTIM, OTHERS = 2, (0, 1)
CALM_SECONDS, FAULT_SECONDS = 1.0, 3.0
HOUR_SECONDS, DAY_SECONDS = 3600, 86_400


def endure(experiment, fault, *, deadline_seconds=30):
    """Let clients work before, during and after a fault, and wait until it has left no trace."""
    experiment.work(CALM_SECONDS)
    with fault:
        begin, end = experiment.work(FAULT_SECONDS)
        experiment.look(OTHERS)
    experiment.work(CALM_SECONDS)
    experiment.converge(deadline_seconds)
    return begin, end


@pytest.mark.parametrize("mode", MODES)
def test_a_disk_is_full(run, mode):
    with run(mode) as experiment:
        window = endure(experiment, faults.full_disk(experiment.cluster, VICTIM))
    told = [op for op in experiment.history if op.is_write and op.node == VICTIM]
    during = [op for op in told if window[0] < op.start and op.end < window[1]]
    assert during
    large = [op for op in during if op.outcome != "ok"]
    assert {op.status for op in large} <= {503, 507}
    experiment.require(checkers.all_read(experiment.history, OTHERS, *window))
    experiment.check()


@pytest.mark.parametrize("mode", MODES)
def test_a_disk_does_not_sync(run, mode):
    with run(mode) as experiment:
        endure(experiment, faults.failing_disk(experiment.cluster, VICTIM))
    experiment.check()


@pytest.mark.parametrize("seconds", [HOUR_SECONDS, DAY_SECONDS], ids=["an-hour", "a-day"])
@pytest.mark.parametrize("mode", MODES)
def test_a_clock_is_behind(run, mode, seconds):
    with run(mode) as experiment:
        window = endure(experiment, faults.wrong_clock(experiment.cluster, VICTIM, -seconds))
    if mode == "async":
        told = checkers.all_accepted(experiment.history, experiment.cluster.all, *window)
        experiment.require(told)
    experiment.check()


def held_back(cluster, node):
    """Return how many events wait on a node, for time to pass or for a person."""
    names = "rs3gw_replication_events_parked", "rs3gw_replication_events_pending"
    return sum(value for name, value in cluster.metrics(node).items() if name.startswith(names))


@pytest.mark.parametrize("seconds", [HOUR_SECONDS, DAY_SECONDS], ids=["an-hour", "a-day"])
@pytest.mark.parametrize("mode", MODES)
def test_a_clock_is_ahead(run, mode, seconds):
    """What the node wrote waits on it and is told of; the others are as if it were not there."""
    with run(mode) as experiment:
        # Its own clock has seen the future, and does not forget it.
        experiment.is_spoiled = True
        cluster = experiment.cluster
        experiment.work(CALM_SECONDS)
        with faults.wrong_clock(cluster, VICTIM, seconds):
            experiment.detect([VICTIM], by=OTHERS)
            window = experiment.work(FAULT_SECONDS)
            experiment.workload.rest()
        wait_until(lambda: held_back(cluster, VICTIM), 30, "the node tells of what waits")
        wait_alike(cluster, experiment.buckets, OTHERS)
        experiment.show(OTHERS)
    experiment.require(checkers.all_accepted(experiment.history, OTHERS, *window))
    experiment.check(history=doubted(experiment.history, VICTIM), but=[VICTIM])


@pytest.mark.parametrize("mode", MODES)
def test_brokers_forget_and_die(run, mode):
    with run(mode) as experiment:
        window = endure(
            experiment, faults.without_broker(experiment.cluster, *experiment.cluster.all)
        )
        accepted = checkers.all_accepted(experiment.history, experiment.cluster.all, *window)
        experiment.require(accepted)
    experiment.check()


@pytest.mark.parametrize("mode", MODES)
def test_a_worker_dies(run, mode):
    with run(mode) as experiment:
        endure(experiment, faults.without_worker(experiment.cluster, VICTIM))
    experiment.check()


@pytest.mark.parametrize("mode", MODES)
def test_a_postgres_restarts(run, mode):
    with run(mode, database="postgres") as experiment:
        window = endure(experiment, faults.without_database(experiment.cluster, VICTIM))
    refused = [
        op for op in experiment.history if op.node == VICTIM and window[0] < op.start < window[1]
    ]
    assert refused
    assert {op.status for op in refused if op.outcome != "ok"} <= {503, 0}
    experiment.check()
