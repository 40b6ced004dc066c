"""Encryption of a replication stream inside the transport (AES-256-GCM, in frames).

A stream is cut into frames of 64 KiB; each is a length in four bytes and a ciphertext. The number
of a frame and whether it is the last one are bound into it, so that a stream that was cut,
spliced, reordered or prolonged does not open. A nonce is an 8-byte prefix, which the caller must
never use twice with one key, and the frame's number.
"""

import struct
from collections.abc import Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rs3gw.common.errors import SealError

FRAME_BYTES = 64 * 1024
TAG_BYTES = 16
KEY_BYTES = 32
NONCE_PREFIX_BYTES = 8
_LENGTH = struct.Struct(">I")
_PLACE = struct.Struct(">Q?")


def seal_stream(
    chunks: Iterable[bytes], *, key: bytes, nonce_prefix: bytes, aad: bytes = b""
) -> Iterator[bytes]:
    """Yield the sealed form of a stream.

    Args:
        chunks: Plain bytes, cut anyhow.
        key: 32 bytes.
        nonce_prefix: 8 bytes that were never used with this key.
        aad: What the stream belongs to; must be given again to open it.
    """
    assert len(key) == KEY_BYTES
    assert len(nonce_prefix) == NONCE_PREFIX_BYTES
    cipher = AESGCM(key)
    for index, frame, is_last in _frames(chunks):
        nonce = nonce_prefix + _LENGTH.pack(index)
        sealed = cipher.encrypt(nonce, frame, _PLACE.pack(index, is_last) + aad)
        yield _LENGTH.pack(len(sealed)) + sealed


def open_stream(
    chunks: Iterable[bytes], *, key: bytes, nonce_prefix: bytes, aad: bytes = b""
) -> Iterator[bytes]:
    """Yield the plain bytes of a sealed stream, frame by frame.

    The bytes are genuine as they come; that they are complete is certain when the iterator ends
    without an error.

    Raises:
        SealError: The stream was changed, cut or prolonged, or the key or `aad` is another.
    """
    cipher = AESGCM(key)
    held: bytes | None = None
    index = -1
    for index, frame in enumerate(_sealed_frames(chunks)):
        if held is not None:
            yield _open(cipher, held, nonce_prefix, _PLACE.pack(index - 1, False) + aad)
        held = frame
    if held is None:
        raise SealError("The stream ended before its first frame.")
    yield _open(cipher, held, nonce_prefix, _PLACE.pack(index, True) + aad)


def _open(cipher: AESGCM, frame: bytes, nonce_prefix: bytes, bound: bytes) -> bytes:
    index, _ = _PLACE.unpack_from(bound)
    try:
        return cipher.decrypt(nonce_prefix + _LENGTH.pack(index), frame, bound)
    except InvalidTag:
        raise SealError("The stream was changed on its way, or sealed with another key.") from None


def _frames(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes, bool]]:
    buffer = bytearray()
    index = 0
    for chunk in chunks:
        buffer += chunk
        while len(buffer) > FRAME_BYTES:
            yield index, bytes(buffer[:FRAME_BYTES]), False
            del buffer[:FRAME_BYTES]
            index += 1
    yield index, bytes(buffer), True


def _sealed_frames(chunks: Iterable[bytes]) -> Iterator[bytes]:
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer)
            if not TAG_BYTES <= length <= FRAME_BYTES + TAG_BYTES:
                raise SealError("The stream is not one of frames that were sealed here.")
            if len(buffer) < _LENGTH.size + length:
                break
            yield bytes(buffer[_LENGTH.size : _LENGTH.size + length])
            del buffer[: _LENGTH.size + length]
    if buffer:
        raise SealError("The stream ends inside a frame.")
