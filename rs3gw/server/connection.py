"""One HTTP/1.1 connection: bytes are parsed into requests, and each is answered in turn.

`httptools` (llhttp) parses; its strictness is what keeps smuggled requests out.
"""

import logging
import socket
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import httptools

from rs3gw.common import clock
from rs3gw.server.exchange import Exchange
from rs3gw.server.protocol import (
    RECEIVE_BYTES,
    BadRequestError,
    BodyCutOffError,
    Request,
    ServerLimits,
    WsgiApp,
)

logger = logging.getLogger(__name__)
DRAIN_BYTES_MAX = 256 * 1024


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
        exchange = Exchange(self, request, is_stopping)
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

    def _drain(self, request: Request, exchange: Exchange) -> bool:
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
