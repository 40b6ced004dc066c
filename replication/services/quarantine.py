"""What an operator decides: who is evicted, and what becomes of the objects in quarantine."""

from dataclasses import replace

from django.conf import settings

from replication import engine, entries, eviction, outbox, review
from replication.core.events import ReplicationEvent
from replication.errors import ControlError
from replication.models import QuarantinedVersion, QuarantineOutcome
from rs3gw.common import clock, identity
from rs3gw.storage import commit, rows, selectors
from rs3gw.storage import services as storage
from rs3gw.storage.models import Bucket, KeptBody

evict_member = eviction.evict_by_operator


def accept_quarantined(row: QuarantinedVersion, *, author: str) -> None:
    """Write an object from quarantine again, as a new write of this node.

    Raises:
        ControlError: It was decided already, its bucket is gone, or the key is in use by now.
        WriteIndeterminate: Stored here, but too few nodes confirmed it in time.
    """
    event = ReplicationEvent.from_wire(row.entry)
    shard = storage.shard_of(row.bucket, row.key)

    def change() -> ReplicationEvent:
        stamp, position = rows.take_stamp(shard, clock.now_ms())
        _settle(row, QuarantineOutcome.ACCEPTED, author)
        bucket = _free_place(row)
        entry = entries.event_entry(event, bucket)
        entry = replace(entry, origin_node=identity.load().node_id)
        stored = storage.write_entry(entry, stamp=stamp, inline=None)
        written = entries.entry_event(stored, bucket, origin_region=settings.RS3GW_REGION)
        outbox.append(written, shard=shard, position=position)
        return written

    engine.complete(commit.run(change), shard=shard)


def _free_place(row: QuarantinedVersion) -> Bucket:
    bucket = selectors.find_bucket(row.bucket)
    if bucket is None:
        raise ControlError(f"There is no bucket {row.bucket!r} any more. Create it, then accept.")
    values = rows.read_siblings(bucket.pk, row.key)
    if any(v.version_id == row.version_id and not v.is_tombstone for v in values):
        raise ControlError(
            f"{row.bucket}/{row.key} exists by now. Delete that object first, or discard this one."
        )
    return bucket


def discard_quarantined(row: QuarantinedVersion, *, author: str) -> None:
    """Give an object in quarantine up; its bodies are collected when nothing else needs them.

    Raises:
        ControlError: It was decided already.
    """
    commit.run(lambda: _settle(row, QuarantineOutcome.DISCARDED, author))


def _settle(row: QuarantinedVersion, outcome: QuarantineOutcome, author: str) -> None:
    open_rows = QuarantinedVersion.objects.filter(pk=row.pk, outcome=QuarantineOutcome.OPEN)
    if not open_rows.update(outcome=outcome, decided_by=author, decided_at=clock.utcnow()):
        raise ControlError(f"{row} was decided already.")
    KeptBody.objects.filter(holder=review.holder_of(row)).delete()
