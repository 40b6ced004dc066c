"""Breakers as rows, and rows as breakers."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from replication.core.circuit_breaker import Breaker, BreakerLimits, BreakerState, Outcome
from replication.models import PeerLink
from rs3gw.common import clock


@dataclass(frozen=True, slots=True)
class LinkKey:
    """Which breaker: a destination and what goes there."""

    kind: str
    destination: str
    traffic: str


def key_of(row: PeerLink) -> LinkKey:
    """Return which link a row is of."""
    return LinkKey(row.kind, row.destination, row.traffic)


def breaker_of(row: PeerLink) -> Breaker:
    """Return a row as a breaker; a wait that a clock set back has made too long is over."""
    probe_at = _seconds(row.probe_at)
    longest = settings.RS3GW_BREAKER_OPEN_MAX_SECONDS + BreakerLimits().probe_seconds
    if probe_at > clock.now() + longest:
        probe_at = 0.0
    return Breaker(
        state=BreakerState(row.state),
        since=_seconds(row.since),
        openings=row.openings,
        probe_at=probe_at,
        probed_at=min(_seconds(row.probed_at), clock.now()),
        cause=Outcome(row.cause) if row.cause else Outcome.OK,
        reason=row.reason,
        force=BreakerState(row.force) if row.force else None,
        force_until=_seconds(row.force_until),
    )


def fields_of(breaker: Breaker) -> dict[str, object]:
    """Return the values of a breaker's row."""
    return {
        "state": breaker.state.value,
        "since": _moment(breaker.since),
        "openings": breaker.openings,
        "probe_at": _moment(breaker.probe_at),
        "probed_at": _moment(breaker.probed_at),
        "cause": "" if breaker.cause is Outcome.OK else breaker.cause.value,
        "reason": breaker.reason,
        "force": breaker.force.value if breaker.force else "",
        "force_until": _moment(breaker.force_until),
    }


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def _moment(seconds: float) -> datetime | None:
    return clock.from_ms(int(seconds * 1000)) if seconds else None
