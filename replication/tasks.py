"""Background work of replication."""

from datetime import timedelta

from celery import shared_task
from django.conf import settings

from replication import dispatch, drain, lanes, links, trimming, uploads
from replication.services import uploads as upload_services
from rs3gw.common import clock

DRAIN_TIME_LIMIT_SECONDS = 600


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
    retention = timedelta(seconds=settings.RS3GW_EVENT_RETENTION_SECONDS)
    trimming.trim(before=clock.utcnow() - retention)
    upload_services.settle()
    uploads.drop_stale()
