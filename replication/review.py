"""What a member that was evicted brings back, compared with what the region holds.

It has been away for longer than deletes are remembered, so its own objects prove nothing: where the
region has neither a value nor a tombstone of one, it may be a write that nobody heard of or an
object that everyone else deleted. Such objects leave the index and wait in quarantine for a
person. What the region does know of was joined with it before, and needs no decision.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence

from django.conf import settings

from cluster import transport
from cluster.core.node import NodeInfo
from replication import bucket_state, entries, stability
from replication.core.events import EventKind
from replication.core.stability import ranges_of
from replication.models import (
    Eviction,
    QuarantinedVersion,
    ReplicationEventRecord,
    SkippedEvent,
)
from rs3gw.common import clock
from rs3gw.storage import attributes, commit, rows
from rs3gw.storage import services as storage
from rs3gw.storage.attributes import VersionDot
from rs3gw.storage.core.objects import Entry
from rs3gw.storage.models import Bucket, KeptBody, ObjectState, ObjectVersion

logger = logging.getLogger(__name__)
KNOWN_PATH = "/_cluster/entries/known"
PAGE_ROWS = 300
KEYS_MAX = 500
TIMEOUT_SECONDS = 30.0
_STORED_KINDS = (EventKind.PUT_OBJECT, EventKind.PUT_DELETE_MARKER)


def review(node: NodeInfo) -> int:
    """Set aside what only this node holds, if it was evicted; return how many objects.

    Runs after the index was copied from `node`, and before this node is a member again.

    Raises:
        PeerError: The member stopped answering; reviewing again is safe.
    """
    notice = stability.own_notice()
    if notice is None:
        return 0
    old = {int(actor): int(seq) for actor, seq in notice.own_frontier.items()}
    client = transport.client(node)
    count = after = 0
    while page := _page(after):
        after = page[-1].row_id or 0
        suspect = [entry for entry in page if entry.seq <= old.get(entry.actor, entry.seq)]
        unknown = _unknown_there(client, suspect)
        if unknown:
            commit.run(lambda unknown=unknown: _set_aside(unknown, node))  # type: ignore[misc]
        count += len(unknown)
    commit.run(lambda: _drop_unsent(old))
    outcome = f"joined again from {node.node_id}; {count} objects in quarantine"
    Eviction.objects.filter(pk=notice.pk).update(ended_at=clock.utcnow(), outcome=outcome)
    logger.warning("this node %s", outcome)
    return count


def _page(after: int) -> list[Entry]:
    shown = ObjectVersion.objects.exclude(state=ObjectState.TOMBSTONE).filter(pk__gt=after)
    return rows.read_entries(list(shown.order_by("pk").values_list("pk", flat=True)[:PAGE_ROWS]))


def _unknown_there(client: transport.PeerClient, page: Sequence[Entry]) -> list[Entry]:
    if not page:
        return []
    buckets = Bucket.objects.in_bulk({entry.bucket_id for entry in page})
    keys = [[str(buckets[e.bucket_id].incarnation), e.key, e.version_id] for e in page]
    body = json.dumps({"keys": keys}).encode()
    response = client.request("POST", KNOWN_PATH, body=body, timeout_seconds=TIMEOUT_SECONDS)
    known = json.loads(response.body)["known"]
    return [entry for entry, is_known in zip(page, known, strict=True) if not is_known]


def are_known(keys: Iterable[Sequence[str]]) -> list[bool]:
    """Return of each (bucket incarnation, key, version id) whether this node has a row of it."""
    homes: dict[str, int] = {}
    found = []
    for incarnation, key, version_id in list(keys)[:KEYS_MAX]:
        if incarnation not in homes:
            bucket = Bucket.objects.filter(incarnation=incarnation).first()
            homes[incarnation] = 0 if bucket is None else bucket_state.home_of(bucket).pk
        place = ObjectVersion.objects.filter(
            bucket=homes[incarnation], key=key, version_id=version_id
        )
        found.append(place.exists())
    return found


def _set_aside(unknown: Sequence[Entry], node: NodeInfo) -> None:
    buckets = Bucket.objects.in_bulk({entry.bucket_id for entry in unknown})
    for entry in unknown:
        held = QuarantinedVersion.objects.filter(actor=entry.actor, seq=entry.seq)
        if not held.exists():
            _quarantine(entry, buckets[entry.bucket_id], node)
        storage.forget_values(
            entry.bucket_id,
            entry.key,
            entry.version_id,
            lambda values, entry=entry: [  # type: ignore[misc]
                v for v in values if (v.stamp.actor, v.stamp.seq) == (entry.actor, entry.seq)
            ],
        )


def _quarantine(entry: Entry, bucket: Bucket, node: NodeInfo) -> None:
    event = entries.entry_event(
        entry,
        bucket,
        origin_region=settings.RS3GW_REGION,
        changes=attributes.read(VersionDot(entry.actor, entry.seq)),
    )
    row = QuarantinedVersion.objects.create(
        bucket=bucket.name,
        bucket_incarnation=str(bucket.incarnation),
        key=entry.key,
        version_id=entry.version_id,
        actor=entry.actor,
        seq=entry.seq,
        size_bytes=entry.size_bytes,
        reason=f"{node.node_id} has neither this object nor a delete of it",
        entry=event.to_wire(),
        created_at=clock.utcnow(),
    )
    KeptBody.objects.bulk_create(
        KeptBody(sha256=sha256, holder=holder_of(row)) for sha256, _ in entries.event_bodies(event)
    )


def holder_of(row: QuarantinedVersion) -> str:
    """Return the name under which the bodies of an object in quarantine are kept."""
    return f"quarantine:{row.pk}"


def _drop_unsent(old: Mapping[int, int]) -> None:
    """Take from the log what this node wrote before it was told and no longer holds.

    Sent now, it could bring back what the others have forgotten the delete of.
    """
    for actor, through in old.items():
        written = ReplicationEventRecord.objects.filter(
            actor=actor, seq__lte=through, kind__in=_STORED_KINDS
        )
        held = set(
            ObjectVersion.objects.filter(actor=actor, seq__lte=through).values_list(
                "seq", flat=True
            )
        )
        gone = [seq for seq in written.values_list("seq", flat=True) if seq not in held]
        written.filter(seq__in=gone).delete()
        skip(actor, gone)


def skip(actor: int, numbers: Sequence[int], destination: str = "") -> None:
    """Tell a member, or all of them, that these events of this node will never be sent."""
    SkippedEvent.objects.bulk_create(
        SkippedEvent(
            destination=destination, actor=actor, low=low, high=high, created_at=clock.utcnow()
        )
        for low, high in ranges_of(numbers)
    )
