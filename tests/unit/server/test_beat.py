"""Ticks go on when the wall clock is set back."""

from datetime import UTC, datetime

import pytest
from celery import Celery

from rs3gw.common import clock
from rs3gw.server.beat import SteadyScheduler

HOUR_SECONDS = 3600.0


class Clocks:
    """A wall clock that can be set, and one that only goes on."""

    def __init__(self):
        self.wall_seconds, self.steady_seconds = 1_800_000_000.0, 50.0

    def pass_time(self, seconds):
        self.wall_seconds += seconds
        self.steady_seconds += seconds


@pytest.fixture
def clocks(monkeypatch):
    found = Clocks()
    monkeypatch.setattr(clock, "now", lambda: found.wall_seconds)
    monkeypatch.setattr(clock, "monotonic", lambda: found.steady_seconds)
    return found


@pytest.fixture
def beat(clocks):
    app = Celery("ticks", set_as_current=False, broker_url="memory://")
    app.now = lambda: datetime.fromtimestamp(clocks.wall_seconds, UTC)
    app.conf.beat_schedule = {"heartbeat": {"task": "heartbeat", "schedule": 5.0}}
    scheduler = SteadyScheduler(app, max_interval=1)
    scheduler.sent = 0

    def send(*_, **__):
        scheduler.sent += 1

    scheduler.apply_entry = send
    return scheduler


def ticks_in(beat, clocks, seconds):
    beat.sent = 0
    for _ in range(seconds):
        clocks.pass_time(1.0)
        while beat.tick() == 0:
            pass
    return beat.sent


def test_ticks_come_as_scheduled(beat, clocks):
    assert ticks_in(beat, clocks, 50) in (9, 10)


@pytest.mark.parametrize("step_seconds", [-HOUR_SECONDS, HOUR_SECONDS, -24 * HOUR_SECONDS])
def test_ticks_go_on_when_the_clock_is_set(beat, clocks, step_seconds):
    ticks_in(beat, clocks, 20)
    clocks.wall_seconds += step_seconds
    assert ticks_in(beat, clocks, 50) in (9, 10, 11)
