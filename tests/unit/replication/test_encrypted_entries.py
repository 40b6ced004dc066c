"""An encrypted object is the same on another node, and its bodies are asked for as stored."""

import json
from datetime import UTC, datetime

import pytest

from replication.core.events import ReplicationEvent
from replication.entries import entry_event, event_bodies, event_entry
from rs3gw.storage.core.objects import Entry, ObjectHeaders, PartInfo
from rs3gw.storage.core.sealed import sealed_size
from rs3gw.storage.models import Bucket

SSE_S3 = {"alg": "AES256", "key_id": "a", "key": "d3JhcHBlZA=="}
SSE_C = {"alg": "SSE-C", "key_md5": "bWQ1", "hkdf": "c2FsdA=="}
PARTS = (
    PartInfo(number=1, size_bytes=5 * 2**20, etag="1" * 32, sha256="1" * 64),
    PartInfo(number=3, size_bytes=7, etag="3" * 32, sha256="3" * 64),
)
BUCKET = Bucket(pk=1, name="photos", incarnation="0192f0c1-2d3e-7a4b-8c5d-6e7f8091a2b3")


def entry_of(encryption, parts=(), size_bytes=100_000):
    return Entry(
        bucket_id=1,
        key="k",
        actor=256,
        seq=1,
        hlc=1_700_000_000_000 << 16,
        etag="e" * 32,
        sha256="" if parts else "a" * 64,
        size_bytes=sum(part.size_bytes for part in parts) or size_bytes,
        headers=ObjectHeaders(encryption=encryption),
        parts=parts,
        last_modified=datetime.fromtimestamp(1_700_000_000, UTC),
        origin_node="node-1",
    )


def sent(entry):
    wire = json.dumps(entry_event(entry, BUCKET, origin_region="r").to_wire())
    return ReplicationEvent.from_wire(json.loads(wire))


@pytest.mark.parametrize("encryption", [{}, SSE_S3, SSE_C], ids=["plain", "s3", "c"])
@pytest.mark.parametrize("parts", [(), PARTS], ids=["whole", "parts"])
def test_an_entry_arrives_as_it_was_sent(encryption, parts):
    entry = entry_of(encryption, parts)
    assert event_entry(sent(entry), BUCKET) == entry


@pytest.mark.parametrize("size_bytes", [0, 1, 65_536, 65_537, 100_000])
def test_a_body_is_asked_for_in_its_stored_size(size_bytes):
    assert event_bodies(sent(entry_of(SSE_S3, size_bytes=size_bytes))) == [
        ("a" * 64, sealed_size(size_bytes))
    ]
    assert event_bodies(sent(entry_of({}, size_bytes=size_bytes))) == [("a" * 64, size_bytes)]


def test_parts_are_asked_for_in_their_stored_sizes():
    expected = [(part.sha256, sealed_size(part.size_bytes)) for part in PARTS]
    assert event_bodies(sent(entry_of(SSE_C, PARTS))) == expected
    assert list(entry_of(SSE_C, PARTS).bodies()) == expected
