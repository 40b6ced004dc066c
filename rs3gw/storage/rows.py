"""The hand-written statements of the data path, and rows as values.

An object's row by the ORM costs several times its SQL; these few statements are run for each
request, so they are written out. All else uses the ORM. Both databases read the same text.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection

from rs3gw.common import clock, hlc
from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage.core.objects import Entry, ObjectHeaders, PartInfo
from rs3gw.storage.core.siblings import Sibling, Stamp

ENTRY_COLUMNS = (
    "id, bucket_id, key, version_id, actor, seq, hlc, context, state, etag, sha256, size_bytes, "
    "content_type, headers, metadata, tags, checksums, checksum_type, parts, origin_node, is_latest"
)
_MARKS = ", ".join(["%s"] * 21)
_INSERT = (
    "INSERT INTO storage_objectversion (bucket_id, key, version_id, is_latest, state, actor, seq, "  # noqa: S608
    "hlc, context, etag, sha256, size_bytes, content_type, headers, metadata, tags, checksums, "
    f"checksum_type, parts, last_modified, origin_node) VALUES ({_MARKS}) "
    "RETURNING id"
)
_SIBLINGS = (
    "SELECT id, version_id, actor, seq, hlc, context, state, is_latest "
    "FROM storage_objectversion WHERE bucket_id = %s AND key = %s"
)
_INLINE_UPSERT = (
    "INSERT INTO storage_inlinebody (sha256, data, touched_at) VALUES (%s, %s, %s) "
    "ON CONFLICT (sha256) DO UPDATE SET touched_at = excluded.touched_at"
)
_STAMP = (
    "UPDATE storage_clockshard SET seq = seq + 1, position = position + 1, "
    "hlc = CASE WHEN hlc + 1 > %s THEN hlc + 1 ELSE %s END WHERE shard = %s "
    "RETURNING actor, seq, position, hlc"
)
_FORWARD = (
    "UPDATE storage_clockshard SET position = position + 1 WHERE shard = %s RETURNING position"
)
_OBSERVE = (
    "UPDATE storage_clockshard SET hlc = CASE WHEN hlc > %s THEN hlc ELSE %s END WHERE shard = %s"
)


def dump(value: object) -> str:
    """Return compact JSON, as all JSON columns hold it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def fetch_all(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run a query and return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def fetch_one(statement: str, parameters: Sequence[Any]) -> tuple[Any, ...] | None:
    """Run a query and return its first row."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row: tuple[Any, ...] | None = cursor.fetchone()
        return row


def execute(statement: str, parameters: Sequence[Any]) -> None:
    """Run a statement that returns nothing."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def take_stamp(shard: int, now_ms: int) -> tuple[Stamp, int]:
    """Count one local change; return its stamp and its position in the log.

    The row stays locked until the transaction ends, so numbers follow commit order.
    """
    physical = hlc.pack(now_ms)
    row = fetch_one(_STAMP, (physical, physical, shard))
    assert row is not None, "init_node has not been run"
    actor, seq, position, stamp = row
    return Stamp(actor, seq, stamp), position


def take_position(shard: int) -> int:
    """Count one change of another node that this node passes on; return its log position."""
    row = fetch_one(_FORWARD, (shard,))
    assert row is not None, "init_node has not been run"
    return int(row[0])


def observe_clock(shard: int, remote_hlc: int) -> None:
    """Raise a shard's clock to a remote timestamp, and lock the shard until commit."""
    execute(_OBSERVE, (remote_hlc, remote_hlc, shard))


def read_siblings(bucket_id: int, key: str) -> list[Sibling]:
    """Return every version row of a key; `payload` is (row id, is_latest)."""
    return [
        Sibling(
            Stamp(actor, seq, stamp),
            VectorClock.from_json(json.loads(context)),
            state == "tombstone",
            version_id,
            (row_id, bool(is_latest)),
        )
        for row_id, version_id, actor, seq, stamp, context, state, is_latest in fetch_all(
            _SIBLINGS, (bucket_id, key)
        )
    ]


def read_entries(row_ids: Sequence[int]) -> list[Entry]:
    """Return the entries with these row ids, at most a few hundred."""
    if not row_ids:
        return []
    marks = ", ".join(["%s"] * len(row_ids))
    statement = (
        f"SELECT {ENTRY_COLUMNS} FROM storage_objectversion "  # noqa: S608  (our own columns)
        f"WHERE id IN ({marks}) ORDER BY id"
    )
    return [to_entry(row) for row in fetch_all(statement, row_ids)]


def insert_entry(entry: Entry, *, is_latest: bool) -> int:
    """Insert a version row and return its id."""
    headers = entry.headers
    row = fetch_one(
        _INSERT,
        (
            entry.bucket_id,
            entry.key,
            entry.version_id,
            is_latest,
            _state(entry),
            entry.actor,
            entry.seq,
            entry.hlc,
            dump(entry.context.to_json()),
            entry.etag,
            entry.sha256,
            entry.size_bytes,
            headers.content_type,
            dump(headers.to_json()),
            dump(dict(headers.metadata)),
            dump(dict(headers.tags)),
            dump(dict(entry.checksums)),
            entry.checksum_type,
            dump([part.to_json() for part in entry.parts]),
            entry.last_modified,
            entry.origin_node,
        ),
    )
    assert row is not None
    row_id = int(row[0])
    insert_part_references(row_id, entry.parts)
    return row_id


def insert_part_references(row_id: int, parts: Iterable[PartInfo]) -> None:
    """Record which bodies a multipart version needs."""
    rows = [(row_id, part.sha256) for part in parts]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO storage_partreference (version_id, sha256) VALUES (%s, %s)", rows
            )


def delete_versions(row_ids: Sequence[int], *, keeps_attributes: bool = False) -> None:
    """Delete version rows and what refers to them; attributes stay for a row that moves."""
    for row_id in row_ids:
        execute("DELETE FROM storage_partreference WHERE version_id = %s", (row_id,))
        row = fetch_one(
            "DELETE FROM storage_objectversion WHERE id = %s RETURNING actor, seq", (row_id,)
        )
        if row is not None and not keeps_attributes:
            execute("DELETE FROM storage_versionattribute WHERE actor = %s AND seq = %s", row)


def set_latest(row_id: int, *, is_latest: bool) -> None:
    """Mark whether readers see a version."""
    execute("UPDATE storage_objectversion SET is_latest = %s WHERE id = %s", (is_latest, row_id))


def upsert_inline(sha256: str, data: bytes) -> None:
    """Keep a small body; one that is there is marked as in use."""
    execute(_INLINE_UPSERT, (sha256, data, clock.utcnow()))


def read_inline(sha256: str) -> bytes | None:
    """Return a small body, or None when this node has none of that hash."""
    row = fetch_one("SELECT data FROM storage_inlinebody WHERE sha256 = %s", (sha256,))
    return None if row is None else bytes(row[0])


def to_entry(row: Sequence[Any]) -> Entry:
    """Return the value of a row selected by `ENTRY_COLUMNS`."""
    headers = _mapping(row[13])
    headers["content_type"] = row[12]
    return Entry(
        row_id=row[0],
        bucket_id=row[1],
        key=row[2],
        version_id=row[3],
        actor=row[4],
        seq=row[5],
        hlc=row[6],
        context=VectorClock.from_json(_mapping(row[7])),
        is_tombstone=row[8] == "tombstone",
        is_delete_marker=row[8] == "marker",
        is_latest=bool(row[20]),
        etag=row[9],
        sha256=row[10],
        size_bytes=row[11],
        headers=ObjectHeaders.from_json(headers, _mapping(row[14]), _mapping(row[15])),
        checksums=_mapping(row[16]),
        checksum_type=row[17],
        parts=_parts(row[18]),
        last_modified=clock.from_ms(hlc.physical_ms(row[6])),
        origin_node=row[19],
    )


def _state(entry: Entry) -> str:
    if entry.is_tombstone:
        return "tombstone"
    return "marker" if entry.is_delete_marker else "live"


def _mapping(text: str) -> dict[str, Any]:
    # Most are empty, and a page of a listing has thousands.
    if text == "{}":
        return {}
    value: dict[str, Any] = json.loads(text)
    return value


def _parts(text: str) -> tuple[PartInfo, ...]:
    return () if text == "[]" else tuple(map(PartInfo.from_json, json.loads(text)))
