"""How much is sent to a destination at once: less to one that has just come back or is busy.

A window is a share of the greatest batch. It grows by a step for each interval in which the
destination took its batches quickly, and is halved when the destination says that it is busy.
It never reaches zero: whatever happens, one event goes, and nothing is dropped.
"""

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class RampLimits:
    """How a window moves.

    Attributes:
        start_share: Share of a full batch that a destination which came back begins with; > 0.
        step_share: What an interval adds; > 0.
        floor_share: Least share; > 0.
        interval_seconds: Least time between two steps.
        slow_seconds: A batch that took longer is no reason to grow.
    """

    start_share: float = 0.1
    step_share: float = 0.1
    floor_share: float = 0.002
    interval_seconds: float = 2.0
    slow_seconds: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The share of a full batch that goes at once.

    Attributes:
        share: > 0, at most 1.
        moved_at: When it last changed, in seconds of any clock that never goes back.
    """

    share: float = 1.0
    moved_at: float = 0.0

    def of(self, whole: int) -> int:
        """Return this share of a whole number >= 1: at least 1."""
        return max(1, math.floor(whole * self.share))

    @property
    def is_full(self) -> bool:
        """Return whether nothing is held back."""
        return self.share >= 1.0


def recovering(*, now: float, limits: RampLimits) -> Window:
    """Return the window of a destination that has just come back."""
    return Window(share=min(1.0, limits.start_share), moved_at=now)


def after_batch(window: Window, *, took_seconds: float, now: float, limits: RampLimits) -> Window:
    """Return the window after a batch was taken: wider when an interval of quick ones is over."""
    if window.is_full:
        return window
    if took_seconds > limits.slow_seconds:
        return replace(window, moved_at=now)
    if now - window.moved_at < limits.interval_seconds:
        return window
    # Rounded: a tenth is no binary fraction, and ten of them must make a whole.
    return Window(share=min(1.0, round(window.share + limits.step_share, 9)), moved_at=now)


def after_busy(window: Window, *, now: float, limits: RampLimits) -> Window:
    """Return the window after the destination said that it is busy: half of it."""
    return Window(share=max(limits.floor_share, window.share / 2), moved_at=now)
