"""One HTTP/1.1 connection: bytes in, WSGI calls, bytes out.

`httptools` (llhttp) parses; this file decides what a WSGI application sees. Header values keep
their bytes (latin-1), the request target is passed on as sent, a body that ends early is an error
and not a short read, and `100 Continue` is sent when the application first asks for the body, so
that it can refuse a request without receiving it.
"""

import io
import logging
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

import httptools

from rs3gw.common import clock

logger = logging.getLogger(__name__)
RECEIVE_BYTES = 256 * 1024
DRAIN_BYTES_MAX = 256 * 1024
SMALL_BYTES = 64 * 1024
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """What one listener grants its clients.

    Attributes:
        connections_max: Open connections; one more is answered 503.
        head_bytes_max: Request line and headers together.
        target_bytes_max: Request target.
        head_timeout_seconds: From the first byte of a request to the end of its headers.
        progress_timeout_seconds: Longest pause while a body is received or an answer is sent.
        idle_timeout_seconds: How long an idle connection is kept.
        linger_seconds: How long a thread waits for the next request before it turns to others.
    """

    connections_max: int = 1000
    head_bytes_max: int = 64 * 1024
    target_bytes_max: int = 16 * 1024
    head_timeout_seconds: float = 20.0
    progress_timeout_seconds: float = 30.0
    idle_timeout_seconds: float = 75.0
    linger_seconds: float = 0.01


class BodyCutOffError(ConnectionError):
    """The client left, or fell silent, before its body was complete."""


class BadRequestError(Exception):
    """A request that cannot be served as HTTP; `status` says why."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(HTTPStatus(status).phrase)


@dataclass(slots=True)
class Request:
    """A request as it is parsed."""

    target: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    method: bytes = b""
    version: str = "1.1"
    keeps_alive: bool = False
    is_head_complete: bool = False
    is_complete: bool = False
    body: deque[bytes] = field(default_factory=deque)


class _Events:
    """What the parser calls; requests queue up, because clients may send several at once."""

    def __init__(self, limits: ServerLimits) -> None:
        self.requests: deque[Request] = deque()
        self._limits = limits
        self._head_bytes = 0
        self.parser: Any = None

    def on_message_begin(self) -> None:
        self.requests.append(Request())
        self._head_bytes = 0

    def _count(self, size_bytes: int) -> None:
        self._head_bytes += size_bytes
        if self._head_bytes > self._limits.head_bytes_max:
            raise BadRequestError(431)

    def on_url(self, url: bytes) -> None:
        request = self.requests[-1]
        request.target += url
        if len(request.target) > self._limits.target_bytes_max:
            raise BadRequestError(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + 4)
        self.requests[-1].headers.append((name, value))

    def on_headers_complete(self) -> None:
        request = self.requests[-1]
        request.method = self.parser.get_method()
        request.version = self.parser.get_http_version()
        request.keeps_alive = self.parser.should_keep_alive()
        request.is_head_complete = True

    def on_body(self, data: bytes) -> None:
        self.requests[-1].body.append(data)

    def on_message_complete(self) -> None:
        self.requests[-1].is_complete = True


class Connection:
    """A client's connection while it is open."""

    def __init__(
        self, sock: socket.socket, peer: tuple[str, int], base: dict[str, Any], limits: ServerLimits
    ) -> None:
        self.socket = sock
        self.peer = peer
        self.limits = limits
        self.idle_since = clock.monotonic()
        self._base = base
        self._events = _Events(limits)
        self._parser = httptools.HttpRequestParser(self._events)
        self._events.parser = self._parser
        self._is_broken = False
        self._unparsed_head_bytes = 0

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self.socket.fileno()

    def close(self) -> None:
        """Close the connection."""
        try:
            self.socket.close()
        except OSError:
            logger.debug("closing a connection failed", exc_info=True)

    def serve(self, app: WsgiApp, is_stopping: Callable[[], bool]) -> bool:
        """Answer requests while they come; return whether the connection is to be kept."""
        try:
            while self._serve_one(app, is_stopping):
                if not self._events.requests and not self._is_readable_soon():
                    self.idle_since = clock.monotonic()
                    return True
        except BadRequestError as error:
            self._refuse(error.status)
        except (OSError, httptools.HttpParserError):
            pass
        return False

    def _is_readable_soon(self) -> bool:
        self.socket.settimeout(self.limits.linger_seconds)
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except (TimeoutError, BlockingIOError):
            return False

    def _serve_one(self, app: WsgiApp, is_stopping: Callable[[], bool]) -> bool:
        request = self._next_request()
        if request is None:
            return False
        exchange = Exchange(self, request, keeps_alive=request.keeps_alive and not is_stopping())
        keeps_alive = exchange.run(app, self._base)
        if not keeps_alive or not self._drain(request, exchange):
            return False
        self._events.requests.popleft()
        return True

    def _next_request(self) -> Request | None:
        deadline = clock.monotonic() + self.limits.head_timeout_seconds
        self._unparsed_head_bytes = 0
        while not self._events.requests or not self._events.requests[0].is_head_complete:
            if not self.receive(deadline - clock.monotonic()):
                return None
            if self._unparsed_head_bytes > self.limits.head_bytes_max + RECEIVE_BYTES:
                raise BadRequestError(431)
        return self._events.requests[0]

    def receive(self, timeout_seconds: float) -> bool:
        """Read and parse what has arrived; return False when the client has closed."""
        if timeout_seconds <= 0:
            raise BadRequestError(408)
        self.socket.settimeout(timeout_seconds)
        data = self.socket.recv(RECEIVE_BYTES)
        if not data:
            return False
        self._unparsed_head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise BadRequestError(501) from None
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            raise (cause if isinstance(cause, BadRequestError) else BadRequestError(400)) from None
        except httptools.HttpParserError:
            self._is_broken = True
            if self._events.requests and self._events.requests[0].is_head_complete:
                raise BodyCutOffError("the body is malformed") from None
            raise BadRequestError(400) from None
        return True

    def _drain(self, request: Request, exchange: "Exchange") -> bool:
        """Read what the application left of a small body; give up on a large one."""
        left_bytes = DRAIN_BYTES_MAX
        while True:
            left_bytes -= sum(map(len, request.body))
            request.body.clear()
            if request.is_complete:
                return not self._is_broken
            if left_bytes <= 0 or exchange.awaits_continue or not self.receive(1.0):
                return False

    def send(self, data: bytes) -> None:
        """Send all of `data`."""
        self.socket.settimeout(self.limits.progress_timeout_seconds)
        self.socket.sendall(data)

    def _refuse(self, status: int) -> None:
        phrase = HTTPStatus(status).phrase
        body = f"{status} {phrase}\n".encode()
        head = (
            f"HTTP/1.1 {status} {phrase}\r\nContent-Type: text/plain\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        try:
            self.send(head.encode() + body)
        except OSError:
            logger.debug("a refusal did not arrive", exc_info=True)


class BodyReader(io.RawIOBase):
    """`wsgi.input`: the body of one request, as it arrives."""

    def __init__(self, exchange: "Exchange") -> None:
        super().__init__()
        self._exchange = exchange
        self._rest = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes, fewer only at the end of the body; all of it when negative.

        Raises:
            BodyCutOffError: The body ended before it was complete.
        """
        wanted = sys.maxsize if size is None or size < 0 else size
        pieces: list[bytes] = []
        while wanted > 0 and (piece := self._rest or self._exchange.next_piece()):
            self._rest = piece[wanted:]
            pieces.append(piece[:wanted] if self._rest else piece)
            wanted -= len(pieces[-1])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, as `io` asks for it."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class Exchange:
    """One request and its answer."""

    def __init__(self, connection: Connection, request: Request, *, keeps_alive: bool) -> None:
        self._connection = connection
        self._request = request
        self._keeps_alive = keeps_alive
        self.awaits_continue = False
        self._head: bytes | None = None
        self._is_head_sent = False
        self._is_chunked = False
        self._left_bytes: int | None = None

    def next_piece(self) -> bytes:
        """Return the next piece of the body, b"" at its end."""
        if self.awaits_continue:
            self.awaits_continue = False
            if not self._request.body and not self._request.is_complete:
                self._connection.send(CONTINUE)
        while not self._request.body:
            if self._request.is_complete:
                return b""
            try:
                is_open = self._connection.receive(self._connection.limits.progress_timeout_seconds)
            except TimeoutError:
                raise BodyCutOffError("the body stopped arriving") from None
            if not is_open:
                raise BodyCutOffError("the client closed before its body was complete")
        return self._request.body.popleft()

    def run(self, app: WsgiApp, base: dict[str, Any]) -> bool:
        """Call the application and send its answer; return whether the connection may go on."""
        answer: Iterable[bytes] = ()
        try:
            answer = app(self._environ(base), self._start)
            for chunk in answer:
                if chunk:
                    self._write(chunk)
            self._finish()
        except (BodyCutOffError, BadRequestError):
            self._keeps_alive = False
        except OSError:
            self._keeps_alive = False
        except Exception:
            logger.exception("the application failed")
            self._keeps_alive = False
            self._answer_failure()
        finally:
            close = getattr(answer, "close", None)
            if close is not None:
                close()
        return self._keeps_alive

    def _environ(self, base: dict[str, Any]) -> dict[str, Any]:
        request = self._request
        target = request.target.decode("latin-1")
        path, _, query = target.partition("?")
        if not path.startswith("/") and "://" in path:
            path = "/" + path.partition("://")[2].partition("/")[2]
        environ = {
            **base,
            "REQUEST_METHOD": request.method.decode("latin-1"),
            "RAW_URI": target,
            "REQUEST_URI": target,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_PROTOCOL": f"HTTP/{request.version}",
            "REMOTE_ADDR": self._connection.peer[0],
            "REMOTE_PORT": str(self._connection.peer[1]),
            "wsgi.input": BodyReader(self),
        }
        for name, value in request.headers:
            _add_header(environ, name.decode("latin-1"), value.decode("latin-1"))
        if environ.get("HTTP_EXPECT", "").lower() == "100-continue":
            self.awaits_continue = request.version != "1.0"
        return environ

    def _start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        if exc_info is not None and self._is_head_sent:
            raise exc_info[1].with_traceback(exc_info[2])
        names = {name.lower(): value for name, value in headers}
        code = int(status[:3])
        has_body = self._request.method != b"HEAD" and code not in (204, 304) and code >= 200
        if not has_body:
            self._left_bytes = 0
        elif "content-length" in names:
            self._left_bytes = int(names["content-length"])
        elif self._request.version == "1.0":
            self._keeps_alive = False
        else:
            self._is_chunked = True
        if names.get("connection", "").lower() == "close":
            self._keeps_alive = False
        if self.awaits_continue:
            # The client still holds its body back; it must not take the next request for it.
            self._keeps_alive = False
        lines = [f"HTTP/1.1 {status}"]
        for name, value in headers:
            if "\r" in value or "\n" in value or name.lower() == "connection":
                continue
            lines.append(f"{name}: {value}")
        lines.append(f"Date: {_http_date()}")
        if self._is_chunked:
            lines.append("Transfer-Encoding: chunked")
        lines.append("Connection: " + ("keep-alive" if self._keeps_alive else "close"))
        self._head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        return self._write

    def _write(self, chunk: bytes) -> None:
        if self._left_bytes is not None:
            chunk = chunk[: self._left_bytes]
            self._left_bytes -= len(chunk)
        elif self._is_chunked:
            chunk = b"%x\r\n" % len(chunk) + chunk + b"\r\n"
        self._send(chunk)

    def _send(self, data: bytes) -> None:
        if not self._is_head_sent:
            assert self._head is not None
            self._is_head_sent = True
            if len(data) > SMALL_BYTES:
                self._connection.send(self._head)
            else:
                data = self._head + data
        if data:
            self._connection.send(data)

    def _finish(self) -> None:
        if self._head is None:
            raise RuntimeError("the application gave no status")
        self._send(b"0\r\n\r\n" if self._is_chunked else b"")
        if self._left_bytes:
            # Less came than was announced: only closing tells the client.
            self._keeps_alive = False

    def _answer_failure(self) -> None:
        if self._is_head_sent:
            return
        self._left_bytes, self._is_chunked = None, False
        self._start("500 Internal Server Error", [("Content-Length", "0")])
        try:
            self._send(b"")
        except OSError:
            logger.debug("the client left", exc_info=True)


def _add_header(environ: dict[str, Any], name: str, value: str) -> None:
    if "_" in name:
        # `X_A` and `X-A` would share a key; only one of them can have been meant.
        return
    key = name.upper().replace("-", "_")
    if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        key = f"HTTP_{key}"
    value = value.strip()
    environ[key] = f"{environ[key]},{value}" if key in environ else value


_date: tuple[int, str] = (0, "")


def _http_date() -> str:
    global _date
    second = int(clock.now())
    if _date[0] != second:
        _date = (second, formatdate(second, usegmt=True))
    return _date[1]
