"""Silence, and whose it is."""

import pytest

from cluster.core.failure_detector import FailureDetector
from cluster.core.node import Liveness


@pytest.fixture
def detector():
    made = FailureDetector(
        heartbeat_interval_seconds=5, heartbeat_timeout_seconds=15, tick_interval_seconds=1
    )
    made.tick(100.0)
    made.observe("b", 100.0)
    return made


def _tick_until(detector, end):
    now = 101.0
    while now <= end:
        assert detector.tick(now) == 0.0
        now += 1.0


@pytest.mark.parametrize(
    ("silence_seconds", "expected"),
    [
        (0, Liveness.ALIVE),
        (9, Liveness.ALIVE),
        (10, Liveness.SUSPECT),
        (14, Liveness.SUSPECT),
        (15, Liveness.FAILED),
        (1000, Liveness.FAILED),
    ],
)
def test_two_missed_heartbeats_are_suspect_and_the_timeout_is_failed(
    detector, silence_seconds, expected
):
    _tick_until(detector, 100.0 + silence_seconds)

    assert detector.verdict("b", 100.0 + silence_seconds) is expected


def test_one_word_makes_it_alive_again(detector):
    _tick_until(detector, 130.0)
    detector.observe("b", 130.0)

    assert detector.verdict("b", 130.0) is Liveness.ALIVE


def test_silence_that_this_node_slept_through_does_not_count(detector):
    _tick_until(detector, 104.0)

    assert detector.tick(164.0) == pytest.approx(59.0)
    assert detector.verdict("b", 164.0) is Liveness.ALIVE
    assert detector.verdict("b", 168.0) is Liveness.ALIVE
    assert detector.verdict("b", 175.0) is Liveness.FAILED


def test_a_tick_that_is_a_little_late_moves_nothing(detector):
    _tick_until(detector, 110.0)

    assert detector.tick(115.5) == 0.0
    assert detector.verdict("b", 115.5) is Liveness.FAILED


def test_a_peer_is_given_the_whole_timeout_from_when_it_is_first_known(detector):
    detector.expect("c", 120.0)
    detector.expect("c", 130.0)

    assert detector.verdict("c", 129.0) is Liveness.ALIVE
    assert detector.verdict("c", 135.0) is Liveness.FAILED


def test_old_news_does_not_turn_time_back(detector):
    detector.observe("b", 90.0)

    assert detector.verdict("b", 109.0) is Liveness.ALIVE


def test_who_is_not_watched_is_not_judged(detector):
    detector.forget({})

    assert detector.verdict("b", 1000.0) is Liveness.ALIVE
