"""Lag: the age of the oldest change that has not arrived."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LagSummary:
    """Ages over all lanes, in seconds; 0 when nothing waits."""

    average_seconds: float = 0.0
    max_seconds: float = 0.0
    p95_seconds: float = 0.0

    @classmethod
    def of(cls, ages_seconds: Sequence[float]) -> "LagSummary":
        """Return the summary of these ages; p95 by the nearest-rank method."""
        if not ages_seconds:
            return cls()
        ordered = sorted(ages_seconds)
        rank = math.ceil(0.95 * len(ordered))
        return cls(sum(ordered) / len(ordered), ordered[-1], ordered[rank - 1])
