"""Background work of replication."""

import random
import threading
from collections.abc import Callable
from datetime import timedelta

from celery import shared_task
from django.conf import settings

from replication import dispatch, drain, eviction, forgetting, lanes, links, trimming, uploads
from replication.anti_entropy import gaps, runs
from replication.healing import rounds
from replication.services import uploads as upload_services
from rs3gw.common import clock

DRAIN_TIME_LIMIT_SECONDS = 600
_closing_gaps = threading.Lock()
_comparing = threading.Lock()


@shared_task(
    name=dispatch.TASK_DRAIN_LANE,
    ignore_result=True,
    acks_late=True,
    time_limit=DRAIN_TIME_LIMIT_SECONDS,
)
def drain_lane(*, lane_id: int, **_: object) -> None:
    """Send what a lane has, if nobody else is at it."""
    drain.drain(lane_id)


@shared_task(
    name=dispatch.TASK_SWEEP,
    ignore_result=True,
    time_limit=60,
)
def sweep(**_: object) -> None:
    """Find lanes that have something to send and that no doorbell rang for."""
    lanes.free_abandoned_lanes()
    lanes.ensure_lanes()
    links.ensure()
    for lane_id in lanes.due_lane_ids():
        drain_lane.apply_async(
            kwargs={"lane_id": lane_id}, expires=settings.RS3GW_SWEEP_INTERVAL_SECONDS * 5
        )


@shared_task(
    name=dispatch.TASK_TRIM_LOG,
    ignore_result=True,
    time_limit=600,
)
def trim_log(**_: object) -> None:
    """Delete what is over: old events that every destination has, uploads that ended elsewhere."""
    eviction.go_on_joining()
    trimming.enforce_limits()
    retention = timedelta(seconds=settings.RS3GW_EVENT_RETENTION_SECONDS)
    trimming.trim(before=clock.utcnow() - retention)
    upload_services.settle()
    uploads.drop_stale()


@shared_task(name=dispatch.TASK_CLOSE_GAPS, ignore_result=True, time_limit=600)
def close_gaps(**_: object) -> None:
    """Take from members what a writer that is gone gave to them only."""
    _alone(_closing_gaps, gaps.close_gaps)


@shared_task(name=dispatch.TASK_COMPARE, ignore_result=True, time_limit=6 * 3600)
def compare(*, by_schedule: bool = False, **_: object) -> None:
    """Carry out the comparisons that wait; by schedule, ask for one first."""
    if by_schedule:
        runs.ask_by_schedule(random.Random())
    _alone(_comparing, runs.work)


def _alone(running: threading.Lock, work: Callable[[], object]) -> None:
    if not running.acquire(blocking=False):
        return
    try:
        work()
    finally:
        running.release()


@shared_task(
    name=dispatch.TASK_FORGET,
    ignore_result=True,
    time_limit=600,
)
def forget(**_: object) -> None:
    """Remove deletes that every node has and that nothing can undo any more."""
    forgetting.forget_tombstones()


@shared_task(
    name=dispatch.TASK_TIDY,
    ignore_result=True,
    time_limit=600,
)
def tidy(**_: object) -> None:
    """Remove what piles up beside the objects."""
    forgetting.tidy()


@shared_task(
    name=dispatch.TASK_HEAL,
    ignore_result=True,
    time_limit=600,
)
def heal(**_: object) -> None:
    """Bring bodies to where they belong."""
    rounds.heal_round()


@shared_task(
    name=dispatch.TASK_SCRUB,
    ignore_result=True,
    time_limit=600,
)
def scrub(**_: object) -> None:
    """Read on where the scrub stopped."""
    rounds.scrub_round()
