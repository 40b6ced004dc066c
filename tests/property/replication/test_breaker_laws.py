"""A breaker neither hammers a dead destination nor forgets a living one."""

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from replication.core.circuit_breaker import (
    FATAL,
    Breaker,
    BreakerLimits,
    BreakerState,
    Outcome,
    Permission,
    begin_probe,
    forced,
    heard_of,
    hurried,
    outcome_of_status,
    record,
)

LIMITS = BreakerLimits()
BAD = [outcome for outcome in Outcome if outcome not in (Outcome.OK, Outcome.BUSY)]
outcomes = st.sampled_from(list(Outcome))
gaps = st.floats(0.0, 60.0)
histories = st.lists(st.tuples(gaps, outcomes), max_size=60)


def after(history, breaker=None, *, seed=1, now=1000.0):
    """Play a sender that does as the breaker says; return the breaker and the time."""
    breaker, rng = breaker or Breaker(), random.Random(seed)
    for gap, outcome in history:
        now += gap
        permission = breaker.permission(now)
        if permission is Permission.WAIT:
            continue
        if permission is Permission.PROBE:
            breaker = begin_probe(breaker, now=now, limits=LIMITS)
        breaker = record(breaker, outcome, now=now, rng=rng, limits=LIMITS, reason="why")
    return breaker, now


def opened(cause=Outcome.UNREACHABLE):
    return after([(0.0, cause)] * LIMITS.failures_in_row)[0]


@given(histories)
def test_an_open_breaker_is_probed_in_the_end(history):
    breaker, now = after(history)
    assert breaker.permission(now + LIMITS.open_seconds_max + 1) is not Permission.WAIT


@given(histories, outcomes)
def test_a_wait_is_bounded_and_never_hot(history, outcome):
    before, now = after(history)
    breaker, _ = after([(1.0, outcome)], before, now=now)
    if breaker.state is BreakerState.OPEN and before.state is not BreakerState.OPEN:
        wait_seconds = breaker.probe_at - (now + 1.0)
        assert LIMITS.open_seconds <= wait_seconds <= LIMITS.open_seconds_max
        assert breaker.cause is outcome


@given(histories)
def test_one_good_probe_closes_it_and_forgets_the_past(history):
    breaker, now = after(history)
    now += LIMITS.open_seconds_max + 1
    probing = begin_probe(breaker, now=now, limits=LIMITS)
    closed = record(probing, Outcome.OK, now=now, rng=random.Random(1), limits=LIMITS)
    assert closed == Breaker(since=now)


@given(histories)
def test_while_a_probe_is_under_way_nobody_else_sends(history):
    breaker, now = after(history)
    probing = begin_probe(breaker, now=now, limits=LIMITS)
    assert probing.permission(now) is Permission.WAIT
    assert probing.permission(now + LIMITS.probe_seconds) is Permission.PROBE


@given(st.integers(1, 12))
def test_each_failed_probe_waits_longer_up_to_the_cap(probes):
    breaker, now, waits = opened(), 1000.0, []
    for seed in range(probes):
        now = breaker.probe_at
        probing = begin_probe(breaker, now=now, limits=LIMITS)
        rng = random.Random(seed)
        breaker = record(probing, Outcome.UNREACHABLE, now=now, rng=rng, limits=LIMITS)
        waits.append(breaker.probe_at - now)
    for index, wait_seconds in enumerate(waits, start=2):
        ceiling = min(LIMITS.open_seconds_max, LIMITS.open_seconds * 2.0**index)
        assert ceiling / 2 <= wait_seconds <= ceiling


@given(st.lists(st.sampled_from([Outcome.OK, Outcome.BUSY]), max_size=60))
def test_a_destination_that_takes_what_it_gets_is_sent_to(history):
    breaker, _ = after([(0.1, outcome) for outcome in history])
    assert breaker.state is BreakerState.CLOSED


@given(st.lists(st.sampled_from([Outcome.UNREACHABLE, Outcome.FAILED]), min_size=5, max_size=5))
def test_five_failures_in_a_row_open_it_and_four_do_not(failures):
    assert after([(1.0, failure) for failure in failures])[0].state is BreakerState.OPEN
    assert after([(1.0, failure) for failure in failures[1:]])[0].state is BreakerState.CLOSED


def test_more_than_half_of_the_last_twenty_open_it_within_the_window():
    mixed = [Outcome.FAILED, Outcome.FAILED, Outcome.OK] * 7
    quick, _ = after([(1.0, outcome) for outcome in mixed])
    slow, _ = after([(10.0, outcome) for outcome in mixed])
    even, _ = after([(1.0, outcome) for outcome in [Outcome.FAILED, Outcome.OK] * 20])
    assert quick.state is BreakerState.OPEN
    assert slow.state is BreakerState.CLOSED
    assert even.state is BreakerState.CLOSED


def test_what_only_a_person_or_time_can_mend_opens_it_at_once():
    for cause in FATAL:
        breaker, _ = after([(0.0, cause)])
        assert (breaker.state, breaker.cause) == (BreakerState.OPEN, cause)


@given(histories, st.floats(0.0, 100.0))
def test_hearing_of_a_destination_hurries_the_probe_and_never_closes(history, later):
    breaker, now = after(history)
    now += later
    heard = heard_of(breaker, now=now, limits=LIMITS)
    assert heard.state is breaker.state
    assert heard.probe_at <= breaker.probe_at
    if breaker.state is BreakerState.OPEN and breaker.cause is Outcome.UNREACHABLE:
        assert heard.probe_at <= max(now, breaker.probed_at + LIMITS.hint_seconds)
    else:
        assert heard == breaker


def test_hearing_of_a_destination_often_does_not_probe_it_more_often_than_allowed():
    breaker = begin_probe(opened(), now=1000.0, limits=LIMITS)
    failed = record(breaker, Outcome.UNREACHABLE, now=1000.0, rng=random.Random(1), limits=LIMITS)
    assert heard_of(failed, now=1000.1, limits=LIMITS).probe_at == 1000.0 + LIMITS.hint_seconds
    assert hurried(opened(Outcome.FAILED), now=1005.0, limits=LIMITS).probe_at == 1005.0


@given(histories, histories, st.sampled_from([BreakerState.OPEN, BreakerState.CLOSED]))
def test_an_operators_word_goes_first_until_it_expires(history, more, wish):
    breaker, now = after(history)
    held, later = after(more, forced(breaker, wish, until=now + 10_000), now=now)
    expected = Permission.WAIT if wish is BreakerState.OPEN else Permission.SEND
    assert held.permission(later) is expected
    freed = forced(held, None, until=0)
    assert freed.permission(later) is replace(held, force=None).permission(later)
    assert held.permission(now + 10_000) is freed.permission(now + 10_000)


@given(histories)
def test_a_late_answer_does_not_close_an_open_breaker(history):
    breaker = opened()
    late = record(breaker, Outcome.OK, now=1001.0, rng=random.Random(1), limits=LIMITS)
    assert late.state is BreakerState.OPEN
    assert late.probe_at == breaker.probe_at


def test_statuses_are_sorted_by_what_helps():
    assert outcome_of_status(401) is Outcome.CONFIG_ERROR
    assert outcome_of_status(421) is Outcome.UNTRUSTED
    assert outcome_of_status(429) is Outcome.BUSY
    assert outcome_of_status(507) is Outcome.PEER_FULL
    assert outcome_of_status(500) is outcome_of_status(404) is Outcome.FAILED
