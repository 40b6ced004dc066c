"""How well each peer has answered this process lately, and whom to read a body from first."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

NEW_SHARE = 0.3
REST_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerHealth:
    """What is remembered of one peer.

    Attributes:
        latency_seconds: Smoothed time to the first bytes of its answers; 0 before the first.
        failures: How often in a row it did not answer.
        failed_at: Monotonic seconds of the last time.
    """

    latency_seconds: float = 0.0
    failures: int = 0
    failed_at: float = 0.0

    def after_answer(self, latency_seconds: float) -> "PeerHealth":
        """Return what is known after an answer; also "I do not have that" is one."""
        old = self.latency_seconds or latency_seconds
        smoothed = (1 - NEW_SHARE) * old + NEW_SHARE * latency_seconds
        return replace(self, latency_seconds=smoothed, failures=0)

    def after_failure(self, now: float) -> "PeerHealth":
        """Return what is known after no answer came."""
        return replace(self, failures=self.failures + 1, failed_at=now)

    def is_resting(self, now: float) -> bool:
        """Return whether it failed so recently that others are tried first: 1, 2, 4 ... 30 s."""
        if not self.failures:
            return False
        rest_seconds = min(REST_SECONDS_MAX, 2.0 ** min(self.failures - 1, 6))
        return now - self.failed_at < rest_seconds


def reading_order(
    node_ids: Iterable[str],
    *,
    preferred: Sequence[str],
    known: Mapping[str, PeerHealth],
    now: float,
) -> list[str]:
    """Return whom to ask for a body, in order.

    Those that failed a moment ago come last, whatever they hold. Of the others the holders come
    first, the quick ones before the slow; peers within a factor of two count as equally quick,
    so that the holders share the work as placement spread it.
    """

    def rank(node_id: str) -> tuple[bool, bool, int, int, str]:
        health = known.get(node_id, PeerHealth())
        is_holder = node_id in preferred
        place = preferred.index(node_id) if is_holder else len(preferred)
        return (
            health.is_resting(now),
            not is_holder,
            _octave(health.latency_seconds),
            place,
            node_id,
        )

    return sorted(node_ids, key=rank)


def _octave(latency_seconds: float) -> int:
    return max(0, round(math.log2(max(latency_seconds, 0.001) / 0.001)))
