"""The circuit breaker against a plain account of what happened."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from replication.core.circuit_breaker import (
    FAILURES_TO_OPEN,
    OPEN_CAP_SECONDS,
    PROBE_SECONDS,
    BreakerState,
    CircuitBreaker,
)


class BreakerMachine(RuleBasedStateMachine):
    """Call a destination whenever the breaker lets us, and keep our own account."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.rng = random.Random(4)
        self.breaker = CircuitBreaker()
        self.failures_in_a_row = 0
        self.opened_at = None

    @rule(seconds=st.floats(0, 400))
    def wait(self, seconds):
        self.now += seconds

    @rule(works=st.booleans())
    def call(self, works):
        self.breaker, is_allowed = self.breaker.ask(self.now)
        if not is_allowed:
            assert self.opened_at is not None
            return
        if works:
            self.breaker = self.breaker.succeeded()
            self.failures_in_a_row, self.opened_at = 0, None
        else:
            self.breaker = self.breaker.failed(self.now, self.rng)
            self.failures_in_a_row += 1
            if self.failures_in_a_row >= FAILURES_TO_OPEN:
                self.opened_at = self.now

    @rule()
    def probe_that_never_reports(self):
        before = self.breaker
        self.breaker, is_allowed = before.ask(self.now)
        if is_allowed and before.state != BreakerState.CLOSED:
            assert not self.breaker.ask(self.now)[1]
            assert self.breaker.ask(self.now + PROBE_SECONDS)[1]

    @invariant()
    def is_closed_until_enough_failures(self):
        is_closed = self.breaker.state == BreakerState.CLOSED
        assert is_closed == (self.failures_in_a_row < FAILURES_TO_OPEN)

    @invariant()
    def is_never_shut_for_longer_than_the_cap(self):
        if self.breaker.state != BreakerState.CLOSED:
            assert self.breaker.ask(self.now + OPEN_CAP_SECONDS)[1]


TestBreaker = BreakerMachine.TestCase
TestBreaker.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


@given(st.integers(0, 2**32))
def test_each_opening_waits_longer_up_to_the_cap(seed):
    rng = random.Random(seed)
    breaker, now, ceilings = CircuitBreaker(), 0.0, []
    for _ in range(FAILURES_TO_OPEN + 12):
        breaker, is_allowed = breaker.ask(now)
        assert is_allowed
        breaker = breaker.failed(now, rng)
        if breaker.state == BreakerState.OPEN:
            ceilings.append(breaker.retry_at - now)
            now = breaker.retry_at
    for opening, wait in enumerate(ceilings):
        ceiling = min(OPEN_CAP_SECONDS, 5.0 * 2**opening)
        assert ceiling / 2 <= wait <= ceiling


def test_a_late_failure_does_not_prolong_an_open_breaker():
    breaker = CircuitBreaker(BreakerState.OPEN, 0, 1, 100.0)
    assert breaker.failed(50.0, random.Random(1)) == breaker
