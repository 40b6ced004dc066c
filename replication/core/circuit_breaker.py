"""When to leave a destination alone, and when to try it again.

A breaker is closed while its destination takes what it is sent. Failures open it; after a wait that
doubles with each opening, one small probe decides whether it closes or opens for longer. What a
failure means decides how fast: a destination that does not know us, or has no room, is left alone
at once; one that only does not answer, after several failures.

An operator may force it open or closed until a given time; what is learnt meanwhile is kept.
"""

import random
from dataclasses import dataclass, replace
from enum import StrEnum

from replication.core.retry import back_off_seconds

EXPONENT_MAX = 30


class BreakerState(StrEnum):
    """Whether a destination is sent to."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Outcome(StrEnum):
    """How a request to a destination ended."""

    OK = "ok"
    BUSY = "busy"
    UNREACHABLE = "unreachable"
    FAILED = "failed"
    CONFIG_ERROR = "config_error"
    PEER_FULL = "peer_full"
    UNTRUSTED = "untrusted"


class Permission(StrEnum):
    """What may be sent now."""

    SEND = "send"
    PROBE = "probe"
    WAIT = "wait"


# Trying these again soon changes nothing: someone must act, or time must pass.
FATAL = frozenset({Outcome.CONFIG_ERROR, Outcome.PEER_FULL, Outcome.UNTRUSTED})
STATUS_OUTCOMES = {
    401: Outcome.CONFIG_ERROR,
    403: Outcome.CONFIG_ERROR,
    421: Outcome.UNTRUSTED,
    429: Outcome.BUSY,
    507: Outcome.PEER_FULL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerLimits:
    """When a breaker opens and for how long; all > 0.

    Attributes:
        failures_in_row: So many failures without a success between them open it.
        window_count: So many latest outcomes are looked at as well.
        window_seconds: Older ones do not count.
        window_share: A greater share of failures in a full window opens it; 0 to 1.
        open_seconds: Least first wait; at most twice that, doubling with each failed probe.
        open_seconds_max: Longest wait.
        probe_seconds: A probe that has not ended after this is given up.
        hint_seconds: Least time between probes of a destination that was heard of.
    """

    failures_in_row: int = 5
    window_count: int = 20
    window_seconds: float = 30.0
    window_share: float = 0.5
    open_seconds: float = 5.0
    open_seconds_max: float = 300.0
    probe_seconds: float = 30.0
    hint_seconds: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """A breaker's state; times are seconds since 1970.

    Attributes:
        state: What it is by itself; `force` goes before it.
        since: When it came into this state.
        openings: How often it opened since it was closed last.
        probe_at: When it may be probed; for a half-open one, when its probe is given up.
        probed_at: When it was last probed; 0 when never.
        cause: The outcome that opened it; OK when closed.
        reason: That in words.
        failures: Failures since the last success.
        recent: Time and failure of the latest outcomes, oldest first.
        force: What an operator made of it; None when nothing.
        force_until: When that ends.
    """

    state: BreakerState = BreakerState.CLOSED
    since: float = 0.0
    openings: int = 0
    probe_at: float = 0.0
    probed_at: float = 0.0
    cause: Outcome = Outcome.OK
    reason: str = ""
    failures: int = 0
    recent: tuple[tuple[float, bool], ...] = ()
    force: BreakerState | None = None
    force_until: float = 0.0

    def forced(self, now: float) -> BreakerState | None:
        """Return what an operator makes of it now, or None."""
        return self.force if now < self.force_until else None

    def effective_state(self, now: float) -> BreakerState:
        """Return what it is now, an operator's word included."""
        return self.forced(now) or self.state

    def permission(self, now: float) -> Permission:
        """Return what may be sent now."""
        state = self.effective_state(now)
        if state is BreakerState.CLOSED:
            return Permission.SEND
        if self.forced(now) is not None or now < self.probe_at:
            return Permission.WAIT
        return Permission.PROBE

    def next_try_at(self, now: float) -> float:
        """Return when to ask again for permission."""
        if self.forced(now) is BreakerState.OPEN:
            return self.force_until
        return max(now, self.probe_at) if self.state is not BreakerState.CLOSED else now


def outcome_of_status(status: int) -> Outcome:
    """Return what an HTTP status of 400 or more means for a breaker."""
    return STATUS_OUTCOMES.get(status, Outcome.FAILED)


def record(
    breaker: Breaker,
    outcome: Outcome,
    *,
    now: float,
    rng: random.Random,
    limits: BreakerLimits,
    reason: str = "",
) -> Breaker:
    """Return the breaker after a request ended.

    Args:
        breaker: As it was.
        outcome: How the request ended. A busy destination works: that is no failure.
        now: Seconds since 1970.
        rng: For jitter.
        limits: When it opens.
        reason: What went wrong, in words.
    """
    if outcome in (Outcome.OK, Outcome.BUSY):
        return _after_success(breaker, now, limits)
    recent = _recent(breaker, now, limits, is_failure=True)
    failed = replace(breaker, failures=breaker.failures + 1, recent=recent)
    if failed.state is BreakerState.OPEN:
        # Something that was under way when it opened: it says nothing new.
        return failed
    is_probe = failed.state is BreakerState.HALF_OPEN
    if is_probe or outcome in FATAL or _is_bad(failed, limits):
        return opened(failed, outcome, now=now, rng=rng, limits=limits, reason=reason)
    return failed


def opened(
    breaker: Breaker,
    cause: Outcome,
    *,
    now: float,
    rng: random.Random,
    limits: BreakerLimits,
    reason: str,
) -> Breaker:
    """Return the breaker as it is after it opened; each opening waits longer than the last."""
    wait_seconds = back_off_seconds(
        min(breaker.openings + 1, EXPONENT_MAX),
        rng,
        base=2 * limits.open_seconds,
        cap=limits.open_seconds_max,
    )
    return replace(
        breaker,
        state=BreakerState.OPEN,
        since=now if breaker.state is BreakerState.CLOSED else breaker.since,
        openings=breaker.openings + 1,
        probe_at=now + wait_seconds,
        cause=cause,
        reason=reason,
        recent=(),
    )


def begin_probe(breaker: Breaker, *, now: float, limits: BreakerLimits) -> Breaker:
    """Return the breaker while its one probe is under way."""
    return replace(
        breaker,
        state=BreakerState.HALF_OPEN,
        probe_at=now + limits.probe_seconds,
        probed_at=now,
    )


def heard_of(breaker: Breaker, *, now: float, limits: BreakerLimits) -> Breaker:
    """Return the breaker after its destination was heard of: it is probed soon, not closed.

    Only one that did not answer is: another one's error says that it lives anyway.
    """
    if breaker.cause is not Outcome.UNREACHABLE:
        return breaker
    return hurried(breaker, now=now, limits=limits)


def hurried(breaker: Breaker, *, now: float, limits: BreakerLimits) -> Breaker:
    """Return the breaker with its next probe as soon as may be."""
    soon = max(now, breaker.probed_at + limits.hint_seconds)
    if breaker.state is not BreakerState.OPEN or breaker.probe_at <= soon:
        return breaker
    return replace(breaker, probe_at=soon)


def forced(breaker: Breaker, state: BreakerState | None, *, until: float) -> Breaker:
    """Return the breaker as an operator wants it until a time; None gives it back.

    Raises:
        ValueError: It was to be forced half open.
    """
    if state is BreakerState.HALF_OPEN:
        raise ValueError("a breaker can be forced open or closed")
    return replace(breaker, force=state, force_until=until if state else 0.0)


def is_same_row(left: Breaker, right: Breaker) -> bool:
    """Return whether two breakers differ at most in what is counted, which is not stored."""
    plain = {"failures": 0, "recent": ()}
    return replace(left, **plain) == replace(right, **plain)  # type: ignore[arg-type]


def _after_success(breaker: Breaker, now: float, limits: BreakerLimits) -> Breaker:
    recent = _recent(breaker, now, limits, is_failure=False)
    if breaker.state is BreakerState.CLOSED:
        return replace(breaker, failures=0, recent=recent)
    if breaker.state is BreakerState.OPEN:
        # It was sent before the breaker opened; a probe will tell.
        return breaker
    return Breaker(since=now, force=breaker.force, force_until=breaker.force_until)


def _recent(
    breaker: Breaker, now: float, limits: BreakerLimits, *, is_failure: bool
) -> tuple[tuple[float, bool], ...]:
    oldest = now - limits.window_seconds
    kept = [item for item in breaker.recent if item[0] > oldest]
    return tuple([*kept, (now, is_failure)][-limits.window_count :])


def _is_bad(breaker: Breaker, limits: BreakerLimits) -> bool:
    if breaker.failures >= limits.failures_in_row:
        return True
    failures = sum(is_failure for _, is_failure in breaker.recent)
    is_full = len(breaker.recent) >= limits.window_count
    return is_full and failures > limits.window_share * limits.window_count
