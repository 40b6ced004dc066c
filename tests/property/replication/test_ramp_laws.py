"""A window never closes, never exceeds the whole, and finds its way back."""

from hypothesis import given
from hypothesis import strategies as st

from replication.core.ramp import RampLimits, Window, after_batch, after_busy, recovering

LIMITS = RampLimits()
steps = st.lists(st.tuples(st.floats(0, 10), st.sampled_from(["quick", "slow", "busy"])))


def played(moves, window=None):
    window, now = window or recovering(now=0.0, limits=LIMITS), 0.0
    for gap, what in moves:
        now += gap
        if what == "busy":
            window = after_busy(window, now=now, limits=LIMITS)
        else:
            took = 0.1 if what == "quick" else LIMITS.slow_seconds + 1
            window = after_batch(window, took_seconds=took, now=now, limits=LIMITS)
    return window, now


@given(steps, st.integers(1, 1000))
def test_something_always_goes_and_never_more_than_the_whole(moves, whole):
    window, _ = played(moves)
    assert LIMITS.floor_share <= window.share <= 1.0
    assert 1 <= window.of(whole) <= whole


@given(steps)
def test_a_busy_destination_gets_half(moves):
    window, now = played(moves)
    halved = after_busy(window, now=now, limits=LIMITS)
    assert halved.share == max(LIMITS.floor_share, window.share / 2)


@given(steps)
def test_quick_batches_open_the_window_in_bounded_time(moves):
    window, _ = played(moves)
    count = int(1 / LIMITS.step_share) + 1
    now = window.moved_at
    for _ in range(count):
        now += LIMITS.interval_seconds
        window = after_batch(window, took_seconds=0.1, now=now, limits=LIMITS)
    assert window.is_full


@given(steps, st.floats(0, 1.9))
def test_it_grows_once_in_an_interval(moves, gap):
    window, now = played([*moves, (LIMITS.interval_seconds, "quick")])
    again = after_batch(window, took_seconds=0.1, now=now, limits=LIMITS)
    assert again.share == window.share or window.moved_at != now


@given(steps)
def test_slow_batches_do_not_widen_it(moves):
    window, now = played(moves)
    later = now + LIMITS.interval_seconds * 2
    slow = after_batch(window, took_seconds=LIMITS.slow_seconds + 0.1, now=later, limits=LIMITS)
    assert slow.share == window.share


def test_a_destination_that_came_back_begins_with_a_tenth():
    window = recovering(now=5.0, limits=LIMITS)
    assert (window.of(500), Window().of(500)) == (50, 500)
