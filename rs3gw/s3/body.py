"""Receiving bodies: every framing that clients send, every digest that they declare."""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping

from django.conf import settings

from rs3gw.s3.auth import Identity, payload_declared
from rs3gw.s3.core import chunked
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.request import S3Request
from rs3gw.storage import blobs
from rs3gw.storage.core import checksums

READ_BYTES = 256 * 1024
DOCUMENT_BYTES_MAX = 2 * 2**20
CHECKSUM_HEADERS = {f"x-amz-checksum-{name}": name for name in checksums.ALGORITHMS}
_SIZE = re.compile(r"[0-9]{1,18}")
_HEX_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class _Body:
    """The payload of one request and what its sender said about it."""

    def __init__(self, request: S3Request, identity: Identity) -> None:
        self._request = request
        self._chunked: chunked.ChunkedBody | None = None
        headers = request.headers
        self.declared_sha256 = payload_declared(request)
        is_framed = "content-length" in headers or "transfer-encoding" in headers
        if not is_framed:
            raise S3Error("MissingContentLength", "You must provide the Content-Length header.")
        if self.declared_sha256.startswith(chunked.STREAMING_PREFIX):
            self._chunked = self._decoder(identity)
        elif _SIZE.fullmatch(headers.get("content-length", "")):
            self.check_size(int(headers["content-length"]))

    def check_size(self, size_bytes: int) -> None:
        """Refuse a declared size above the limit before anything is read."""
        if size_bytes > settings.RS3GW_OBJECT_SIZE_MAX_BYTES:
            raise S3Error("EntityTooLarge", "The body exceeds the largest size of one upload.")

    def _decoder(self, identity: Identity) -> chunked.ChunkedBody:
        decoded = self._request.headers.get("x-amz-decoded-content-length", "")
        if not _SIZE.fullmatch(decoded):
            raise S3Error("MissingContentLength", "x-amz-decoded-content-length is required.")
        self.check_size(int(decoded))
        signer = None
        if self.declared_sha256 != chunked.UNSIGNED_TRAILER:
            claim = identity.claim
            signer = chunked.ChunkSigner(
                identity.signing_key, claim.amz_date, claim.scope, claim.signature
            )
        return chunked.ChunkedBody(self._read, decoded_bytes=int(decoded), signer=signer)

    def _read(self, size_bytes: int) -> bytes:
        data: bytes = self._request.environ["wsgi.input"].read(size_bytes)
        return data

    def chunks(self) -> Iterator[bytes]:
        """Yield the payload."""
        if self._chunked is not None:
            yield from self._chunked
            return
        received = 0
        while chunk := self._read(READ_BYTES):
            received += len(chunk)
            yield chunk
        declared = self._request.headers.get("content-length", "")
        if _SIZE.fullmatch(declared) and received != int(declared):
            raise S3Error("IncompleteBody", "The body is shorter than its Content-Length.")

    def _announced(self) -> list[str]:
        """Return the lower-case names of the trailers that the sender announced."""
        names = self._request.headers.get("x-amz-trailer", "").split(",")
        return [name.strip().lower() for name in names if name.strip()]

    def algorithms(self) -> list[str]:
        """Return the checksums that the sender declared, in headers or as trailers."""
        headers = self._request.headers
        named = [name for header, name in CHECKSUM_HEADERS.items() if header in headers]
        named += [CHECKSUM_HEADERS[item] for item in self._announced() if item in CHECKSUM_HEADERS]
        if len(named) > 1:
            raise S3Error(
                "InvalidRequest",
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not "
                "allowed.",
            )
        algorithm = headers.get("x-amz-sdk-checksum-algorithm", "").lower()
        if algorithm and algorithm not in checksums.ALGORITHMS:
            raise S3Error("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm is invalid.")
        if algorithm and algorithm not in named:
            named.append(algorithm)
        return named

    def check_headers(self) -> None:
        """Refuse checksums in headers that cannot be any.

        Raises:
            S3Error: InvalidRequest.
        """
        for header, name in CHECKSUM_HEADERS.items():
            value = self._request.headers.get(header)
            if value is not None and not checksums.is_well_formed(name, value):
                raise S3Error("InvalidRequest", f"Value for {header} header is invalid.")

    def check_trailers(self) -> None:
        """Refuse a body whose trailers are not those that it announced.

        Raises:
            S3Error: MalformedTrailerError; InvalidRequest for a value that is no checksum.
        """
        given = {} if self._chunked is None else self._chunked.trailers
        announced = set(self._announced()) & CHECKSUM_HEADERS.keys()
        if announced != given.keys() & CHECKSUM_HEADERS.keys():
            raise S3Error(
                "MalformedTrailerError",
                "The request contained trailing data that was not well-formed or did not conform "
                "to our published schema.",
            )
        for header in announced:
            if not checksums.is_well_formed(CHECKSUM_HEADERS[header], given[header]):
                raise S3Error("InvalidRequest", f"Value for {header} trailing header is invalid.")

    def declared_checksums(self) -> Mapping[str, str]:
        """Return the values that the sender declared; trailers once the body was read."""
        found = {n: self._request.headers.get(h, "") for h, n in CHECKSUM_HEADERS.items()}
        if self._chunked is not None:
            for header, name in CHECKSUM_HEADERS.items():
                found[name] = self._chunked.trailers.get(header, found[name])
        return {name: value for name, value in found.items() if value}


def _declared_md5(request: S3Request) -> str:
    text = request.headers.get("content-md5")
    if text is None:
        return ""
    try:
        digest = base64.b64decode(text, validate=True)
    except ValueError:
        digest = b""
    if len(digest) != 16:
        raise S3Error("InvalidDigest", "The Content-MD5 you specified is not valid.")
    return digest.hex()


class _FormFile(_Body):
    """The file of a browser form; what its sender says of it stands in the form's fields."""

    def __init__(self, request: S3Request, pieces: Iterable[bytes]) -> None:
        self._request = request
        self._chunked = None
        self._pieces = pieces
        self.declared_sha256 = ""

    def chunks(self) -> Iterator[bytes]:
        """Yield the file."""
        yield from self._pieces


def receive(
    request: S3Request, identity: Identity, *, key: bytes | None = None, algorithm: str = ""
) -> blobs.StagedBody:
    """Receive an object's or part's body, and check it against all that was declared.

    Args:
        request: The request.
        identity: Who signed it.
        key: What to encrypt the body with, None to store it as it is.
        algorithm: A checksum to compute although it was not declared; "" for none.

    Raises:
        S3Error: Something does not match; nothing was stored.
    """
    return _receive(_Body(request, identity), _declared_md5(request), key, algorithm)


def receive_file(
    request: S3Request, pieces: Iterable[bytes], *, key: bytes | None = None
) -> blobs.StagedBody:
    """Receive the file of a form, and check it against the form's fields.

    Args:
        request: The write that the form asks for, its fields as headers.
        pieces: The bytes of the file.
        key: What to encrypt the file with, None to store it as it is.

    Raises:
        S3Error: Something does not match; nothing was stored.
    """
    return _receive(_FormFile(request, pieces), _declared_md5(request), key)


def _receive(body: _Body, md5_hex: str, key: bytes | None, algorithm: str = "") -> blobs.StagedBody:
    body.check_headers()
    algorithms = body.algorithms()
    if algorithm and algorithm not in algorithms:
        algorithms.append(algorithm)
    staged = blobs.stage(body.chunks(), algorithms=algorithms, key=key)
    try:
        _compare(body, staged, md5_hex)
    except S3Error:
        staged.discard()
        raise
    return staged


def _compare(body: _Body, staged: blobs.StagedBody, md5_hex: str) -> None:
    body.check_trailers()
    if md5_hex and md5_hex != staged.md5_hex:
        raise S3Error("BadDigest", "The Content-MD5 you specified did not match what we received.")
    declared = body.declared_sha256
    if _HEX_SHA256.fullmatch(declared) and declared.lower() != staged.plain_sha256_hex:
        raise S3Error(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
    for name, value in body.declared_checksums().items():
        if staged.checksums.get(name) != value:
            raise S3Error(
                "BadDigest", f"The {name.upper()} you specified did not match what we received."
            )


def read_document(
    request: S3Request, identity: Identity, *, bytes_max: int = DOCUMENT_BYTES_MAX
) -> bytes:
    """Return a small body, such as an XML document, checked like any other.

    Raises:
        S3Error: It is too large, or something does not match.
    """
    headers = request.headers
    if "content-length" not in headers and "transfer-encoding" not in headers:
        return b""
    md5_hex = _declared_md5(request)
    body = _Body(request, identity)
    body.check_headers()
    data = bytearray()
    for chunk in body.chunks():
        data += chunk
        if len(data) > bytes_max:
            raise S3Error("EntityTooLarge", f"The document exceeds {bytes_max} bytes.")
    document = bytes(data)
    hashers = {name: checksums.new_hasher(name) for name in body.algorithms()}
    for hasher in hashers.values():
        hasher.update(document)
    staged = blobs.StagedBody(
        len(document),
        hashlib.md5(document, usedforsecurity=False).hexdigest(),
        hashlib.sha256(document).hexdigest(),
        {name: hasher.base64() for name, hasher in hashers.items()},
    )
    _compare(body, staged, md5_hex)
    return document
