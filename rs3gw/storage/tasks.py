"""Background work of the object store."""

from celery import shared_task
from django.conf import settings

from rs3gw.common import clock
from rs3gw.storage import collector


@shared_task(
    name="rs3gw.storage.tasks.collect_unused_blobs",
    ignore_result=True,
    time_limit=3600,
)
def collect_unused_blobs(**_: object) -> None:
    """Delete bodies that nothing has needed for the grace period."""
    collector.collect(now=clock.now(), grace_seconds=settings.RS3GW_BLOB_GRACE_SECONDS)
