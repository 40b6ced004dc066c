"""What a write feels of a backlog: before its body is read, it may be held back or refused."""

from replication import backlog
from replication.core.backpressure import decide
from replication.errors import BacklogTooLong
from rs3gw.common import clock
from rs3gw.s3 import bucket_config, metrics
from rs3gw.s3.operations.buckets import bucket_of
from rs3gw.s3.request import S3Request

LAG_HEADER = "x-rs3gw-replication-lag"
# What adds to the backlog. Parts do not: they travel when their upload is completed.
SLOWED = frozenset(
    {"CompleteMultipartUpload", "CopyObject", "CreateMultipartUpload", "PostObject", "PutObject"}
)
TOLD = SLOWED | {"DeleteObject", "DeleteObjects", "UploadPart", "UploadPartCopy"}


def heed(request: S3Request, operation: str) -> None:
    """Tell a write of the backlog, and hold it back or refuse it as its bucket's policy says.

    Raises:
        BacklogTooLong: The policy is `reject` and the backlog is over the hard limit.
    """
    if operation not in TOLD:
        return
    waiting = backlog.current()
    if not waiting.events:
        return
    pressure = decide(waiting, bucket_config.of(bucket_of(request)).backpressure)
    if pressure.is_felt:
        request.found[LAG_HEADER] = f"{waiting.age_seconds:.1f}"
    if operation not in SLOWED:
        return
    if pressure.is_refused:
        metrics.PRESSED.labels("refused").inc()
        raise BacklogTooLong
    if pressure.delay_seconds:
        metrics.PRESSED.labels("delayed").inc()
        clock.sleep(pressure.delay_seconds)
