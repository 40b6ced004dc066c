"""How a node that joins gets what the region already holds.

It copies buckets, registers and index entries from a member, with their original dots, clocks
and contexts, and joins them into its own state; so it does not matter that the lanes deliver
some of the same at the same time. What the member had applied is taken over first-to-last: the
frontiers are read before the entries, so they never claim more than was copied.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.conf import settings

from cluster import conf, transport
from cluster.core.node import NodeInfo
from replication import bodies, bucket_state, entries, registers, selectors
from replication.core.applied import AppliedRanges
from replication.core.envelope import Batch, decode_batch, encode_batch
from replication.core.events import ReplicationEvent
from replication.models import AppliedActor, Register
from replication.transport import bucket_records
from rs3gw.common import clock, identity
from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage import attributes, commit, rows
from rs3gw.storage import services as storage
from rs3gw.storage.attributes import VersionDot
from rs3gw.storage.core.objects import Entry
from rs3gw.storage.core.siblings import Stamp
from rs3gw.storage.models import Bucket

PAGE_ROWS = 200
PAGE_TIMEOUT_SECONDS = 30.0
_PAGE = (
    f"SELECT {rows.ENTRY_COLUMNS} FROM storage_objectversion "  # noqa: S608  (our own columns)
    "WHERE id > %s ORDER BY id LIMIT %s"
)

_WRITTEN = (
    f"SELECT {rows.ENTRY_COLUMNS} FROM storage_objectversion v "  # noqa: S608
    "WHERE id > %s AND ((actor = %s AND seq > %s) OR EXISTS ("
    "SELECT 1 FROM storage_versionattribute a WHERE a.actor = v.actor AND a.seq = v.seq "
    "AND a.set_actor = %s AND a.set_seq > %s)) ORDER BY id LIMIT %s"
)


def encode_page(after_row_id: int) -> bytes:
    """Return a page of index entries as a batch; its `through` holds the last row id."""
    found = [rows.to_entry(row) for row in rows.fetch_all(_PAGE, (after_row_id, PAGE_ROWS))]
    return encode_batch(batch_of(found), compression="zstd")


def encode_written(actor: int, after_seq: int, after_row_id: int) -> bytes:
    """Return a page of what is left here of a writer's changes, as `encode_page` does.

    Args:
        actor: The writer.
        after_seq: Only its changes after this one.
        after_row_id: Where the page before ended; 0 for the first.
    """
    parameters = (after_row_id, actor, after_seq, actor, after_seq, PAGE_ROWS)
    found = [rows.to_entry(row) for row in rows.fetch_all(_WRITTEN, parameters)]
    return encode_batch(batch_of(found), compression="zstd")


def encode_dots(dots: Sequence[tuple[int, int]]) -> bytes:
    """Return the entries with these dots, at most `PAGE_ROWS`, that are still here."""
    marks = ", ".join(["(%s, %s)"] * len(dots))
    statement = (
        f"SELECT {rows.ENTRY_COLUMNS} FROM storage_objectversion "  # noqa: S608
        f"WHERE (actor, seq) IN (VALUES {marks})"
    )
    numbers = [number for dot in dots for number in dot]
    found = [rows.to_entry(row) for row in rows.fetch_all(statement, numbers)] if dots else []
    return encode_batch(batch_of(found), compression="zstd")


def batch_of(found: Sequence[Entry]) -> Batch:
    """Return entries with all that was changed of them, as a batch that another node joins."""
    buckets = Bucket.objects.in_bulk({entry.bucket_id for entry in found})
    events = tuple(
        entries.entry_event(
            entry,
            buckets[entry.bucket_id],
            origin_region=settings.RS3GW_REGION,
            changes=attributes.read(VersionDot(entry.actor, entry.seq)),
        )
        for entry in found
    )
    return Batch(
        sender_node=identity.load().node_id,
        sender_region=settings.RS3GW_REGION,
        cluster_id=conf.cluster_id(),
        events=events,
        inline_bodies=inline_of(events),
        through={0: found[-1].row_id or 0} if found else {},
        bucket_records=bucket_records({event.bucket_incarnation for event in events}),
    )


def inline_of(events: Iterable[ReplicationEvent]) -> dict[str, bytes]:
    """Return the small bodies of these events' objects by hash."""
    inline: dict[str, bytes] = {}
    for event in events:
        for sha256, size_bytes in entries.event_bodies(event):
            data = rows.read_inline(sha256) if bodies.is_inline(size_bytes) else None
            if data is not None:
                inline[sha256] = data
    return inline


def control_snapshot() -> dict[str, Any]:
    """Return this node's buckets, registers and frontiers."""
    return {
        "frontiers": {str(actor): seq for actor, seq in selectors.frontiers().items()},
        "buckets": [
            {
                "name": bucket.name,
                "incarnation": str(bucket.incarnation),
                "owner": bucket.owner,
                "region": bucket.region,
                "actor": bucket.create_actor,
                "seq": bucket.create_seq,
                "hlc": bucket.create_hlc,
                "delete_hlc": bucket.delete_hlc,
                "delete_context": bucket.delete_context,
            }
            for bucket in Bucket.objects.order_by("id")
        ],
        "registers": list(
            Register.objects.order_by("id").values(
                "scope", "name", "value", "is_deleted", "actor", "seq", "hlc", "author"
            )
        ),
    }


def copy_from(node: NodeInfo) -> int:
    """Copy all that a member holds; return the number of index entries.

    Raises:
        PeerError: The member stopped answering; copying again is safe.
    """
    client = transport.client(node)
    response = client.request("GET", "/_cluster/registers", timeout_seconds=PAGE_TIMEOUT_SECONDS)
    snapshot = json.loads(response.body)
    join_control(snapshot)
    count = _copy_entries(client)
    take_frontiers(snapshot["frontiers"])
    return count


def _copy_entries(client: transport.PeerClient) -> int:
    after, count = 0, 0
    while True:
        response = client.request(
            "GET", f"/_cluster/entries?after={after}", timeout_seconds=PAGE_TIMEOUT_SECONDS
        )
        batch = decode_batch(response.body)
        if not batch.events:
            return count
        join(batch)
        after, count = batch.through[0], count + len(batch.events)


def join(batch: Batch) -> None:
    """Join entries of another node into this node's own."""
    commit.run(lambda: join_page(batch))


def join_page(batch: Batch) -> None:
    """Join the entries of a page into this node's own, inside the caller's transaction."""
    for event in batch.events:
        record = batch.bucket_records.get(event.bucket_incarnation)
        place = bucket_state.place_for(event, record)
        if place is None or place.is_too_late(event):
            continue
        storage.observe_clock(storage.shard_of(event.bucket, event.key), event.hlc)
        for sha256, _ in entries.event_bodies(event):
            if sha256 in batch.inline_bodies:
                rows.upsert_inline(sha256, batch.inline_bodies[sha256])
        storage.merge_entry(entries.event_entry(event, place.bucket), inline=None)
        for attribute in entries.event_changes(event):
            attributes.write(VersionDot(event.actor, event.seq), attribute)
        if place.is_shaky():
            bucket_state.settle(bucket_state.base_name(place.bucket))


def join_control(snapshot: Mapping[str, Any]) -> None:
    """Join another node's buckets and registers into this node's own."""
    commit.run(lambda: _apply_snapshot(snapshot))


def take_frontiers(frontiers: Mapping[str, int]) -> None:
    """Count as applied what another node had applied before what it holds was joined here."""
    commit.run(lambda: _take_frontiers(frontiers))


def _apply_snapshot(snapshot: Mapping[str, Any]) -> None:
    for record in snapshot["buckets"]:
        stamp = Stamp(record["actor"], record["seq"], record["hlc"])
        bucket_state.apply_create(
            name=record["name"],
            incarnation=record["incarnation"],
            owner=record["owner"],
            region=record["region"],
            stamp=stamp,
        )
        if record["delete_hlc"]:
            bucket_state.apply_known_delete(
                record["incarnation"],
                record["delete_hlc"],
                VectorClock.from_json(record["delete_context"]),
            )
    for record in snapshot["registers"]:
        if registers.is_defined(record["scope"]):
            _join_register(record)


def _join_register(record: Mapping[str, Any]) -> None:
    stamp = Stamp(record["actor"], record["seq"], record["hlc"])
    known = Register.objects.filter(scope=record["scope"], name=record["name"]).first()
    if known is not None and (known.actor, known.seq) == (stamp.actor, stamp.seq):
        return
    value = None if record["is_deleted"] else record["value"]
    registers.write(record["scope"], record["name"], value, stamp=stamp, author=record["author"])


def _take_frontiers(frontiers: Mapping[str, int]) -> None:
    own = {identity.load().actor | shard for shard in range(storage.shard_count())}
    for text, frontier in frontiers.items():
        actor = int(text)
        if actor in own or frontier <= 0:
            continue
        row, _ = AppliedActor.objects.get_or_create(actor=actor)
        ranges = AppliedRanges.from_json({"frontier": row.frontier, "islands": row.islands})
        state = ranges.add_through(1, frontier).to_json()
        row.frontier, row.islands = state["frontier"], state["islands"]
        row.last_applied_at = clock.utcnow()
        row.save()
