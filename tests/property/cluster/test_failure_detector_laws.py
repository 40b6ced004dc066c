"""The failure detector against a dumb one, and its promise of time."""

from hypothesis import given
from hypothesis import strategies as st

from cluster.core.failure_detector import FailureDetector
from cluster.core.node import Liveness

INTERVAL, TIMEOUT, TICK = 5.0, 15.0, 1.0


def make():
    detector = FailureDetector(
        heartbeat_interval_seconds=INTERVAL,
        heartbeat_timeout_seconds=TIMEOUT,
        tick_interval_seconds=TICK,
    )
    detector.tick(0.0)
    detector.expect("b", 0.0)
    return detector


@given(st.lists(st.booleans(), max_size=80))
def test_while_awake_only_the_silence_counts(heard_at_tick):
    detector, last = make(), 0.0
    for tick, is_heard in enumerate(heard_at_tick, start=1):
        now = tick * TICK
        detector.tick(now)
        if is_heard:
            detector.observe("b", now)
            last = now
        silence = now - last
        expected = (
            Liveness.FAILED
            if silence >= TIMEOUT
            else Liveness.SUSPECT
            if silence >= 2 * INTERVAL
            else Liveness.ALIVE
        )
        assert detector.verdict("b", now) is expected


@given(st.lists(st.floats(0.1, 400.0), min_size=1, max_size=30))
def test_a_peer_that_answers_every_tick_is_never_doubted_however_this_node_sleeps(gaps):
    detector, now = make(), 0.0
    for gap in gaps:
        now += gap
        detector.tick(now)
        assert detector.verdict("b", now) is Liveness.ALIVE
        detector.observe("b", now)


@given(st.lists(st.floats(0.1, 60.0), max_size=20))
def test_a_silent_peer_fails_after_as_much_time_as_this_node_was_awake(gaps):
    detector, now, awake = make(), 0.0, 0.0
    for gap in gaps:
        now += gap
        late = gap - TICK
        awake += TICK if late > INTERVAL else gap
        detector.tick(now)
        is_failed = detector.verdict("b", now) is Liveness.FAILED
        assert is_failed is (awake >= TIMEOUT - 1e-6) or abs(awake - TIMEOUT) < 1e-6
