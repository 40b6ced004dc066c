"""Nothing passes a token bucket faster than it may; the tracker tells the plain mean.

Pauses are short, so that the bound bites: with long ones the bucket is always full again.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.core.bandwidth import WINDOW_SECONDS, BandwidthTracker, TokenBucket

CAPACITY_BYTES = 1000
RATE = 500.0
takes = st.lists(st.tuples(st.integers(0, CAPACITY_BYTES), st.floats(0, 2)), max_size=25)


def full():
    return TokenBucket(
        capacity_bytes=CAPACITY_BYTES,
        refill_bytes_per_second=RATE,
        level_bytes=CAPACITY_BYTES,
        updated_at=0.0,
    )


@given(takes)
def test_no_stretch_of_time_carries_more_than_burst_and_rate_allow(steps):
    bucket, now, sent = full(), 0.0, []
    for size_bytes, pause_seconds in steps:
        now += pause_seconds
        bucket, wait_seconds = bucket.take(size_bytes, now=now)
        now += wait_seconds
        sent.append((now, size_bytes))
    for begin in range(len(sent)):
        total = 0
        for at, size_bytes in sent[begin:]:
            total += size_bytes
            allowed = CAPACITY_BYTES + RATE * (at - sent[begin][0])
            # The first take of the stretch may have used what was saved up before it.
            assert total <= allowed + 1e-6 * max(1.0, allowed)


@given(takes)
def test_a_busy_sender_is_not_slower_than_the_rate(steps):
    bucket, now, total = full(), 0.0, 0
    for size_bytes, _ in steps:
        bucket, wait_seconds = bucket.take(size_bytes, now=now)
        now += wait_seconds
        total += size_bytes
    assert now <= total / RATE + 1e-6


@given(takes, st.floats(0, 5))
def test_a_clock_that_steps_back_gives_nothing_away(steps, back_seconds):
    bucket = full()
    for size_bytes, pause_seconds in steps:
        bucket, _ = bucket.take(size_bytes, now=bucket.updated_at + pause_seconds)
    same, _ = bucket.take(0, now=bucket.updated_at - back_seconds)
    assert same == bucket


@pytest.mark.parametrize("size_bytes", [-1, CAPACITY_BYTES + 1])
def test_more_than_the_burst_is_refused(size_bytes):
    with pytest.raises(ValueError, match="at once"):
        full().take(size_bytes, now=0.0)


records = st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 4)), max_size=25)


@given(records)
def test_the_current_rate_is_the_mean_over_the_window(steps):
    tracker, now, sent = BandwidthTracker(), 100.0, []
    for size_bytes, pause_seconds in steps:
        now += pause_seconds
        tracker.record(size_bytes, now)
        sent.append((now, size_bytes))
    recent = sum(size for at, size in sent if at > now - WINDOW_SECONDS)
    span = min(WINDOW_SECONDS, max(1.0, now - sent[0][0])) if sent else 1.0
    assert tracker.current_rate(now) == pytest.approx(recent / span)
    assert tracker.current_rate(now + WINDOW_SECONDS + 0.001) == 0.0


@given(records)
def test_the_peak_is_at_least_every_record_and_never_falls(steps):
    tracker, now, peak = BandwidthTracker(), 0.0, 0.0
    for size_bytes, pause_seconds in steps:
        now += pause_seconds
        tracker.record(size_bytes, now)
        assert tracker.peak_rate() >= max(peak, size_bytes)
        peak = tracker.peak_rate()
