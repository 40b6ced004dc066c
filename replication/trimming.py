"""Deletion of events that nobody needs any more.

An event may go when every lane of its shard has passed it, no delivery of it is open, and it is
older than the retention. Acknowledgement decides, age only delays: what a destination lacks is
kept however old it is.
"""

from datetime import datetime

from django.db.models import Min

from cluster import selectors as cluster_selectors
from replication.models import Delivery, DeliveryState, Lane, ReplicationEventRecord
from rs3gw.storage import commit

BATCH_ROWS = 1000
OPEN_STATES = (DeliveryState.RETRY, DeliveryState.PARKED)


def trim(*, before: datetime) -> int:
    """Delete delivered events created before `before`; return how many.

    A node that was removed deletes nothing: it has no lanes to ask, and what it still holds may
    be sent when it has joined again.
    """
    if cluster_selectors.own_removal() is not None:
        return 0
    cursors = dict(
        Lane.objects.values("shard").annotate(least=Min("cursor")).values_list("shard", "least")
    )
    shards = ReplicationEventRecord.objects.values_list("shard", flat=True).distinct()
    return sum(_trim_shard(shard, cursors.get(shard), before) for shard in list(shards))


def _trim_shard(shard: int, least_cursor: int | None, before: datetime) -> int:
    deleted = 0
    while True:
        events = ReplicationEventRecord.objects.filter(shard=shard, created_at__lt=before)
        if least_cursor is not None:
            events = events.filter(position__lte=least_cursor)
        open_ids = Delivery.objects.filter(state__in=OPEN_STATES).values("event_id")
        ids = list(events.exclude(pk__in=open_ids).values_list("pk", flat=True)[:BATCH_ROWS])
        if ids:
            commit.run(lambda ids=ids: ReplicationEventRecord.objects.filter(pk__in=ids).delete())  # type: ignore[misc]
        deleted += len(ids)
        if len(ids) < BATCH_ROWS:
            return deleted
