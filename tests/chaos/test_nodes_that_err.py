"""Disks that fill up or fail, clocks that are wrong, and services that die."""

import pytest

from tests.chaos import checkers, faults

MODES = ("async", "quorum")
VICTIM, OTHERS = 2, (0, 1)
CALM_SECONDS, FAULT_SECONDS = 1.0, 3.0
HOUR_SECONDS, DAY_SECONDS = 3600, 86_400


def endure(experiment, fault, *, deadline_seconds=30):
    """Let clients work before, during and after a fault, and wait until it has left no trace."""
    experiment.work(CALM_SECONDS)
    with fault:
        begin, end = experiment.work(FAULT_SECONDS)
        experiment.look(experiment.cluster.all)
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


@pytest.mark.parametrize(
    "seconds",
    [HOUR_SECONDS, -HOUR_SECONDS, DAY_SECONDS, -DAY_SECONDS],
    ids=["an-hour-ahead", "an-hour-behind", "a-day-ahead", "a-day-behind"],
)
@pytest.mark.parametrize("mode", MODES)
def test_a_clock_is_wrong(run, mode, seconds):
    with run(mode) as experiment:
        endure(experiment, faults.wrong_clock(experiment.cluster, VICTIM, seconds))
    experiment.check()


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
