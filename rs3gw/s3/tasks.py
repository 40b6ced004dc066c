"""Background work of the S3 endpoint."""

from celery import shared_task

from rs3gw.s3 import lifecycle


@shared_task(
    name="rs3gw.s3.tasks.expire_objects",
    ignore_result=True,
    time_limit=3600,
)
def expire_objects(**_: object) -> None:
    """Delete and abort what the lifecycle rules of buckets say is due."""
    lifecycle.run()
