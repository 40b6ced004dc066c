"""A threaded WSGI server for several ports in one process.

Each listener has threads of its own, so that S3 clients and peers cannot starve each other: a
write on one node waits for the cluster port of another. A thread stays with a connection while
requests follow each other quickly; an idle connection waits in a selector and costs no thread.
"""

import contextlib
import logging
import queue
import selectors
import socket
import threading
from dataclasses import dataclass
from typing import Any

from django.db import connections

from rs3gw.common import clock
from rs3gw.server.connection import Connection
from rs3gw.server.protocol import ServerLimits, WsgiApp

logger = logging.getLogger(__name__)
BACKLOG = 1024
SELECT_SECONDS = 5.0
BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerConfig:
    """One port: where it listens, what answers, and how many threads it has."""

    host: str
    port: int
    app: WsgiApp
    threads: int
    name: str
    limits: ServerLimits = ServerLimits()


class Listener:
    """One port of the server."""

    def __init__(self, config: ListenerConfig) -> None:
        self._config = config
        self._socket = socket.create_server(
            (config.host, config.port), backlog=BACKLOG, reuse_port=False
        )
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self._ready: queue.SimpleQueue[Connection | None] = queue.SimpleQueue()
        self._returned: queue.SimpleQueue[Connection] = queue.SimpleQueue()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._open_count = 0
        self._busy_count = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._base = self._base_environ()

    def _base_environ(self) -> dict[str, Any]:
        return {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": _ErrorLog(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "SCRIPT_NAME": "",
            "SERVER_NAME": self._config.host,
            "SERVER_PORT": str(self.port),
        }

    def start(self) -> None:
        """Start the selector and the worker threads."""
        targets = [self._select, *[self._work] * self._config.threads]
        for number, target in enumerate(targets):
            name = f"{self._config.name}-{number}"
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, drain_seconds: float) -> None:
        """Stop accepting, let running requests end for up to `drain_seconds`, and close."""
        self._stopping.set()
        self._wake()
        deadline = clock.monotonic() + drain_seconds
        while self._busy_count and clock.monotonic() < deadline:
            clock.sleep(0.02)
        for _ in range(self._config.threads):
            self._ready.put(None)
        for thread in self._threads:
            thread.join(max(0.1, deadline - clock.monotonic()))

    def _wake(self) -> None:
        # A full socket means that the selector is awake already; a closed one, that it has ended.
        with contextlib.suppress(OSError):
            self._wake_in.send(b"x")

    def _select(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ, "accept")
            selector.register(self._wake_out, selectors.EVENT_READ, "wake")
            idle: dict[int, Connection] = {}
            while not self._stopping.is_set():
                for key, _ in selector.select(SELECT_SECONDS):
                    if key.data == "accept":
                        self._accept(selector, idle)
                    elif key.data == "wake":
                        self._take_back(selector, idle)
                    else:
                        selector.unregister(key.fileobj)
                        idle.pop(key.fd, None)
                        self._ready.put(key.data)
                self._close_stale(selector, idle)
            selector.unregister(self._socket)
            self._socket.close()
            for connection in idle.values():
                connection.close()
            self._wake_in.close()
            self._wake_out.close()

    def _accept(self, selector: selectors.BaseSelector, idle: dict[int, Connection]) -> None:
        while True:
            try:
                sock, peer = self._socket.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                logger.exception("a connection cannot be accepted")
                return
            if self._open_count >= self._config.limits.connections_max:
                sock.settimeout(1.0)
                try:
                    sock.send(BUSY)
                except OSError:
                    logger.debug("a refused client had left", exc_info=True)
                sock.close()
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open_count += 1
            connection = Connection(sock, peer[:2], self._base, self._config.limits)
            selector.register(connection, selectors.EVENT_READ, connection)
            idle[connection.fileno()] = connection

    def _take_back(self, selector: selectors.BaseSelector, idle: dict[int, Connection]) -> None:
        self._wake_out.recv(4096)
        while not self._returned.empty():
            connection = self._returned.get()
            selector.register(connection, selectors.EVENT_READ, connection)
            idle[connection.fileno()] = connection

    def _close_stale(self, selector: selectors.BaseSelector, idle: dict[int, Connection]) -> None:
        limit = clock.monotonic() - self._config.limits.idle_timeout_seconds
        stale = [(fd, c) for fd, c in idle.items() if c.idle_since < limit]
        for fd, connection in stale:
            selector.unregister(connection)
            del idle[fd]
            self._discard(connection)

    def _discard(self, connection: Connection) -> None:
        connection.close()
        with self._lock:
            self._open_count -= 1

    def _work(self) -> None:
        while True:
            connection = self._ready.get()
            if connection is None:
                connections.close_all()
                return
            with self._lock:
                self._busy_count += 1
            try:
                is_kept = connection.serve(self._config.app, self._stopping.is_set)
            except Exception:
                logger.exception("a connection failed")
                is_kept = False
            finally:
                with self._lock:
                    self._busy_count -= 1
            if is_kept and not self._stopping.is_set():
                self._returned.put(connection)
                self._wake()
            else:
                self._discard(connection)


class _ErrorLog:
    """`wsgi.errors`: lines of the log."""

    def write(self, text: str) -> None:
        """Write a line."""
        if text.strip():
            logger.error("%s", text.rstrip())

    def writelines(self, lines: list[str]) -> None:
        """Write lines."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Do nothing: the log is not buffered here."""


class HttpServer:
    """All listeners of a process."""

    def __init__(self, configs: list[ListenerConfig]) -> None:
        self.listeners = [Listener(config) for config in configs]

    def start(self) -> None:
        """Start serving; returns at once."""
        for listener in self.listeners:
            listener.start()

    def stop(self, drain_seconds: float) -> None:
        """Drain and stop every listener."""
        threads = [
            threading.Thread(target=listener.stop, args=(drain_seconds,))
            for listener in self.listeners
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
