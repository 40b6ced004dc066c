"""Encrypted bodies: AES-256-GCM in frames, so that any range can be read and nothing be changed.

A stored body is a head, with a random salt, and the frames of the plaintext. A frame's nonce is
the salt and its number; whether it is the last one is bound to it. So a frame that is altered,
moved, left out or added is refused, and so is a body that was cut off.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"rs3gwA1\n"
SALT_BYTES = 8
HEAD_BYTES = len(MAGIC) + SALT_BYTES
FRAME_BYTES = 64 * 1024
TAG_BYTES = 16
KEY_BYTES = 32
_STORED_FRAME_BYTES = FRAME_BYTES + TAG_BYTES


class SealedBodyBroken(Exception):
    """A stored body is not what was sealed, or was sealed with another key."""


@dataclass(frozen=True, slots=True)
class FrameSpan:
    """Which stored bytes hold a range of the plaintext.

    Attributes:
        first_frame: Number of the first frame, from 0.
        offset: First stored byte.
        length: Number of stored bytes.
        skip_bytes: Plaintext bytes before the range in the first frame.
    """

    first_frame: int
    offset: int
    length: int
    skip_bytes: int


def frame_count(size_bytes: int) -> int:
    """Return the number of frames; an empty body has one."""
    return max(1, -(-size_bytes // FRAME_BYTES))


def sealed_size(size_bytes: int) -> int:
    """Return how many bytes a plaintext of this size takes when it is stored."""
    return HEAD_BYTES + size_bytes + TAG_BYTES * frame_count(size_bytes)


def frame_span(start: int, length: int, size_bytes: int) -> FrameSpan:
    """Return where a range of the plaintext is stored.

    Args:
        start: First byte, below the size.
        length: At least 1.
        size_bytes: Of the whole plaintext.
    """
    assert start >= 0 and 0 < length <= size_bytes - start
    first, last = start // FRAME_BYTES, (start + length - 1) // FRAME_BYTES
    offset = HEAD_BYTES + first * _STORED_FRAME_BYTES
    end = min(HEAD_BYTES + (last + 1) * _STORED_FRAME_BYTES, sealed_size(size_bytes))
    return FrameSpan(first, offset, end - offset, start - first * FRAME_BYTES)


def _nonce(salt: bytes, number: int) -> bytes:
    return salt + number.to_bytes(4, "big")


def _bound(*, is_last: bool) -> bytes:
    return MAGIC + (b"last" if is_last else b"more")


def seal(chunks: Iterable[bytes], key: bytes, salt: bytes) -> Iterator[bytes]:
    """Yield a stored body.

    Args:
        chunks: The plaintext, in any sizes.
        key: 32 bytes.
        salt: 8 random bytes; with one key never the same twice.
    """
    assert len(key) == KEY_BYTES and len(salt) == SALT_BYTES
    cipher = AESGCM(key)
    yield MAGIC + salt
    buffer = bytearray()
    number = 0
    for chunk in chunks:
        buffer += chunk
        # A full frame is held back until more follows: it may be the last one.
        while len(buffer) > FRAME_BYTES:
            frame = bytes(buffer[:FRAME_BYTES])
            del buffer[:FRAME_BYTES]
            yield cipher.encrypt(_nonce(salt, number), frame, _bound(is_last=False))
            number += 1
    yield cipher.encrypt(_nonce(salt, number), bytes(buffer), _bound(is_last=True))


def salt_of(head: bytes) -> bytes:
    """Return the salt that a stored body begins with.

    Raises:
        SealedBodyBroken: The bytes are not the head of a sealed body.
    """
    if len(head) != HEAD_BYTES or not head.startswith(MAGIC):
        raise SealedBodyBroken("the body does not begin as a sealed one does")
    return head[len(MAGIC) :]


def open_frames(
    stored: Iterable[bytes], key: bytes, salt: bytes, *, first_frame: int, size_bytes: int
) -> Iterator[bytes]:
    """Yield the plaintext of consecutive frames.

    Args:
        stored: Their bytes, in any sizes.
        key: 32 bytes.
        salt: From the body's head.
        first_frame: Number of the first of them.
        size_bytes: Size of the whole plaintext.

    Raises:
        SealedBodyBroken: A frame is not what was sealed.
    """
    cipher = AESGCM(key)
    last = frame_count(size_bytes) - 1
    number = first_frame
    buffer = bytearray()
    for chunk in stored:
        buffer += chunk
        while number < last and len(buffer) >= _STORED_FRAME_BYTES:
            yield _opened(cipher, salt, number, bytes(buffer[:_STORED_FRAME_BYTES]), is_last=False)
            del buffer[:_STORED_FRAME_BYTES]
            number += 1
    if number == last and buffer:
        yield _opened(cipher, salt, number, bytes(buffer), is_last=True)
    elif buffer:
        raise SealedBodyBroken("the body ends in the middle of a frame")


def open_range(
    stored: Iterable[bytes], key: bytes, salt: bytes, *, start: int, length: int, size_bytes: int
) -> Iterator[bytes]:
    """Yield a range of the plaintext.

    Args:
        stored: The bytes that `frame_span` names, in any sizes.
        key: 32 bytes.
        salt: From the body's head.
        start: First byte, below the size.
        length: At least 1.
        size_bytes: Size of the whole plaintext.

    Raises:
        SealedBodyBroken: A frame is not what was sealed, or is missing at the end.
    """
    span = frame_span(start, length, size_bytes)
    skip_bytes, left_bytes = span.skip_bytes, length
    for plain in open_frames(
        stored, key, salt, first_frame=span.first_frame, size_bytes=size_bytes
    ):
        piece = plain[skip_bytes : skip_bytes + left_bytes]
        skip_bytes, left_bytes = 0, left_bytes - len(piece)
        yield piece
    if left_bytes:
        raise SealedBodyBroken("the body ends too early")


def _opened(cipher: AESGCM, salt: bytes, number: int, frame: bytes, *, is_last: bool) -> bytes:
    try:
        return cipher.decrypt(_nonce(salt, number), frame, _bound(is_last=is_last))
    except InvalidTag:
        raise SealedBodyBroken(f"frame {number} is not what was sealed") from None
