"""A threaded WSGI server for several ports in one process.

Each listener has threads of its own, so that S3 clients and peers cannot starve each other: a
write on one node waits for the cluster port of another. A thread stays with a connection while
requests follow each other quickly; a connection that is idle, slow with its head, or closing
waits in a selector and costs no thread.
"""

import logging
import queue
import selectors
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

from rs3gw.common import clock
from rs3gw.server.admission import Admission, Waiter
from rs3gw.server.channel import Channel
from rs3gw.server.connection import Connection, Host, Verdict
from rs3gw.server.exchange import base_environ
from rs3gw.server.protocol import ServerLimits, WsgiApp
from rs3gw.server.tls import Certificate

logger = logging.getLogger(__name__)
BACKLOG = 1024
SWEEP_SECONDS_MAX = 5.0
CLOSING_CONNECTIONS_MAX = 256
ACCEPT_REST_SECONDS = 0.05
POLL_SECONDS = 0.01
JOIN_SECONDS = 1.0
BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n"
)


def _nothing() -> None:
    return


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerConfig:
    """One port: where it listens, what answers, and how many threads it has.

    Attributes:
        certificate: What the port encrypts with; without one, it does not.
        admission: Which requests may run at once; without one, all that find a thread.
        on_thread_end: Called in each thread when it ends, to give back what it holds.
    """

    host: str
    port: int
    app: WsgiApp
    threads: int
    name: str
    limits: ServerLimits = ServerLimits()
    certificate: Certificate | None = None
    admission: Admission | None = None
    on_thread_end: Callable[[], None] = _nothing


def listening_socket(host: str, port: int) -> socket.socket:
    """Return the socket of a port; the one place where sockets are made."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.create_server((host, port), family=family, backlog=BACKLOG)
    sock.setblocking(False)
    return sock


class Listener(Host):
    """One port of the server."""

    def __init__(self, config: ListenerConfig) -> None:
        self._config = config
        self._socket = listening_socket(config.host, config.port)
        self.port: int = self._socket.getsockname()[1]
        self._ready: queue.SimpleQueue[Connection | None] = queue.SimpleQueue()
        self._served: queue.SimpleQueue[tuple[Connection, Verdict]] = queue.SimpleQueue()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._parked: set[Connection] = set()
        self._busy: set[Connection] = set()
        self._closing: set[Connection] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._retiring = threading.Event()
        self._threads: list[threading.Thread] = []
        scheme = "https" if config.certificate else "http"
        self._base = base_environ(scheme, config.host, self.port, _ErrorLog())
        self._new_channel = config.certificate.channel if config.certificate else Channel
        self.admission = config.admission
        limits = config.limits
        shortest = min(
            limits.idle_timeout_seconds, limits.head_timeout_seconds, limits.closing_seconds * 4
        )
        if config.admission is not None:
            shortest = min(shortest, config.admission.config.wait_seconds)
        self._sweep_seconds = min(SWEEP_SECONDS_MAX, max(POLL_SECONDS, shortest / 4))

    def start(self) -> None:
        """Start the selector and the worker threads."""
        targets = [self._select, *[self._work] * self._config.threads]
        for number, target in enumerate(targets):
            name = f"{self._config.name}-{number}"
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def retire(self) -> None:
        """Serve on, but end each connection with its next answer, so that its client leaves."""
        self._retiring.set()

    def stop(self, drain_seconds: float, hurried: threading.Event | None = None) -> None:
        """Stop accepting, let running requests end for up to `drain_seconds`, and close.

        Args:
            drain_seconds: Longest time that running requests get.
            hurried: When it is set, they get no more time.
        """
        hurried = hurried or threading.Event()
        with self._lock:
            if self._stopping.is_set():
                return
            self._stopping.set()
        deadline = clock.monotonic() + drain_seconds
        self._wake()
        self._threads[0].join(drain_seconds + JOIN_SECONDS)
        while self._busy and clock.monotonic() < deadline and not hurried.is_set():
            clock.sleep(POLL_SECONDS)
        with self._lock:
            for connection in self._busy:
                connection.abort()
        for _ in range(self._config.threads):
            self._ready.put(None)
        for thread in self._threads:
            thread.join(JOIN_SECONDS)
        while not self._served.empty():
            self._served.get()[0].close()
        self._wake_in.close()
        self._wake_out.close()

    def is_stopping(self) -> bool:
        """Return whether the server is going down, or about to."""
        return self._stopping.is_set() or self._retiring.is_set()

    def is_contended(self) -> bool:
        """Return whether connections wait for a thread."""
        return not self._ready.empty()

    def leave(self) -> None:
        """Give the place of a request that has run to the one that waited longest."""
        assert self.admission is not None
        self._resume(self.admission.leave())

    def _resume(self, waiter: Waiter | None) -> None:
        if waiter is not None:
            assert isinstance(waiter, Connection)
            self._ready.put(waiter)

    def open_count(self) -> int:
        """Return how many connections are open."""
        with self._lock:
            return len(self._parked) + len(self._busy) + self._served.qsize()

    def _wake(self) -> None:
        try:
            self._wake_in.send(b"x")
        except BlockingIOError:
            logger.debug("the selector is awake already")

    # --- the selector's thread -------------------------------------------------------------

    def _select(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ, self._accept)
            selector.register(self._wake_out, selectors.EVENT_READ, self._take_back)
            sweep_at = clock.monotonic() + self._sweep_seconds
            while not self._stopping.is_set():
                self._turn(selector, max(0.0, sweep_at - clock.monotonic()))
                if clock.monotonic() >= sweep_at:
                    self._sweep(selector)
                    sweep_at = clock.monotonic() + self._sweep_seconds
            # What has arrived by now is still served.
            self._accept(selector)
            selector.unregister(self._socket)
            self._socket.close()
            self._turn(selector, 0)
            for connection in self._parked | self._closing:
                connection.close()

    def _turn(self, selector: selectors.BaseSelector, timeout_seconds: float) -> None:
        for key, _ in selector.select(timeout_seconds):
            connection = key.data
            if not isinstance(connection, Connection):
                connection(selector)
            elif connection in self._closing:
                if not connection.discard_input():
                    self._forget(selector, connection)
            else:
                selector.unregister(connection)
                self._parked.discard(connection)
                self._hand_over(connection)

    def _hand_over(self, connection: Connection) -> None:
        with self._lock:
            self._busy.add(connection)
        self._ready.put(connection)

    def _forget(self, selector: selectors.BaseSelector, connection: Connection) -> None:
        selector.unregister(connection)
        self._parked.discard(connection)
        self._closing.discard(connection)
        connection.close()

    def _accept(self, selector: selectors.BaseSelector) -> None:
        while True:
            try:
                sock, peer = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                # Out of descriptors, mostly; the next attempt may find one.
                logger.exception("a connection cannot be accepted")
                clock.sleep(ACCEPT_REST_SECONDS)
                return
            try:
                limits = self._config.limits
                channel = self._new_channel(sock, limits.progress_timeout_seconds)
                connection = Connection(channel, peer[:2], self._base, limits)
            except OSError:
                sock.close()
                continue
            if self.open_count() >= self._config.limits.connections_max:
                self._dismiss(selector, connection, connection.say_last(BUSY))
            else:
                self._park(selector, connection)

    def _park(self, selector: selectors.BaseSelector, connection: Connection) -> None:
        selector.register(connection, selectors.EVENT_READ, connection)
        self._parked.add(connection)

    def _dismiss(
        self, selector: selectors.BaseSelector, connection: Connection, verdict: Verdict
    ) -> None:
        is_gentle = verdict is Verdict.CLOSE_GENTLY and not self._stopping.is_set()
        if len(self._closing) >= CLOSING_CONNECTIONS_MAX or not is_gentle:
            connection.close()
        elif connection.begin_close():
            selector.register(connection, selectors.EVENT_READ, connection)
            self._closing.add(connection)
        else:
            connection.close()

    def _take_back(self, selector: selectors.BaseSelector) -> None:
        """Take the connections that threads have done with."""
        self._wake_out.recv(4096)
        while not self._served.empty():
            connection, verdict = self._served.get()
            if verdict is Verdict.PARK:
                self._park(selector, connection)
            else:
                self._dismiss(selector, connection, verdict)

    def _sweep(self, selector: selectors.BaseSelector) -> None:
        """Close what has waited for too long."""
        for waiter in self.admission.take_overdue() if self.admission else []:
            self._resume(waiter)
        oldest = clock.monotonic() - self._config.limits.closing_seconds
        for connection in [c for c in self._closing if c.waits_since < oldest]:
            self._forget(selector, connection)
        for connection in [c for c in self._parked if c.is_overdue]:
            selector.unregister(connection)
            self._parked.discard(connection)
            self._dismiss(selector, connection, connection.give_up())

    # --- the worker threads ------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while (connection := self._ready.get()) is not None:
                self._serve(connection)
        finally:
            self._config.on_thread_end()

    def _serve(self, connection: Connection) -> None:
        try:
            verdict = connection.serve(self._config.app, self)
        except Exception:
            logger.exception("a connection failed")
            verdict = Verdict.CLOSE
        if verdict is Verdict.QUEUE and self.admission and self.admission.queue(connection):
            return
        if verdict in (Verdict.AGAIN, Verdict.QUEUE):
            self._ready.put(connection)
            return
        with self._lock:
            self._busy.discard(connection)
            is_over = verdict is Verdict.CLOSE or self._stopping.is_set()
            if not is_over:
                self._served.put((connection, verdict))
        if is_over:
            connection.close()
        else:
            self._wake()


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

    def retire(self) -> None:
        """Let clients leave: see `Listener.retire`."""
        for listener in self.listeners:
            listener.retire()

    def stop(self, drain_seconds: float, hurried: threading.Event | None = None) -> None:
        """Drain and stop every listener; `hurried` cuts it short."""
        threads = [
            threading.Thread(target=listener.stop, args=(drain_seconds, hurried))
            for listener in self.listeners
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
