"""One request and its answer: the WSGI environment, the body, and what is sent back.

Header values keep their bytes (latin-1), the request target is passed on as sent, a body that
ends early is an error and not a short read, and `100 Continue` is sent when the application first
asks for the body, so that it can refuse a request without receiving it.
"""

import io
import logging
import sys
from collections.abc import Callable, Iterable
from email.utils import formatdate
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from rs3gw.common import clock
from rs3gw.server.protocol import (
    BadRequestError,
    BodyCutOffError,
    Request,
    ServerLimits,
    WsgiApp,
)

logger = logging.getLogger(__name__)
SMALL_BYTES = 64 * 1024
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Client(Protocol):
    """The connection that an exchange talks through."""

    peer: tuple[str, int]
    limits: ServerLimits

    def receive(self, timeout_seconds: float) -> bool:
        """Read and parse what has arrived; return False when the client has closed."""

    def send(self, data: bytes) -> None:
        """Send all of `data`."""


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

    def __init__(
        self, connection: Client, request: Request, is_stopping: Callable[[], bool]
    ) -> None:
        self._connection = connection
        self._request = request
        self._keeps_alive = request.keeps_alive
        self._is_stopping = is_stopping
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
        if names.get("connection", "").lower() == "close" or self._is_stopping():
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
