"""A client that sends bytes and reads answers, and a server of its own for each test."""

import contextlib
import queue
import socket
import time
from dataclasses import dataclass, field

from rs3gw.server.http import HttpServer, ListenerConfig
from rs3gw.server.protocol import ServerLimits

PATIENCE_SECONDS = 10


def wait_until(condition, what, seconds=PATIENCE_SECONDS):
    """Wait until `condition()` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.005)


@dataclass
class Answer:
    """One answer as it was received."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw_head: bytes = field(repr=False, default=b"")


class Client:
    """One connection."""

    def __init__(self, port, host="127.0.0.1", *, tls=None, session=None):
        self.socket = socket.create_connection((host, port), timeout=PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=host, session=session)
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *pieces):
        """Send bytes."""
        for piece in pieces:
            self.socket.sendall(piece)

    def ask(self, *pieces, method=b"GET"):
        """Send a request and return its answer."""
        self.send(*pieces)
        return self.answer(method)

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError(self._buffer)
        self._buffer += data

    def _until(self, mark):
        while mark not in self._buffer:
            self._more()
        piece, _, self._buffer = self._buffer.partition(mark)
        return piece

    def _exactly(self, size):
        piece, self._buffer = bytearray(self._buffer[:size]), self._buffer[size:]
        while len(piece) < size:
            data = self.socket.recv(min(65536, size - len(piece)))
            if not data:
                raise EOFError(piece)
            piece += data
        return bytes(piece)

    def _chunks(self):
        body = b""
        while size := int(self._until(b"\r\n"), 16):
            body += self._exactly(size)
            assert self._exactly(2) == b"\r\n"
        assert self._exactly(2) == b"\r\n"
        return body

    def answer(self, method=b"GET"):
        """Return the next answer."""
        head = self._until(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = [line.split(": ", 1) for line in lines]
        assert len(pairs) == len({name.lower() for name, _ in pairs}), head
        headers = {name.lower(): value for name, value in pairs}
        status = int(first.split()[1])
        if method == b"HEAD" or status in (100, 204, 304):
            body = b""
        elif "content-length" in headers:
            body = self._exactly(int(headers["content-length"]))
        elif headers.get("transfer-encoding") == "chunked":
            body = self._chunks()
        else:
            body = self.rest()
        return Answer(status, headers, body, head)

    def rest(self):
        """Return everything until the server closes."""
        with contextlib.suppress(EOFError):
            while True:
                self._more()
        body, self._buffer = self._buffer, b""
        return body

    def is_closed(self):
        """Wait for the end of the connection; it holds nothing more."""
        try:
            return self.rest() == b""
        except ConnectionResetError:
            return True


class Recorder:
    """A WSGI application that notes its environments and what it read, and answers `ok`."""

    def __init__(self, body=b"ok", *, reads=True):
        self.environs = queue.Queue()
        self.bodies = queue.Queue()
        self._body = body
        self._reads = reads

    def __call__(self, environ, start_response):
        self.environs.put(environ)
        if self._reads:
            try:
                self.bodies.put(environ["wsgi.input"].read())
            except Exception as error:
                self.bodies.put(error)
                raise
        start_response("200 OK", [("Content-Length", str(len(self._body)))])
        return [self._body]

    def environ(self):
        """Return the next environment."""
        return self.environs.get(timeout=PATIENCE_SECONDS)

    def body(self):
        """Return the next body, or the error that its reading ended with."""
        return self.bodies.get(timeout=PATIENCE_SECONDS)


class Servers:
    """Starts servers; the fixture stops them."""

    def __init__(self):
        self._running = []

    def start(self, app, *, threads=4, host="127.0.0.1", certificate=None, **options):
        """Serve an application; return its listener. Other options are limits."""
        on_thread_end = options.pop("on_thread_end", lambda: None)
        admission = options.pop("admission", None)
        config = ListenerConfig(
            host=host,
            port=0,
            app=app,
            threads=threads,
            name="test",
            limits=ServerLimits(**options),
            certificate=certificate,
            admission=admission,
            on_thread_end=on_thread_end,
        )
        server = HttpServer([config])
        server.start()
        self._running.append(server)
        return server.listeners[0]

    def stop(self):
        """Stop everything."""
        for server in self._running:
            server.stop(0)
