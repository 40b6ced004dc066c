"""A sealed stream opens to what was sealed, whole, or not at all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replication.core import sealing
from replication.core.sealing import FRAME_BYTES, open_stream, seal_stream
from rs3gw.common.errors import SealError

KEY = bytes(range(32))
PREFIX = b"prefix-1"
sizes = st.sampled_from([0, 1, 100, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES])


def seal(data, **change):
    options = {"key": KEY, "nonce_prefix": PREFIX, "aad": b"lane", **change}
    return list(seal_stream([data], **options))


def opened(chunks, **change):
    options = {"key": KEY, "nonce_prefix": PREFIX, "aad": b"lane", **change}
    return b"".join(open_stream(chunks, **options))


@settings(max_examples=40, deadline=None)
@given(sizes, st.integers(1, 50_000), st.integers(1, 50_000))
def test_a_stream_opens_however_it_is_cut(size_bytes, cut_in, cut_out):
    data = bytes(index % 251 for index in range(size_bytes))
    chunks = [data[start : start + cut_in] for start in range(0, size_bytes, cut_in)]
    frames = seal_stream(iter(chunks), key=KEY, nonce_prefix=PREFIX, aad=b"lane")
    sealed = b"".join(frames)
    again = [sealed[start : start + cut_out] for start in range(0, len(sealed), cut_out)]
    assert opened(again) == data


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.data())
def test_any_changed_bit_is_noticed(data, draw):
    sealed = bytearray(b"".join(seal(data)))
    sealed[draw.draw(st.integers(0, len(sealed) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    with pytest.raises(SealError):
        opened([bytes(sealed)])


def test_a_stream_that_was_cut_spliced_or_prolonged_does_not_open():
    frames = seal(bytes(2 * FRAME_BYTES + 5))
    assert len(frames) == 3
    for changed in (
        [],
        frames[:2],
        frames[1:],
        [frames[1], frames[0], frames[2]],
        [*frames, frames[2]],
        [*frames, b"\0"],
        [*frames, *seal(b"")],
    ):
        with pytest.raises(SealError):
            opened(changed)


@pytest.mark.parametrize(
    "change", [{"key": bytes(32)}, {"nonce_prefix": b"prefix-2"}, {"aad": b"other"}]
)
def test_another_key_nonce_or_purpose_does_not_open(change):
    with pytest.raises(SealError):
        opened(seal(b"secret"), **change)


def test_a_stream_grows_by_a_few_bytes_a_frame():
    sealed = b"".join(seal(bytes(FRAME_BYTES)))
    assert len(sealed) == FRAME_BYTES + 4 + sealing.TAG_BYTES
