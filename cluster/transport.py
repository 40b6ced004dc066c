"""The only way out to other nodes: signed HTTP over connections that are kept open.

Every request carries a fresh signature; a connection that the peer has closed in the meantime is
replaced once without the caller noticing, because every node-to-node request is idempotent.
Everything is bounded: time, response size, idle connections.
"""

import contextlib
import http.client
import secrets
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import urlsplit

from django.conf import settings

from cluster import conf
from cluster.core.node import NodeInfo
from cluster.errors import PeerError, PeerRefused, PeerUnreachable
from cluster.signals import refused_as_removed
from rs3gw.common import clock, identity
from rs3gw.common.signing import UNSIGNED_BODY, PeerRequest, body_sha256, sign

__all__ = [
    "PeerClient",
    "PeerError",
    "PeerRefused",
    "PeerResponse",
    "PeerStream",
    "PeerUnreachable",
    "client",
    "pool",
]
REQUEST_TIMEOUT_SECONDS = 5.0
STREAM_TIMEOUT_SECONDS = 30.0
RESPONSE_BYTES_MAX = 64 * 2**20
ERROR_BODY_BYTES_MAX = 64 * 1024
READ_BYTES = 256 * 1024
IDLE_CONNECTIONS_MAX = 8
IDLE_SECONDS_MAX = 20.0
NONCE_BYTES = 12
_STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


@dataclass(frozen=True, slots=True)
class PeerResponse:
    """A whole answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class PeerStream:
    """An answer whose body is read piece by piece; iterate once."""

    def __init__(self, address: str, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self._address = address
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        expected = self._response.length
        received = 0
        with _as_unreachable(self._address):
            while chunk := self._response.read(READ_BYTES):
                received += len(chunk)
                yield chunk
        if expected is not None and received < expected:
            raise PeerUnreachable(f"{self._address} broke off after {received} bytes.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    method: str
    path: str
    body: bytes = b""
    body_hash: str = UNSIGNED_BODY
    headers: Mapping[str, str]
    timeout_seconds: float


class _Pool:
    """Idle connections of this process by address."""

    def __init__(self) -> None:
        self._idle: dict[str, list[tuple[float, http.client.HTTPConnection]]] = {}
        self._lock = threading.Lock()

    def take(self, address: str) -> http.client.HTTPConnection | None:
        """Return an idle connection that is not too old; the one used last first."""
        oldest = clock.monotonic() - IDLE_SECONDS_MAX
        with self._lock:
            idle = self._idle.get(address, [])
            while idle:
                since, connection = idle.pop()
                if since >= oldest:
                    return connection
                connection.close()
        return None

    def put(self, address: str, connection: http.client.HTTPConnection) -> None:
        """Keep a connection whose last answer was read to its end."""
        with self._lock:
            idle = self._idle.setdefault(address, [])
            idle.append((clock.monotonic(), connection))
            surplus = idle[:-IDLE_CONNECTIONS_MAX]
            del idle[:-IDLE_CONNECTIONS_MAX]
        for _, old in surplus:
            old.close()

    def clear(self) -> None:
        """Close every idle connection."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for connections in idle.values():
            for _, connection in connections:
                connection.close()


pool = _Pool()


class PeerClient:
    """Talks to one address, in the name of this node.

    Args:
        address: `host:port`, or a URL with `http://` or `https://` in front.
        scope: Signing scope; this cluster's when None.
        secret: Secret of that scope; the cluster's when None.
    """

    def __init__(
        self, address: str, *, scope: str | None = None, secret: str | None = None
    ) -> None:
        self.address = address
        self._scope = scope or conf.cluster_id()
        self._secret = secret or settings.RS3GW_CLUSTER_SECRET

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = REQUEST_TIMEOUT_SECONDS,
    ) -> PeerResponse:
        """Send one request and return its whole answer.

        Args:
            method: HTTP method.
            path: Path and query, as they go over the wire.
            body: At most what the peer accepts (32 MiB).
            content_type: Type of the body.
            headers: Further headers.
            timeout_seconds: Longest silence of the peer, > 0.

        Raises:
            PeerUnreachable: The peer does not answer in time.
            PeerRefused: The peer answered with a status of 400 or more.
        """
        sent = {"Content-Type": content_type} if body else {}
        call = _Call(
            method=method,
            path=path,
            body=body,
            body_hash=body_sha256(body),
            headers={**sent, **(headers or {})},
            timeout_seconds=timeout_seconds,
        )
        with _as_unreachable(self.address):
            connection, response = self._exchange(call)
            try:
                data = _read_bounded(self.address, response)
            except BaseException:
                connection.close()
                raise
        self._give_back(connection, response)
        return self._judged(PeerResponse(response.status, response.headers, data))

    def send_stream(
        self,
        method: str,
        path: str,
        chunks: Iterable[bytes],
        size_bytes: int,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = STREAM_TIMEOUT_SECONDS,
    ) -> PeerResponse:
        """Send a body piece by piece; its hash must be part of `path`.

        Args:
            method: HTTP method.
            path: Path and query, as they go over the wire.
            chunks: The body, read once.
            size_bytes: Its exact size.
            headers: Further headers.
            timeout_seconds: Longest time without progress, > 0.

        Raises:
            PeerUnreachable: The peer does not answer, or `chunks` ended early.
            PeerRefused: The peer answered with a status of 400 or more.
        """
        fields = {"Content-Length": str(size_bytes), **(headers or {})}
        call = _Call(method=method, path=path, headers=fields, timeout_seconds=timeout_seconds)
        # The pieces can be read only once, so nothing may be retried: take a fresh connection.
        connection = self._connect(timeout_seconds)
        try:
            with _as_unreachable(self.address):
                self._send_head(connection, call)
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    for chunk in chunks:
                        connection.send(chunk)
                response = connection.getresponse()
                data = _read_bounded(self.address, response)
        finally:
            connection.close()
        return self._judged(PeerResponse(response.status, response.headers, data))

    @contextlib.contextmanager
    def open_stream(
        self,
        path: str,
        *,
        start: int = 0,
        length: int | None = None,
        timeout_seconds: float = STREAM_TIMEOUT_SECONDS,
    ) -> Iterator[PeerStream]:
        """Read a body, or a part of it, piece by piece.

        Args:
            path: Path and query, as they go over the wire.
            start: First byte wanted.
            length: Number of bytes wanted, >= 1; to the end when None.
            timeout_seconds: Longest silence of the peer, > 0.

        Raises:
            PeerUnreachable: The peer does not answer, or breaks off.
            PeerRefused: The peer answered with a status of 400 or more.
        """
        fields = {}
        if start or length is not None:
            end = start + length - 1 if length is not None else ""
            fields["Range"] = f"bytes={start}-{end}"
        call = _Call(method="GET", path=path, headers=fields, timeout_seconds=timeout_seconds)
        with _as_unreachable(self.address):
            connection, response = self._exchange(call)
        try:
            if response.status >= 400:
                with _as_unreachable(self.address):
                    body = response.read(ERROR_BODY_BYTES_MAX)
                raise self._refused(response.status, body)
            yield PeerStream(self.address, response)
        except BaseException:
            connection.close()
            raise
        self._give_back(connection, response)

    def _exchange(self, call: _Call) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Send a request over a kept connection, or over a fresh one when that is stale."""
        kept = pool.take(self.address)
        if kept is not None:
            try:
                return kept, self._send(kept, call)
            except _STALE:
                kept.close()
            except BaseException:
                kept.close()
                raise
        fresh = self._connect(call.timeout_seconds)
        try:
            return fresh, self._send(fresh, call)
        except BaseException:
            fresh.close()
            raise

    def _send(
        self, connection: http.client.HTTPConnection, call: _Call
    ) -> http.client.HTTPResponse:
        connection.timeout = call.timeout_seconds
        if connection.sock is not None:
            connection.sock.settimeout(call.timeout_seconds)
        self._send_head(connection, call)
        return connection.getresponse()

    def _send_head(self, connection: http.client.HTTPConnection, call: _Call) -> None:
        connection.putrequest(call.method, call.path, skip_accept_encoding=True)
        for name, value in {**call.headers, **self._signature(call)}.items():
            connection.putheader(name, value)
        if call.body or (call.method != "GET" and "Content-Length" not in call.headers):
            connection.putheader("Content-Length", str(len(call.body)))
        connection.endheaders(call.body or None)

    def _signature(self, call: _Call) -> dict[str, str]:
        actor, epoch = self._writer()
        signed = PeerRequest(
            method=call.method,
            target=call.path,
            body_sha256=call.body_hash,
            node_id=identity.load().node_id,
            scope=self._scope,
            unix_seconds=int(clock.now()),
            nonce=secrets.token_hex(NONCE_BYTES),
            actor=actor,
            epoch=epoch,
        )
        return sign(signed, self._secret)

    def _writer(self) -> tuple[int, int]:
        """Return this node's writer id and epoch; other regions have no business with them."""
        if self._scope != conf.cluster_id():
            return 0, 0
        return identity.load().actor, conf.epoch.known

    def _connect(self, timeout_seconds: float) -> http.client.HTTPConnection:
        url = urlsplit(self.address if "://" in self.address else f"http://{self.address}")
        host = url.hostname or ""
        if url.scheme == "https":
            return http.client.HTTPSConnection(
                host, url.port or 443, timeout=timeout_seconds, context=_tls_context()
            )
        return http.client.HTTPConnection(host, url.port or 80, timeout=timeout_seconds)

    def _give_back(
        self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> None:
        # http.client drops the socket itself when the peer wants the connection closed.
        if response.isclosed() and connection.sock is not None:
            pool.put(self.address, connection)
        else:
            connection.close()

    def _judged(self, response: PeerResponse) -> PeerResponse:
        if response.status >= 400:
            after = response.headers.get("Retry-After", "")
            raise self._refused(response.status, response.body, after)
        return response

    def _refused(self, status: int, body: bytes, after: str = "") -> PeerRefused:
        if status == HTTPStatus.MISDIRECTED_REQUEST and self._scope == conf.cluster_id():
            refused_as_removed.send_robust(sender=PeerClient, body=body)
        seconds = float(after) if after.isdecimal() else 0.0
        return PeerRefused(self.address, status, body, retry_after_seconds=seconds)


def client(node: NodeInfo) -> PeerClient:
    """Return a client for a member of this region."""
    return PeerClient(node.address)


@lru_cache(maxsize=1)
def _tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _read_bounded(address: str, response: http.client.HTTPResponse) -> bytes:
    data = response.read(RESPONSE_BYTES_MAX + 1)
    if len(data) > RESPONSE_BYTES_MAX:
        raise PeerError(f"{address} answered more than {RESPONSE_BYTES_MAX} bytes.")
    if response.length:
        raise PeerUnreachable(f"{address} broke off in the middle of its answer.")
    return data


@contextlib.contextmanager
def _as_unreachable(address: str) -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        why = str(error) or type(error).__name__
        raise PeerUnreachable(f"{address} does not answer: {why}") from None
