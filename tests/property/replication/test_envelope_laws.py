"""What is sent arrives as it was; what is not ours is refused, never half believed."""

import json
import struct

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from replication.core import envelope
from replication.core.envelope import (
    Batch,
    ItemResult,
    MalformedBatch,
    decode_batch,
    decode_results,
    encode_batch,
    encode_results,
)
from replication.core.events import EventKind, MalformedEvent, ReplicationEvent, UnknownEventKind
from rs3gw.common.hlc import physical_ms
from rs3gw.common.vector_clock import VectorClock

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
whole = st.integers(0, 2**63 - 1)
payloads = st.dictionaries(texts, texts | whole | st.lists(texts, max_size=2), max_size=3)
events = st.builds(
    ReplicationEvent,
    kind=st.sampled_from(EventKind),
    bucket=texts,
    key=texts,
    payload=payloads,
    event_id=texts,
    actor=whole,
    seq=whole,
    hlc=whole,
    origin_node=texts,
    origin_region=texts,
    via=st.lists(texts, max_size=3).map(tuple),
    bucket_incarnation=texts,
    version_id=texts,
    context=st.dictionaries(whole, whole, max_size=3).map(VectorClock),
    body_sha256=texts,
    body_size_bytes=whole,
)
batches = st.builds(
    Batch,
    sender_node=texts,
    sender_region=texts,
    cluster_id=texts,
    events=st.lists(events, max_size=4).map(tuple),
    inline_bodies=st.dictionaries(texts, st.binary(max_size=40), max_size=3),
    through=st.dictionaries(whole, whole, max_size=2),
    bucket_records=st.dictionaries(texts, payloads, max_size=2),
)


def wire(header, bodies=b""):
    text = json.dumps(header).encode()
    return b"\x01\x00" + struct.pack(">I", len(text)) + text + bodies


def header(**fields):
    empty = {"node": "n", "region": "r", "cluster": "c", "events": [], "bodies": []}
    return {**empty, "through": {}, "buckets": {}, **fields}


@settings(max_examples=60)
@given(batches, st.sampled_from(envelope.COMPRESSIONS))
def test_a_batch_arrives_as_it_was_sent(batch, compression):
    found = decode_batch(encode_batch(batch, compression=compression))
    assert found.events == tuple(
        ReplicationEvent.from_wire(event.to_wire()) for event in batch.events
    )
    for sent, arrived in zip(batch.events, found.events, strict=True):
        assert arrived.created_at_ms == physical_ms(sent.hlc)
        assert arrived.to_wire() == sent.to_wire()
    assert found.inline_bodies == batch.inline_bodies
    assert (found.through, found.bucket_records) == (batch.through, batch.bucket_records)
    assert found.unknown == ()


@settings(max_examples=150)
@given(st.binary(max_size=80))
def test_garbage_is_refused(data):
    for prefix in (b"", b"\x01\x00", b"\x01\x01"):
        with pytest.raises(MalformedBatch):
            decode_batch(prefix + data)


@settings(max_examples=60)
@given(batches, st.sampled_from(envelope.COMPRESSIONS), st.data())
def test_a_cut_batch_is_refused(batch, compression, data):
    encoded = encode_batch(batch, compression=compression)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(MalformedBatch):
        decode_batch(encoded[:cut])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
FIELDS = sorted(ReplicationEvent(kind=EventKind.PUT_OBJECT).to_wire()) + [
    "via", "bucket", "inc", "key", "version", "ctx", "sha256", "size", "payload",
]  # fmt: skip


@settings(max_examples=200)
@given(st.sampled_from(FIELDS), json_values)
def test_a_wrong_field_is_named_or_is_right(field, value):
    good = ReplicationEvent(kind=EventKind.PUT_OBJECT, actor=1, seq=1).to_wire()
    try:
        event = ReplicationEvent.from_wire({**good, field: value})
    except UnknownEventKind:
        assert field in {"kind", "schema"}
    except MalformedEvent as error:
        assert field in str(error)
    else:
        json.dumps(event.to_wire(), ensure_ascii=False).encode()


@settings(max_examples=150)
@given(st.sampled_from(sorted(header())), json_values)
def test_a_wrong_header_is_refused_or_is_right(field, value):
    try:
        decode_batch(wire(header(**{field: value})))
    except MalformedBatch:
        return


def test_one_event_of_the_future_takes_no_other_along():
    good = ReplicationEvent(kind=EventKind.PUT_OBJECT, actor=1, seq=1).to_wire()
    future = {**good, "seq": 2, "kind": "levitate_object"}
    newer = {**good, "seq": 3, "schema": 2}
    broken = {**good, "seq": 4, "ctx": {"1": float("inf")}}
    found = decode_batch(wire(header(events=[future, good, newer, broken])))
    assert [event.seq for event in found.events] == [1]
    assert [(seq, reason.partition(":")[0]) for _, seq, reason in found.unknown] == [
        (2, "needs_upgrade"),
        (3, "needs_upgrade"),
        (4, "malformed"),
    ]


def test_a_batch_that_unpacks_to_too_much_is_refused():
    bomb = zstandard.ZstdCompressor().compress(bytes(envelope.DECODED_BYTES_MAX + 1))
    assert len(bomb) < 10_000
    with pytest.raises(MalformedBatch, match="exceeds"):
        decode_batch(b"\x01\x01" + bomb)


@pytest.mark.parametrize(
    "data",
    [
        wire(header(events=[{}] * (envelope.EVENTS_MAX + 1))),
        wire(header(), b"more than it says"),
        wire(header(bodies=[["a", 9]]), b"less"),
        wire(header(through={"1": float("inf")})),
        b"\x02\x00" + wire(header())[2:],
        b"\x01\x00" + struct.pack(">I", 200_000) + b"[" * 200_000,
    ],
    ids=["events", "tail", "short", "infinite", "format", "nesting"],
)
def test_what_exceeds_a_bound_is_refused(data):
    with pytest.raises(MalformedBatch):
        decode_batch(data)


results = st.builds(ItemResult, actor=whole, seq=whole, code=texts, reason=texts)


@given(st.lists(results, max_size=5))
def test_results_arrive_as_they_were_sent(sent):
    assert decode_results(encode_results(sent)) == sent


@given(st.binary(max_size=40) | json_values.map(lambda value: json.dumps(value).encode()))
def test_garbage_is_no_result(data):
    try:
        found = decode_results(data)
    except MalformedBatch:
        return
    assert all(isinstance(result, ItemResult) for result in found)
