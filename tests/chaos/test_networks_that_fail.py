"""Partitions, ways that lead only in one direction, and links that lose, double and delay."""

import time

import pytest

from tests.chaos import checkers, faults

MODES = ("async", "quorum", "sync")
CALM_SECONDS, FAULT_SECONDS = 1.0, 3.0


def expect_sides(experiment, majority, minority, begin, end):
    """The minority refuses quorum writes, the majority goes on; both read. Sync refuses on both."""
    told, refused, accepted = experiment.history, checkers.all_refused, checkers.all_accepted
    on_majority = refused if experiment.mode == "sync" else accepted
    on_minority = accepted if experiment.mode == "async" else refused
    if majority:
        experiment.require(on_majority(told, majority, begin, end))
    experiment.require(on_minority(told, minority, begin, end))
    experiment.require(checkers.all_read(told, [*majority, *minority], begin, end))


def split(experiment, majority, minority):
    """Part the nodes, check both sides, and let them find each other again."""
    cluster = experiment.cluster
    experiment.work(CALM_SECONDS)
    struck = time.monotonic()
    with faults.partitioned(cluster, majority, minority):
        experiment.detect(minority, by=majority)
        experiment.detect(majority, by=minority)
        expect_sides(experiment, majority, minority, *experiment.work(FAULT_SECONDS))
        experiment.look(cluster.all)
    if experiment.mode != "sync":
        gap = checkers.write_gap_seconds(experiment.history, majority, struck)
        experiment.figures.gap_seconds = gap
    experiment.work(CALM_SECONDS)
    experiment.converge()


@pytest.mark.parametrize("mode", MODES)
def test_one_is_cut_off_from_two(run, mode):
    with run(mode) as experiment:
        split(experiment, [0, 1], [2])
    experiment.check()


@pytest.mark.parametrize("mode", MODES)
def test_each_is_alone(run, mode):
    with run(mode) as experiment:
        experiment.work(CALM_SECONDS)
        with faults.partitioned(experiment.cluster, [0], [1], [2]):
            for node in experiment.cluster.all:
                experiment.detect(experiment.cluster.all, by=[node])
            expect_sides(experiment, [], [0, 1, 2], *experiment.work(FAULT_SECONDS))
            experiment.look(experiment.cluster.all)
        experiment.work(CALM_SECONDS)
        experiment.converge()
    experiment.check()


@pytest.mark.parametrize("fault", [faults.mute, faults.deaf], ids=["mute", "deaf"])
@pytest.mark.parametrize("mode", MODES)
def test_one_way_is_lost(run, mode, fault):
    with run(mode) as experiment:
        experiment.work(CALM_SECONDS)
        struck = time.monotonic()
        with fault(experiment.cluster, 2):
            experiment.work(2 * FAULT_SECONDS)
            experiment.look(experiment.cluster.all)
        if mode != "sync":
            gap = checkers.write_gap_seconds(experiment.history, [0, 1], struck)
            experiment.figures.gap_seconds = gap
        experiment.work(CALM_SECONDS)
        experiment.converge()
    experiment.check()


@pytest.mark.parametrize("percent", [10, 30])
@pytest.mark.parametrize("mode", MODES)
def test_frames_are_lost(run, mode, percent):
    with run(mode) as experiment:
        struck, _ = experiment.work(CALM_SECONDS)
        with faults.lossy(experiment.cluster, percent / 100):
            experiment.work(2 * FAULT_SECONDS)
            experiment.look(experiment.cluster.all)
        experiment.work(CALM_SECONDS)
        experiment.converge()
    experiment.figures.gap_seconds = checkers.write_gap_seconds(
        experiment.history, experiment.cluster.all, struck
    )
    experiment.check()


@pytest.mark.parametrize("mode", MODES)
def test_a_link_is_slow(run, mode):
    with run(mode) as experiment:
        struck, _ = experiment.work(CALM_SECONDS)
        with faults.slow(experiment.cluster, 2, delay_ms=80, jitter_ms=40, kbit=2000):
            experiment.work(2 * FAULT_SECONDS)
            experiment.look(experiment.cluster.all)
        experiment.work(CALM_SECONDS)
        experiment.converge()
    experiment.figures.gap_seconds = checkers.write_gap_seconds(experiment.history, [0, 1], struck)
    experiment.check()
