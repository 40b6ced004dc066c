"""One request and its answer: the WSGI environment, the body, and what is sent back.

Header values keep their bytes (latin-1), the request target is passed on as sent, a body that
ends early is an error and not a short read, and `100 Continue` is sent when the application first
asks for the body, so that it can refuse a request without receiving it.
"""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from email.utils import formatdate
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from rs3gw.common import clock
from rs3gw.server.file_slice import FileSlice, file_wrapper
from rs3gw.server.protocol import ClientGoneError, Request, ServerLimits, WsgiApp

logger = logging.getLogger(__name__)
COALESCE_BYTES_MAX = 64 * 1024
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
FAILURE = b"500 Internal Server Error\n"
KNOWN_NAMES_MAX = 1000
# Headers whose names hold an underscore, by lower-case name: they have no key of their own.
UNDERSCORED = "rs3gw.underscored_headers"
# The server frames answers; what an application says of it is left out.
OUR_HEADERS = frozenset({"connection", "transfer-encoding", "keep-alive", "server", "date"})


class Client(Protocol):
    """The connection that an exchange talks through."""

    peer: tuple[str, int]
    limits: ServerLimits

    def receive_body(self, request: Request) -> None:
        """Wait for more of a request's body."""

    def send(self, data: bytes, *, more: bool = False) -> None:
        """Send all of `data`."""

    def send_file(self, part: FileSlice, length: int) -> None:
        """Send the first `length` bytes of a part of a file."""


class BodyReader:
    """`wsgi.input`: the body of one request, as it arrives."""

    def __init__(self, next_piece: Callable[[], bytes]) -> None:
        self._next_piece = next_piece
        self._rest = b""

    def read(self, size: int | None = -1) -> bytes:
        """Return `size` bytes, fewer only at the end of the body; all of it when negative.

        Raises:
            BodyCutOffError: The body ended before it was complete.
        """
        wanted = sys.maxsize if size is None or size < 0 else size
        pieces: list[bytes] = []
        while wanted > 0 and (piece := self._rest or self._next_piece()):
            self._rest = piece[wanted:]
            pieces.append(piece[:wanted] if self._rest else piece)
            wanted -= len(pieces[-1])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def readline(self, size: int | None = -1) -> bytes:
        """Return one line with its end, `size` bytes of it at most."""
        limit = sys.maxsize if size is None or size < 0 else size
        pieces: list[bytes] = []
        while limit > 0 and (piece := self._rest or self._next_piece()):
            end = piece.find(b"\n", 0, limit) + 1
            cut = end or min(limit, len(piece))
            self._rest = piece[cut:]
            pieces.append(piece[:cut])
            limit -= cut
            if end:
                break
        return b"".join(pieces)

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        """Return all lines that are left, or so many that they hold `hint` bytes."""
        lines: list[bytes] = []
        limit = sys.maxsize if hint is None or hint <= 0 else hint
        for line in self:
            lines.append(line)
            limit -= len(line)
            if limit <= 0:
                break
        return lines

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")


class Exchange:
    """One request and its answer."""

    def __init__(self, client: Client, request: Request, *, keeps_alive: bool) -> None:
        self._client = client
        self._request = request
        self._keeps_alive = keeps_alive
        self._awaits_continue = False
        self._status = ""
        self._headers: list[tuple[str, str]] = []
        self._is_head_sent = False
        self._is_chunked = False
        self._left_bytes: int | None = None

    # --- the request ---------------------------------------------------------------------------

    def next_piece(self) -> bytes:
        """Return the next piece of the body, b"" at its end."""
        request = self._request
        while not request.body:
            if request.is_complete:
                return b""
            if self._awaits_continue:
                self._awaits_continue = False
                self._client.send(CONTINUE)
            self._client.receive_body(request)
        self._awaits_continue = False
        return request.body.popleft()

    def _environ(self, base: dict[str, Any]) -> dict[str, Any]:
        request = self._request
        target = request.target.decode("latin-1")
        path, _, query = _path_of(target).partition("?")
        environ = {
            **base,
            "REQUEST_METHOD": request.method.decode("latin-1"),
            "RAW_URI": target,
            "REQUEST_URI": target,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1") if "%" in path else path,
            "QUERY_STRING": query,
            "SERVER_PROTOCOL": f"HTTP/{request.version}",
            "REMOTE_ADDR": self._client.peer[0],
            "REMOTE_PORT": str(self._client.peer[1]),
            "wsgi.input": BodyReader(self.next_piece),
        }
        for name, value in request.headers:
            key = _known_names.get(name) or _environ_name(name)
            text = value.strip().decode("latin-1")
            if not key:
                underscored = environ.setdefault(UNDERSCORED, {})
                lowered = name.decode("latin-1").lower()
                known = underscored.get(lowered)
                underscored[lowered] = text if known is None else f"{known},{text}"
                continue
            if key in environ:
                text = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}"
            environ[key] = text
        if "HTTP_EXPECT" in environ and not request.is_complete and request.version == "1.1":
            # Amazon ignores other expectations instead of answering 417, and clients rely on it.
            self._awaits_continue = "100-continue" in environ["HTTP_EXPECT"].lower()
        return environ

    # --- the answer ----------------------------------------------------------------------------

    def run(self, app: WsgiApp, base: dict[str, Any], is_stopping: Callable[[], bool]) -> bool:
        """Call the application and send its answer; return whether the connection may go on."""
        answer: Iterable[bytes] = ()
        try:
            answer = app(self._environ(base), self._start)
            self._keeps_alive = self._keeps_alive and not is_stopping()
            self._send_answer(answer)
        except ClientGoneError:
            self._keeps_alive = False
        except Exception:
            logger.exception("the application failed")
            self._answer_failure()
        finally:
            self._end(answer)
        return self._keeps_alive

    def _end(self, answer: Iterable[bytes]) -> None:
        close = getattr(answer, "close", None)
        if close is None:
            return
        try:
            close()
        except Exception:
            logger.exception("closing an answer failed")

    def _start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """`start_response` of PEP 3333."""
        if exc_info is not None:
            if self._is_head_sent:
                raise exc_info[1].with_traceback(exc_info[2])
        elif self._status:
            raise AssertionError("start_response was called twice")
        self._status, self._headers = status, headers
        return self._write

    def _send_answer(self, answer: Iterable[bytes]) -> None:
        part = getattr(answer, "file_slice", answer)
        if isinstance(part, FileSlice):
            self._send_file(part)
            return
        only_length = None
        if isinstance(answer, list | tuple) and len(answer) <= 1:
            only_length = len(answer[0]) if answer else 0
        for chunk in answer:
            if chunk:
                self._write(chunk, only_length)
        if not self._is_head_sent:
            self._send(self._compose(only_length), b"")
        if self._is_chunked:
            self._client.send(b"0\r\n\r\n")
        elif self._left_bytes:
            logger.error("an answer was %d bytes shorter than announced", self._left_bytes)
            self._keeps_alive = False

    def _send_file(self, part: FileSlice) -> None:
        head = self._compose(part.length)
        length = part.length if self._left_bytes is None else min(part.length, self._left_bytes)
        if self._is_chunked or not length:
            self._send(head, b"")
            return
        self._client.send(head, more=True)
        self._client.send_file(part, length)
        if self._left_bytes is not None and self._left_bytes > length:
            self._keeps_alive = False

    def _write(self, chunk: bytes, only_length: int | None = None) -> None:
        head = b"" if self._is_head_sent else self._compose(only_length)
        if self._left_bytes is not None:
            if len(chunk) > self._left_bytes:
                chunk = chunk[: self._left_bytes]
            self._left_bytes -= len(chunk)
        elif self._is_chunked:
            chunk = b"%x\r\n%b\r\n" % (len(chunk), chunk)
        self._send(head, chunk)

    def _send(self, head: bytes, data: bytes) -> None:
        if head and len(data) <= COALESCE_BYTES_MAX:
            self._client.send(head + data)
            return
        if head:
            self._client.send(head, more=True)
        if data:
            self._client.send(data)

    def _compose(self, length: int | None) -> bytes:
        """Return the answer's head; `length` is the body's where it is known without a header."""
        if not self._status:
            raise AssertionError("the application gave no status")
        lines = [f"HTTP/1.1 {self._status}"]
        declared: int | None = None
        for name, value in self._headers:
            lowered = name.lower()
            if lowered == "content-length":
                declared = int(value)
            elif lowered == "connection":
                self._keeps_alive = self._keeps_alive and value.lower() != "close"
            elif lowered not in OUR_HEADERS and not _breaks_line(name + value):
                lines.append(f"{name}: {value}")
        self._frame(lines, declared, length)
        lines.append(_server_and_date())
        if not self._keeps_alive or self._has_much_to_come():
            self._keeps_alive = False
            lines.append("Connection: close")
        elif self._request.version == "1.0":
            lines.append("Connection: keep-alive")
        self._is_head_sent = True
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def _frame(self, lines: list[str], declared: int | None, length: int | None) -> None:
        """Choose how the client learns where the body ends."""
        code = int(self._status[:3])
        if code < 200 or code == 204:
            self._left_bytes = 0
            return
        has_body = self._request.method != b"HEAD" and code != 304
        if declared is None and length is not None and has_body:
            declared = length
        if declared is not None:
            lines.append(f"Content-Length: {declared}")
        if not has_body:
            self._left_bytes = 0
        elif declared is not None:
            self._left_bytes = declared
        elif self._request.version == "1.0":
            self._keeps_alive = False
        else:
            self._is_chunked = True
            lines.append("Transfer-Encoding: chunked")

    def _has_much_to_come(self) -> bool:
        """Whether more of the body is outstanding than is read for the connection's sake."""
        request = self._request
        if request.is_complete:
            return False
        if self._awaits_continue:
            # The client holds its body back; it must not take the next request for it.
            return True
        if request.content_length is None:
            return False
        left_bytes = request.content_length - request.body_bytes
        return left_bytes > self._client.limits.drain_bytes_max

    def _answer_failure(self) -> None:
        self._keeps_alive = False
        if self._is_head_sent:
            return
        self._status = "500 Internal Server Error"
        self._headers = [("Content-Type", "text/plain")]
        try:
            self._write(FAILURE, len(FAILURE))
        except ClientGoneError:
            logger.debug("the client left", exc_info=True)


def base_environ(scheme: str, host: str, port: int, errors: Any) -> dict[str, Any]:
    """Return what the environments of all requests of a port have in common."""
    return {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.errors": errors,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": file_wrapper,
        "rs3gw.file_slice": FileSlice,
        "SCRIPT_NAME": "",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
    }


def _path_of(target: str) -> str:
    """Return the path and query of a target, which may be a whole URL."""
    if target.startswith("/") or "://" not in target:
        return target
    authority_and_path = target.partition("://")[2]
    authority, slash, path = authority_and_path.partition("/")
    if slash and "?" not in authority:
        return "/" + path
    return "/" + authority_and_path[len(authority_and_path.partition("?")[0]) :]


_known_names: dict[bytes, str] = {}


def _environ_name(name: bytes) -> str:
    """Return a header's name in the environment; "" for one that could be taken for another."""
    text = name.decode("latin-1")
    # `X_A` and `X-A` would share a key; only one of them can have been meant.
    key = "" if "_" in text else text.upper().replace("-", "_")
    if key and key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        key = f"HTTP_{key}"
    if len(_known_names) < KNOWN_NAMES_MAX:
        _known_names[name] = key
    return key


def _breaks_line(text: str) -> bool:
    return "\r" in text or "\n" in text or "\0" in text


_stamp: tuple[int, str] = (0, "")


def _server_and_date() -> str:
    global _stamp
    second = int(clock.now())
    if _stamp[0] != second:
        _stamp = (second, f"Server: rs3gw\r\nDate: {formatdate(second, usegmt=True)}")
    return _stamp[1]
