"""Laws of version vectors and hybrid clocks."""

from hypothesis import given
from hypothesis import strategies as st

from rs3gw.common import hlc
from rs3gw.common.vector_clock import Causality, VectorClock

clocks = st.dictionaries(st.integers(1, 4), st.integers(0, 4), max_size=4).map(VectorClock)
times_ms = st.integers(0, 2**47)
stamps = st.integers(0, 2**62)


@given(clocks, clocks, clocks)
def test_merge_is_a_join(a, b, c):
    assert a.merge(b) == b.merge(a)
    assert a.merge(b).merge(c) == a.merge(b.merge(c))
    assert a.merge(a) == a
    assert a.merge(b).dominates(a)


@given(clocks, clocks, clocks)
def test_merge_is_the_least_clock_above_both(a, b, c):
    if c.dominates(a) and c.dominates(b):
        assert c.dominates(a.merge(b))


@given(clocks, clocks)
def test_compare_agrees_with_the_set_of_events_seen(a, b):
    def events(clock):
        return {(actor, n) for actor, seq in clock.items() for n in range(1, seq + 1)}

    left, right = events(a), events(b)
    expected = {
        (True, True): Causality.EQUAL,
        (False, True): Causality.AFTER,
        (True, False): Causality.BEFORE,
        (False, False): Causality.CONCURRENT,
    }[left <= right, right <= left]
    assert a.compare(b) == expected


@given(clocks, clocks)
def test_equal_clocks_are_equal_keys(a, b):
    assert (a.compare(b) == Causality.EQUAL) == (a == b)
    if a == b:
        assert hash(a) == hash(b)


@given(clocks, st.integers(1, 4))
def test_increment_is_a_step_of_one_writer(clock, actor):
    after = clock.increment(actor)
    assert after.compare(clock) == Causality.AFTER
    assert after[actor] == clock.get(actor, 0) + 1


@given(clocks)
def test_a_clock_survives_json(clock):
    assert VectorClock.from_json(clock.to_json()) == clock


@given(stamps, stamps, times_ms)
def test_hybrid_time_only_grows(last, remote, now_ms):
    assert hlc.tick(last, now_ms) > last
    assert hlc.tick(last, now_ms) >= hlc.pack(now_ms)
    observed = hlc.observe(last, remote, now_ms)
    assert observed > last
    assert observed > remote


@given(stamps, stamps, times_ms)
def test_hybrid_time_stays_within_a_step_of_the_largest_time_seen(last, remote, now_ms):
    ceiling = max(hlc.pack(now_ms), last + 1, remote + 1)
    assert hlc.observe(last, remote, now_ms) == ceiling
    assert hlc.tick(last, now_ms) <= ceiling


@given(times_ms, times_ms)
def test_drift_is_the_distance_in_milliseconds(remote_ms, now_ms):
    assert hlc.drift_ms(hlc.pack(remote_ms, 7), now_ms) == remote_ms - now_ms
