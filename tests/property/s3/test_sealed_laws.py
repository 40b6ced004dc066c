"""Encrypted bodies: every range comes back, and nothing else is taken for them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rs3gw.storage.core import sealed

KEY, OTHER, SALT = b"k" * 32, b"o" * 32, b"saltsalt"
FRAME = sealed.FRAME_BYTES
STORED = FRAME + sealed.TAG_BYTES
SIZES = st.sampled_from([0, 1, 100, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 3 * FRAME + 77])


def plain_of(size_bytes):
    return bytes(i * 7 % 251 for i in range(256)) * (size_bytes // 256 + 1)


def stored_of(size_bytes):
    plain = plain_of(size_bytes)[:size_bytes]
    return plain, b"".join(sealed.seal([plain[:10], b"", plain[10:]], KEY, SALT))


def opened(stored, start, length, size_bytes, key=KEY):
    span = sealed.frame_span(start, length, size_bytes)
    salt = sealed.salt_of(stored[: sealed.HEAD_BYTES])
    pieces = stored[span.offset : span.offset + span.length]
    chunks = [pieces[i : i + 50_000] for i in range(0, len(pieces), 50_000)]
    return b"".join(
        sealed.open_range(chunks, key, salt, start=start, length=length, size_bytes=size_bytes)
    )


@settings(deadline=None)
@given(SIZES)
def test_the_stored_size_is_known_beforehand(size_bytes):
    assert len(stored_of(size_bytes)[1]) == sealed.sealed_size(size_bytes)


@settings(deadline=None)
@given(SIZES.filter(bool), st.data())
def test_every_range_comes_back(size_bytes, data):
    plain, stored = stored_of(size_bytes)
    start = data.draw(st.integers(0, size_bytes - 1))
    length = data.draw(st.integers(1, size_bytes - start))
    assert opened(stored, start, length, size_bytes) == plain[start : start + length]


@settings(deadline=None)
@given(SIZES.filter(bool), st.data())
def test_a_changed_bit_is_refused(size_bytes, data):
    _, stored = stored_of(size_bytes)
    place = data.draw(st.integers(0, len(stored) - 1))
    broken = bytearray(stored)
    broken[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(sealed.SealedBodyBroken):
        opened(bytes(broken), 0, size_bytes, size_bytes)


@pytest.mark.parametrize("what", ["swapped", "dropped", "cut off", "longer", "another key"])
def test_frames_cannot_be_moved_left_out_or_added(what):
    size_bytes = 3 * FRAME + 5
    _, stored = stored_of(size_bytes)
    head, frames = stored[: sealed.HEAD_BYTES], stored[sealed.HEAD_BYTES :]
    first, second, rest = frames[:STORED], frames[STORED : 2 * STORED], frames[2 * STORED :]
    changed, claimed, key = {
        "swapped": (head + second + first + rest, size_bytes, KEY),
        "dropped": (head + first + rest, size_bytes - FRAME, KEY),
        "cut off": (head + first + second, 2 * FRAME, KEY),
        "longer": (stored + rest, size_bytes + len(rest), KEY),
        "another key": (stored, size_bytes, OTHER),
    }[what]
    with pytest.raises(sealed.SealedBodyBroken):
        opened(changed, 0, claimed, claimed, key)


@settings(deadline=None)
@given(SIZES.filter(bool), st.data())
def test_a_body_that_was_cut_off_is_refused(size_bytes, data):
    _, stored = stored_of(size_bytes)
    start = data.draw(st.integers(0, size_bytes - 1))
    length = data.draw(st.integers(1, size_bytes - start))
    span = sealed.frame_span(start, length, size_bytes)
    edges = range(span.offset, span.offset + span.length, STORED)
    places = st.sampled_from(edges) | st.integers(span.offset, span.offset + span.length - 1)
    with pytest.raises(sealed.SealedBodyBroken):
        opened(stored[: data.draw(places)], start, length, size_bytes)


def test_no_more_than_two_frames_are_held():
    pulled = []

    def endless():
        while True:
            pulled.append(FRAME)
            yield bytes(FRAME)

    stored = sealed.seal(endless(), KEY, SALT)
    assert len(next(stored)) == sealed.HEAD_BYTES
    for count in range(1, 20):
        assert len(next(stored)) == STORED
        assert len(pulled) <= count + 1
    read = []

    def frames():
        for frame in stored:
            read.append(len(frame))
            yield frame

    size_bytes = 1000 * FRAME
    opening = sealed.open_frames(frames(), KEY, SALT, first_frame=19, size_bytes=size_bytes)
    for count in range(1, 20):
        assert len(next(opening)) == FRAME
        assert len(read) <= count
