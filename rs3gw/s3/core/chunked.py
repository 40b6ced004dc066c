"""Bodies in the aws-chunked coding: signed or unsigned chunks, with or without trailers.

A decoder takes a function that reads from the connection and yields the payload. Lines and chunks
are bounded, and the declared length must be met exactly. A chunk is passed on as it arrives and its
signature is checked at its end: what was passed on counts only when the iteration ends without an
error.
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


class _Source:
    """What has arrived of a body and was not used yet.

    Used bytes are left in place until more are read: a body of tiny chunks is not copied for each.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._data = b""
        self._at = 0

    def _fill(self) -> None:
        more = self._read(READ_BYTES)
        if not more:
            raise S3Error("IncompleteBody", "The body ended in the middle of a chunk.")
        self._data = self._data[self._at :] + more
        self._at = 0

    def line(self) -> bytes:
        """Return the next line without its end."""
        while (end := self._data.find(b"\n", self._at)) < 0:
            if len(self._data) - self._at > LINE_BYTES_MAX:
                raise S3Error("InvalidRequest", "A line of the body is too long.")
            self._fill()
        line, self._at = self._data[self._at : end], end + 1
        return line.removesuffix(b"\r")

    def pieces(self, size_bytes: int) -> Iterator[bytes]:
        """Yield the next so many bytes as they arrive."""
        while size_bytes > 0:
            if self._at >= len(self._data):
                self._fill()
            piece = self._data[self._at : self._at + size_bytes]
            self._at += len(piece)
            size_bytes -= len(piece)
            yield piece

    def has_more(self) -> bool:
        """Return whether anything follows."""
        if self._at >= len(self._data):
            self._data, self._at = self._read(READ_BYTES), 0
        return bool(self._data)


class ChunkedBody:
    """An aws-chunked body: iterate it for its payload, then read `trailers`."""

    def __init__(self, read: Read, *, decoded_bytes: int, signer: ChunkSigner | None) -> None:
        self._source = _Source(read)
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
                yield from self._source.pieces(size_bytes)
            else:
                yield from self._signed_chunk(self._signer, size_bytes, signature)
            if size_bytes == 0:
                break
            if self._source.line():
                raise S3Error("InvalidRequest", "A chunk is longer than its head says.")
        self._read_trailers()
        if received != self._decoded_bytes:
            raise S3Error("IncompleteBody", "The body is shorter than it was declared.")

    def _signed_chunk(
        self, signer: ChunkSigner, size_bytes: int, signature: str
    ) -> Iterator[bytes]:
        digest = hashlib.sha256()
        for piece in self._source.pieces(size_bytes):
            digest.update(piece)
            yield piece
        signer.check_chunk(digest.hexdigest(), signature)

    def _chunk_head(self) -> tuple[int, str]:
        match = _CHUNK.fullmatch(self._source.line())
        if not match:
            raise S3Error("InvalidRequest", "The body is not in the aws-chunked coding.")
        if self._signer is not None and match[2] is None:
            raise S3Error("SignatureDoesNotMatch", "A chunk of the body is not signed.")
        return int(match[1], 16), (match[2] or b"").decode()

    def _read_trailers(self) -> None:
        lines = b""
        count = 0
        while self._source.has_more() and (line := self._source.line()):
            name, colon, value = line.partition(b":")
            count += 1
            if not colon or count > TRAILERS_MAX:
                raise S3Error("MalformedTrailerError", "The trailers of the body are malformed.")
            name, value = name.strip().lower(), value.strip()
            key, text = name.decode("latin-1"), value.decode("latin-1")
            if key == "x-amz-trailer-signature":
                if self._signer is not None:
                    self._signer.check_trailer(lines, text)
                    lines = b""
                continue
            self.trailers[key] = text
            lines += name + b":" + value + b"\n"
        if lines and self._signer is not None:
            raise S3Error("SignatureDoesNotMatch", "The trailers of the body are not signed.")
