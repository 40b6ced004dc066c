"""Bytes in, requests out: `httptools` (llhttp) with what HTTP demands beyond its grammar.

llhttp refuses what smuggles requests: two lengths, a length beside a transfer coding, folded
headers, bare line feeds, control characters. Added here: size limits, exactly one Host, versions
1.0 and 1.1 only, no coding but chunked, and an offer to upgrade is ignored instead of obeyed.
Requests before a malformed one stay good: `failure` concerns what follows them.
"""

from collections import deque
from typing import Any

import httptools

from rs3gw.server.protocol import BadRequestError, Request, ServerLimits

# A parser that met an offer to upgrade takes the body for the new protocol; another one that is
# shown this head instead reads it as the body that it is.
_LENGTH_HEAD = b"PUT / HTTP/1.1\r\nContent-Length: %d\r\n\r\n"
_CHUNKED_HEAD = b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


class RequestParser:
    """Parses one connection's bytes.

    Attributes:
        requests: Parsed requests, oldest first; the last one may be incomplete.
        failure: Why the bytes after these requests cannot be parsed; None while they can.
    """

    def __init__(self, limits: ServerLimits) -> None:
        self.requests: deque[Request] = deque()
        self.failure: BadRequestError | None = None
        self._limits = limits
        self._events = _Events(self.requests, limits)
        self._parser = self._new_parser()

    def _new_parser(self) -> Any:
        parser = httptools.HttpRequestParser(self._events)
        self._events.parser = parser
        return parser

    @property
    def is_inside_head(self) -> bool:
        """Whether a request has begun and its headers are not yet complete."""
        return bool(self.requests) and not self.requests[-1].is_head_complete

    def feed(self, data: bytes | memoryview) -> None:
        """Parse what has arrived; what is wrong with it ends up in `failure`."""
        if self.failure is not None:
            return
        self._events.unheard_bytes += len(data)
        try:
            self._feed(data)
            self._check_progress()
        except BadRequestError as error:
            self.failure = error

    def _feed(self, data: bytes | memoryview) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as error:
            self._ignore_upgrade(bytes(data[error.args[0] :]))
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            raise (cause if isinstance(cause, BadRequestError) else BadRequestError(400)) from None
        except httptools.HttpParserError:
            raise BadRequestError(400) from None

    def _check_progress(self) -> None:
        """Bound what is kept of a head, a trailer or a chunk's header that never ends."""
        if self._events.unheard_bytes > self._limits.head_bytes_max:
            raise BadRequestError(431)

    def _ignore_upgrade(self, rest: bytes) -> None:
        request = self.requests[-1]
        self._parser = self._new_parser()
        if request.content_length != 0:
            request.is_complete = False
            length = request.content_length
            self._events.is_muted = True
            self._feed(_CHUNKED_HEAD if length is None else _LENGTH_HEAD % length)
            self._events.is_muted = False
        if rest:
            self._feed(rest)


class _Events:
    """What llhttp calls. Requests queue up: a client may send several without waiting."""

    def __init__(self, requests: deque[Request], limits: ServerLimits) -> None:
        self.parser: Any = None
        self.is_muted = False
        self.unheard_bytes = 0
        self._requests = requests
        self._limits = limits
        self._head_bytes = 0

    def on_message_begin(self) -> None:
        if not self.is_muted:
            self._requests.append(Request())
            self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        if self.is_muted:
            return
        request = self._requests[-1]
        request.target += url
        if len(request.target) > self._limits.target_bytes_max:
            raise BadRequestError(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.is_muted:
            return
        self.unheard_bytes = 0
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > self._limits.head_bytes_max:
            raise BadRequestError(431)
        request = self._requests[-1]
        if not request.is_head_complete:
            request.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.is_muted:
            return
        self.unheard_bytes = 0
        request = self._requests[-1]
        request.method = self.parser.get_method()
        request.version = self.parser.get_http_version()
        request.keeps_alive = self.parser.should_keep_alive()
        _check_head(request)
        request.is_head_complete = True

    def on_body(self, data: bytes) -> None:
        self.unheard_bytes = 0
        request = self._requests[-1]
        request.body.append(data)
        request.body_bytes += len(data)

    def on_message_complete(self) -> None:
        if not self.is_muted:
            self.unheard_bytes = 0
            self._requests[-1].is_complete = True


def _check_head(request: Request) -> None:
    if request.version not in ("1.0", "1.1"):
        raise BadRequestError(505)
    if request.method == b"CONNECT":
        raise BadRequestError(501)
    hosts = 0
    for name, value in request.headers:
        lowered = name.lower()
        if lowered == b"host":
            hosts += 1
        elif lowered == b"content-length":
            request.content_length = int(value)
        elif lowered == b"transfer-encoding":
            if request.version == "1.0":
                raise BadRequestError(400)
            if value.strip().lower() != b"chunked":
                raise BadRequestError(501)
            request.content_length = None
    if hosts > 1 or (not hosts and request.version == "1.1"):
        raise BadRequestError(400)
