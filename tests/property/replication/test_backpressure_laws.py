"""Writers feel a backlog in proportion, and only as their policy says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.core.backpressure import (
    DELAY_SECONDS_MAX,
    Backlog,
    BackpressureLimits,
    BackpressurePolicy,
    Pressure,
    decide,
    limits_from_json,
)

backlogs = st.builds(Backlog, age_seconds=st.floats(0, 100_000), events=st.integers(0, 10_000_000))
policies = st.sampled_from(list(BackpressurePolicy))


@given(backlogs)
def test_without_a_policy_no_write_is_held_back(backlog):
    pressure = decide(backlog, BackpressureLimits())
    assert not pressure.is_refused
    assert pressure.delay_seconds == 0
    assert pressure.is_felt == (backlog.age_seconds > 60 or backlog.events > 10_000)


@given(backlogs, policies)
def test_below_the_hard_limits_nothing_is_slowed(backlog, policy):
    limits = BackpressureLimits(policy=policy)
    pressure = decide(backlog, limits)
    is_over = backlog.age_seconds > 600 or backlog.events > 100_000
    assert pressure.is_refused == (is_over and policy is BackpressurePolicy.REJECT)
    assert (pressure.delay_seconds > 0) == (is_over and policy is BackpressurePolicy.DELAY)


@given(backlogs, backlogs, policies)
def test_a_greater_backlog_is_never_felt_less(one, other, policy):
    limits = BackpressureLimits(policy=policy)
    greater = Backlog(
        age_seconds=max(one.age_seconds, other.age_seconds), events=max(one.events, other.events)
    )
    less, more = decide(one, limits), decide(greater, limits)
    assert less.delay_seconds <= more.delay_seconds <= DELAY_SECONDS_MAX
    assert less.is_felt <= more.is_felt
    assert less.is_refused <= more.is_refused


def test_the_delay_is_proportional_to_what_is_over_the_limit():
    limits = BackpressureLimits(policy=BackpressurePolicy.DELAY)
    half = decide(Backlog(age_seconds=900), limits)
    assert half == Pressure(is_felt=True, delay_seconds=DELAY_SECONDS_MAX / 2)
    assert decide(Backlog(events=200_000), limits).delay_seconds == DELAY_SECONDS_MAX


def test_what_a_bucket_does_not_say_is_the_clusters():
    default = BackpressureLimits(policy=BackpressurePolicy.DELAY, hard_events=50_000)
    assert limits_from_json({}, default) == default
    own = limits_from_json({"policy": "reject", "hard_age_seconds": 30}, default)
    assert own.policy is BackpressurePolicy.REJECT
    assert (own.soft_age_seconds, own.hard_age_seconds) == (30, 30)
    assert own.hard_events == 50_000


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"policy": "maybe"}, "none, delay or reject"),
        ({"hard_limit": 5}, "unknown field"),
        ({"soft_events": 0}, "greater than 0"),
        ({"soft_events": True}, "greater than 0"),
        ({"soft_age_seconds": "5"}, "greater than 0"),
        ({"soft_age_seconds": 50, "hard_age_seconds": 5}, "at most hard_age_seconds"),
    ],
)
def test_a_setting_that_cannot_be_says_why(value, said):
    with pytest.raises(ValueError, match=said):
        limits_from_json(value, BackpressureLimits())
