"""The two ticks as Celery tasks; a tick that finds its predecessor still running does nothing.

The beat schedule sends them to the queue `pulse`, where no transfer is in their way.
"""

import random
import threading
from collections.abc import Callable

from celery import shared_task
from django.conf import settings

from cluster import services
from rs3gw.common import clock

_heartbeat_running = threading.Lock()
_gossip_running = threading.Lock()
_rng = random.Random()


@shared_task(
    name="cluster.tasks.heartbeat",
    ignore_result=True,
    expires=settings.RS3GW_HEARTBEAT_INTERVAL_SECONDS,
)
def heartbeat(**_: object) -> None:
    """Send a heartbeat to every peer."""
    _alone(_heartbeat_running, lambda: services.heartbeat_tick(clock.monotonic()))


@shared_task(
    name="cluster.tasks.gossip",
    ignore_result=True,
    expires=settings.RS3GW_GOSSIP_INTERVAL_SECONDS,
)
def gossip(**_: object) -> None:
    """Exchange news with a few peers and judge the silent ones."""
    _alone(_gossip_running, lambda: services.gossip_tick(clock.monotonic(), _rng))


def _alone(running: threading.Lock, tick: Callable[[], None]) -> None:
    if not running.acquire(blocking=False):
        return
    try:
        tick()
    finally:
        running.release()
