"""Bodies in the aws-chunked coding: signed or unsigned chunks, with or without trailers.

A decoder takes a function that reads from the connection and yields the payload. Lines and chunks
are bounded, signatures are checked before a chunk is passed on, and the declared length must be
met exactly.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator

from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.sigv4 import EMPTY_SHA256, matches

STREAMING_PREFIX = "STREAMING-"
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
KINDS = (SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER)
READ_BYTES = 256 * 1024
LINE_BYTES_MAX = 16 * 1024
CHUNK_BYTES_MAX = 128 * 2**20
TRAILERS_MAX = 16
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})(?:;chunk-signature=([0-9a-f]{64}))?")

Read = Callable[[int], bytes]


class ChunkSigner:
    """The chain of chunk signatures of one request."""

    def __init__(self, key: bytes, amz_date: str, scope: str, seed: str) -> None:
        self._key = key
        self._prefix = (amz_date, scope)
        self._previous = seed

    def _check(self, kind: str, lines: tuple[str, ...], given: str) -> None:
        text = "\n".join([f"AWS4-HMAC-SHA256-{kind}", *self._prefix, self._previous, *lines])
        expected = hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()
        if not matches(expected, given):
            raise S3Error("SignatureDoesNotMatch", "A chunk of the body is not signed as it is.")
        self._previous = expected

    def check_chunk(self, sha256_hex: str, given: str) -> None:
        """Check the next chunk's signature, and chain it."""
        self._check("PAYLOAD", (EMPTY_SHA256, sha256_hex), given)

    def check_trailer(self, trailer_lines: bytes, given: str) -> None:
        """Check the signature of the trailers."""
        self._check("TRAILER", (hashlib.sha256(trailer_lines).hexdigest(),), given)


class ChunkedBody:
    """An aws-chunked body: iterate it for its payload, then read `trailers`."""

    def __init__(self, read: Read, *, decoded_bytes: int, signer: ChunkSigner | None) -> None:
        self._read = read
        self._buffer = b""
        self._decoded_bytes = decoded_bytes
        self._signer = signer
        self.trailers: dict[str, str] = {}

    def __iter__(self) -> Iterator[bytes]:
        received = 0
        while True:
            size_bytes, signature = self._chunk_head()
            received += size_bytes
            if received > self._decoded_bytes:
                raise S3Error("IncompleteBody", "The body is longer than it was declared.")
            if self._signer is None:
                yield from self._pieces(size_bytes)
            else:
                yield from self._signed_chunk(size_bytes, signature)
            if size_bytes == 0:
                break
            self._expect_line_end()
        self._read_trailers()
        if received != self._decoded_bytes:
            raise S3Error("IncompleteBody", "The body is shorter than it was declared.")

    def _signed_chunk(self, size_bytes: int, signature: str) -> Iterator[bytes]:
        assert self._signer is not None
        data = b"".join(self._pieces(size_bytes))
        self._signer.check_chunk(hashlib.sha256(data).hexdigest(), signature)
        if data:
            yield data

    def _chunk_head(self) -> tuple[int, str]:
        match = _CHUNK.fullmatch(self._line())
        if not match:
            raise S3Error("InvalidRequest", "The body is not in the aws-chunked coding.")
        size_bytes = int(match[1], 16)
        if size_bytes > CHUNK_BYTES_MAX:
            raise S3Error("InvalidRequest", f"A chunk has at most {CHUNK_BYTES_MAX} bytes.")
        if self._signer is not None and match[2] is None:
            raise S3Error("SignatureDoesNotMatch", "A chunk of the body is not signed.")
        return size_bytes, (match[2] or b"").decode()

    def _fill(self) -> None:
        more = self._read(READ_BYTES)
        if not more:
            raise S3Error("IncompleteBody", "The body ended in the middle of a chunk.")
        self._buffer += more

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > LINE_BYTES_MAX:
                raise S3Error("InvalidRequest", "A line of the body is too long.")
            self._fill()
        line, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
        return line.removesuffix(b"\r")

    def _pieces(self, size_bytes: int) -> Iterator[bytes]:
        while size_bytes > 0:
            if not self._buffer:
                self._fill()
            piece, self._buffer = self._buffer[:size_bytes], self._buffer[size_bytes:]
            size_bytes -= len(piece)
            yield piece

    def _expect_line_end(self) -> None:
        if self._line():
            raise S3Error("InvalidRequest", "A chunk is longer than its head says.")

    def _read_trailers(self) -> None:
        lines = b""
        while self._has_more() and (line := self._line()):
            name, colon, value = line.partition(b":")
            if not colon or len(self.trailers) >= TRAILERS_MAX:
                raise S3Error("InvalidRequest", "The trailers of the body are malformed.")
            text = value.decode("latin-1").strip()
            key = name.decode("latin-1").strip().lower()
            if key == "x-amz-trailer-signature":
                if self._signer is not None:
                    self._signer.check_trailer(lines, text)
                    lines = b""
                continue
            self.trailers[key] = text
            lines += key.encode() + b":" + text.encode() + b"\n"
        if lines and self._signer is not None:
            raise S3Error("SignatureDoesNotMatch", "The trailers of the body are not signed.")

    def _has_more(self) -> bool:
        if not self._buffer:
            self._buffer = self._read(READ_BYTES)
        return bool(self._buffer)
