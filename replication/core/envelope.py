"""Batches of events on the wire.

One byte of format version, one of compression, then a JSON header and the small bodies behind
it, each preceded by its length in four bytes. Bodies stay bytes: base64 would cost a third more.
Everything that is read is bounded before it is believed.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import zstandard

from replication.core.events import MalformedEvent, ReplicationEvent, UnknownEventKind
from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage.core.siblings import Newer

FORMAT = 1
EVENTS_MAX = 500
DECODED_BYTES_MAX = 32 * 2**20
COMPRESSIONS = ("identity", "zstd")
ZSTD_LEVEL = 1
_LENGTH = struct.Struct(">I")
# JSON from outside may also nest without end, or hold Infinity where a whole number belongs.
_BROKEN = (
    struct.error,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)


class MalformedBatch(ValueError):
    """The bytes are not a batch that this node can read; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Events of one sender, with what a receiver needs to apply them.

    Attributes:
        events: At most `EVENTS_MAX`, in the order of the sender's log.
        inline_bodies: Small bodies by their SHA-256.
        through: For pages of a copy: where the next page begins.
        bucket_records: What it takes to create each bucket, by incarnation.
        unknown: (actor, seq, reason) of events that this node cannot understand.
    """

    sender_node: str
    sender_region: str
    cluster_id: str
    events: tuple[ReplicationEvent, ...] = ()
    inline_bodies: Mapping[str, bytes] = field(default_factory=dict)
    through: Mapping[int, int] = field(default_factory=dict)
    bucket_records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    unknown: tuple[tuple[int, int, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """What became of one event at the receiver.

    Attributes:
        actor: Who wrote it.
        seq: Its number among that writer's.
        code: As in the protocol's table.
        reason: For people.
        newer: What the receiver shows instead of it, without having seen it; None for nothing.
    """

    actor: int
    seq: int
    code: str
    reason: str = ""
    newer: Newer | None = None


def encode_batch(batch: Batch, *, compression: str = "identity") -> bytes:
    """Return the wire form of a batch.

    Args:
        batch: At most `EVENTS_MAX` events.
        compression: `identity` or `zstd`.
    """
    assert len(batch.events) <= EVENTS_MAX
    header = {
        "node": batch.sender_node,
        "region": batch.sender_region,
        "cluster": batch.cluster_id,
        "events": [event.to_wire() for event in batch.events],
        "bodies": [[name, len(data)] for name, data in batch.inline_bodies.items()],
        "through": {str(actor): seq for actor, seq in batch.through.items()},
        "buckets": {name: dict(record) for name, record in batch.bucket_records.items()},
    }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    content = b"".join([_LENGTH.pack(len(text)), text, *batch.inline_bodies.values()])
    if compression == "zstd":
        content = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(content)
    return bytes([FORMAT, COMPRESSIONS.index(compression)]) + content


def decode_batch(data: bytes) -> Batch:
    """Return the batch that `encode_batch` wrote.

    Raises:
        MalformedBatch: The bytes are of another format, too large, or broken.
    """
    if len(data) < 2 or data[0] != FORMAT or data[1] >= len(COMPRESSIONS):
        raise MalformedBatch("this is not a batch of a format that is known here")
    content = _decompress(data[2:]) if COMPRESSIONS[data[1]] == "zstd" else data[2:]
    try:
        (length,) = _LENGTH.unpack_from(content)
        header = json.loads(content[_LENGTH.size : _LENGTH.size + length])
        return _read(header, content[_LENGTH.size + length :])
    except _BROKEN as error:
        raise MalformedBatch(f"the batch is broken: {error}") from None


def _decompress(content: bytes) -> bytes:
    try:
        reader = zstandard.ZstdDecompressor().stream_reader(content)
        plain = reader.read(DECODED_BYTES_MAX + 1)
    except zstandard.ZstdError as error:
        raise MalformedBatch(f"the batch cannot be decompressed: {error}") from None
    if len(plain) > DECODED_BYTES_MAX:
        raise MalformedBatch(f"the batch exceeds {DECODED_BYTES_MAX} bytes")
    return plain


def _read(header: Mapping[str, Any], tail: bytes) -> Batch:
    wires = header["events"]
    if len(wires) > EVENTS_MAX:
        raise MalformedBatch(f"the batch has more than {EVENTS_MAX} events")
    events: list[ReplicationEvent] = []
    unknown: list[tuple[int, int, str]] = []
    for wire in wires:
        try:
            events.append(ReplicationEvent.from_wire(wire))
        except UnknownEventKind as error:
            unknown.append((int(wire["actor"]), int(wire["seq"]), f"needs_upgrade: {error}"))
        except MalformedEvent as error:
            unknown.append((int(wire["actor"]), int(wire["seq"]), f"malformed: {error}"))
    return Batch(
        sender_node=str(header["node"]),
        sender_region=str(header["region"]),
        cluster_id=str(header["cluster"]),
        events=tuple(events),
        inline_bodies=_bodies(header["bodies"], tail),
        through={int(actor): int(seq) for actor, seq in header["through"].items()},
        bucket_records=dict(header["buckets"]),
        unknown=tuple(unknown),
    )


def _bodies(lengths: Sequence[tuple[str, int]], tail: bytes) -> dict[str, bytes]:
    bodies: dict[str, bytes] = {}
    start = 0
    for name, length in lengths:
        if length < 0 or start + length > len(tail):
            raise MalformedBatch("a body is shorter than the batch says")
        bodies[str(name)] = tail[start : start + length]
        start += length
    if start != len(tail):
        raise MalformedBatch("there are bytes behind the last body")
    return bodies


def encode_results(results: Sequence[ItemResult]) -> bytes:
    """Return the wire form of a batch's results."""
    rows = [[result.actor, result.seq, result.code, result.reason] for result in results]
    for row, result in zip(rows, results, strict=True):
        if result.newer is not None:
            row += [result.newer.hlc, result.newer.context.to_json()]
    return json.dumps(rows, separators=(",", ":")).encode()


def decode_results(data: bytes) -> list[ItemResult]:
    """Return the results that `encode_results` wrote.

    Raises:
        MalformedBatch: The bytes are not results.
    """
    try:
        return [
            ItemResult(
                actor=int(actor),
                seq=int(seq),
                code=str(code),
                reason=str(reason),
                newer=_newer(more),
            )
            for actor, seq, code, reason, *more in json.loads(data)
        ]
    except _BROKEN as error:
        raise MalformedBatch(f"these are not results: {error}") from None


def _newer(more: Sequence[Any]) -> Newer | None:
    return Newer(int(more[0]), VectorClock.from_json(more[1])) if more else None
