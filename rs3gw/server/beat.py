"""The scheduler of ticks: it goes on when the wall clock is set back.

Celery's own reckons by the wall clock. Set back by an hour, it would not tick for an hour: no
heartbeats, no gossip, no sweeps.
"""

import logging
from typing import Any

from celery.beat import Scheduler

from rs3gw.common import clock

logger = logging.getLogger(__name__)
# Clocks that are kept right are slewed; a step of this size is someone setting the clock.
STEP_SECONDS_MIN = 1.0


class SteadyScheduler(Scheduler):
    """Keeps the schedule in memory, and begins it anew when the wall clock was set back."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._offset_seconds = clock.now() - clock.monotonic()
        super().__init__(*args, **options)

    def tick(self, *args: Any, **options: Any) -> float:
        """Send what is due, and return the seconds until something may be due again."""
        offset_seconds = clock.now() - clock.monotonic()
        if offset_seconds < self._offset_seconds - STEP_SECONDS_MIN:
            self._begin_anew(self._offset_seconds - offset_seconds)
        self._offset_seconds = offset_seconds
        return float(super().tick(*args, **options))

    def _begin_anew(self, step_seconds: float) -> None:
        logger.warning("the clock was set back by %.0f s; ticks go on", step_seconds)
        for entry in self.schedule.values():
            entry.last_run_at = entry.default_now()
        self._heap = None
