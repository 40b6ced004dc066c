"""The event log of this node: written in the transaction of each change, read by lanes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from replication.core.events import EventKind, ReplicationEvent
from rs3gw.common import clock, hlc
from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage import rows

_COLUMNS = (
    "shard, position, actor, seq, hlc, event_id, kind, origin_node, origin_region, via, bucket, "
    "bucket_incarnation, key, version_id, context, body_sha256, body_size_bytes, payload"
)
_MARKS = ", ".join(["%s"] * 19)
_INSERT = (
    f"INSERT INTO replication_replicationeventrecord ({_COLUMNS}, created_at) "  # noqa: S608
    f"VALUES ({_MARKS})"
)
_AFTER = (
    f"SELECT id, {_COLUMNS} FROM replication_replicationeventrecord "  # noqa: S608
    "WHERE shard = %s AND position > %s ORDER BY position LIMIT %s"
)
_BY_ID = f"SELECT id, {_COLUMNS} FROM replication_replicationeventrecord WHERE id IN "  # noqa: S608


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An event and its place in this node's log."""

    row_id: int
    shard: int
    position: int
    event: ReplicationEvent


def append(event: ReplicationEvent, *, shard: int, position: int) -> None:
    """Write an event to the log, inside the transaction of the change it reports."""
    rows.execute(
        _INSERT,
        (
            shard,
            position,
            event.actor,
            event.seq,
            event.hlc,
            event.event_id,
            str(event.kind),
            event.origin_node,
            event.origin_region,
            rows.dump(list(event.via)),
            event.bucket,
            event.bucket_incarnation,
            event.key,
            event.version_id,
            rows.dump(event.context.to_json()),
            event.body_sha256,
            event.body_size_bytes,
            rows.dump(dict(event.payload)),
            clock.from_ms(hlc.physical_ms(event.hlc)),
        ),
    )


def read_after(shard: int, position: int, limit: int) -> list[LogEntry]:
    """Return up to `limit` entries of a shard behind `position`, in order."""
    return [_entry(row) for row in rows.fetch_all(_AFTER, (shard, position, limit))]


def read_rows(row_ids: Sequence[int]) -> list[LogEntry]:
    """Return the entries with these row ids, at most a few hundred."""
    if not row_ids:
        return []
    marks = ", ".join(["%s"] * len(row_ids))
    return [_entry(row) for row in rows.fetch_all(f"{_BY_ID}({marks}) ORDER BY id", row_ids)]


def find(event: ReplicationEvent) -> LogEntry | None:
    """Return the newest logged change of this kind, bucket and key, with this entity tag."""
    statement = (
        f"SELECT id, {_COLUMNS} FROM replication_replicationeventrecord "  # noqa: S608
        "WHERE bucket = %s AND key = %s AND kind = %s ORDER BY hlc DESC LIMIT 100"
    )
    found = rows.fetch_all(statement, (event.bucket, event.key, str(event.kind)))
    for entry in map(_entry, found):
        if entry.event.payload.get("etag") == event.payload.get("etag"):
            return entry
    return None


def last_position(shard: int) -> int:
    """Return the position of the newest entry that a shard has counted."""
    row = rows.fetch_one("SELECT position FROM storage_clockshard WHERE shard = %s", (shard,))
    return 0 if row is None else int(row[0])


def position_confirmed(shard: int, cursor: int, actor: int, frontier: int) -> int:
    """Return how far a lane may go when its peer has applied `actor` up to `frontier`.

    The first entry that the frontier does not prove delivered bounds it.
    """
    row = rows.fetch_one(
        "SELECT MIN(position) FROM replication_replicationeventrecord "
        "WHERE shard = %s AND position > %s AND NOT (actor = %s AND seq <= %s)",
        (shard, cursor, actor, frontier),
    )
    if row is not None and row[0] is not None:
        return int(row[0]) - 1
    row = rows.fetch_one(
        "SELECT MAX(position) FROM replication_replicationeventrecord WHERE shard = %s", (shard,)
    )
    return max(cursor, int(row[0])) if row is not None and row[0] is not None else cursor


def _entry(row: Sequence[Any]) -> LogEntry:
    event = ReplicationEvent(
        actor=row[3],
        seq=row[4],
        hlc=row[5],
        event_id=row[6],
        kind=EventKind(row[7]),
        origin_node=row[8],
        origin_region=row[9],
        via=tuple(json.loads(row[10])),
        bucket=row[11],
        bucket_incarnation=row[12],
        key=row[13],
        version_id=row[14],
        context=VectorClock.from_json(json.loads(row[15])),
        body_sha256=row[16],
        body_size_bytes=row[17],
        payload=json.loads(row[18]),
        created_at_ms=hlc.physical_ms(row[5]),
    )
    return LogEntry(row[0], row[1], row[2], event)
