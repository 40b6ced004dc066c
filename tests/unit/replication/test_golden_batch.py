"""The wire form of schema 1, byte for byte: nodes of an earlier release must go on reading it."""

from pathlib import Path

from replication.core.envelope import Batch, decode_batch, encode_batch
from replication.core.events import EventKind, ReplicationEvent
from rs3gw.common.vector_clock import VectorClock

GOLDEN = Path(__file__).parent / "golden" / "batch-schema-1.bin"
INCARNATION = "0192f0c1-2d3e-7a4b-8c5d-6e7f8091a2b3"
BODY = b"hello, other side"
SHA256 = "7" * 64


def batch():
    first = ReplicationEvent(
        kind=EventKind.PUT_OBJECT,
        bucket="photos",
        key="2024/å.jpg",
        payload={"etag": "e" * 32, "size": len(BODY), "content_type": "image/jpeg"},
        event_id="0192f0c1-0000-7000-8000-000000000001",
        actor=0x1234_5678_9ABC_DE00,
        seq=41,
        hlc=1_700_000_000_000 << 16 | 3,
        origin_node="node-1",
        origin_region="us-east-1",
        via=("node-2",),
        bucket_incarnation=INCARNATION,
        version_id="null",
        context=VectorClock({7: 9}),
        body_sha256=SHA256,
        body_size_bytes=len(BODY),
        created_at_ms=1_700_000_000_000,
    )
    second = ReplicationEvent(
        kind=EventKind.DELETE_BUCKET_TAGGING,
        bucket="photos",
        actor=0x1234_5678_9ABC_DE00,
        seq=42,
        hlc=1_700_000_000_001 << 16,
        created_at_ms=1_700_000_000_001,
    )
    return Batch(
        sender_node="node-1",
        sender_region="us-east-1",
        cluster_id="6f1c2f6e-5a0b-4a3e-9d1e-7f0f6f7f2b61",
        events=(first, second),
        inline_bodies={SHA256: BODY},
        through={7: 9},
        bucket_records={INCARNATION: {"name": "photos", "owner": "root", "seq": 1}},
    )


def test_the_batch_is_written_as_ever():
    assert encode_batch(batch()) == GOLDEN.read_bytes()


def test_the_batch_is_read_as_ever():
    assert decode_batch(GOLDEN.read_bytes()) == batch()
