"""A load generator that costs little: prepared requests over raw sockets, in processes apart.

Every request is made and signed before the clock runs; while it runs, a process only sends bytes
and finds the end of each answer.
"""

import multiprocessing
import resource
import selectors
import socket
import time
from dataclasses import dataclass

PROCESSES = 2
READ_BYTES = 1 << 20
_context = multiprocessing.get_context("fork")


@dataclass(frozen=True, slots=True)
class Load:
    """What the connections send.

    Attributes:
        requests: For each connection, its whole requests in order.
        seconds: How long they repeat; None to send each once.
        has_body: Whether answers have bodies: those to HEAD have none.
    """

    requests: list[list[bytes]]
    seconds: float | None = None
    has_body: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a load.

    Attributes:
        answers: Complete answers.
        failures: Those of them whose status was not 2xx.
        seconds: From the first request to the last answer.
        client_seconds: Processor time of the generator.
    """

    answers: int
    failures: int
    seconds: float
    client_seconds: float

    @property
    def per_second(self):
        """Answers a second."""
        return self.answers / self.seconds


class _Connection:
    """One keep-alive connection; it is opened again when the server closes it."""

    def __init__(self, port, requests, *, repeats, has_body):
        self._port, self._requests = port, requests
        self._repeats, self._has_body = repeats, has_body
        self._next = 0
        self.answers = self.failures = 0
        self.sock = None
        self._buffer = bytearray()
        self._left = self._unsent = None

    def begin(self):
        """Send the next request; return False when there is none."""
        if self._next >= len(self._requests):
            if not self._repeats:
                return False
            self._next = 0
        if self.sock is None:
            self.sock = socket.create_connection(("127.0.0.1", self._port))
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock.setblocking(False)
        self._unsent = memoryview(self._requests[self._next])
        self._next += 1
        self._buffer.clear()
        self._left = None
        self.write()
        return True

    def write(self):
        """Send what the kernel takes; return whether all is sent."""
        try:
            while self._unsent:
                self._unsent = self._unsent[self.sock.send(self._unsent) :]
        except BlockingIOError:
            return False
        return True

    def read(self, scratch):
        """Take what arrived; return whether the answer is complete."""
        try:
            size = self.sock.recv_into(scratch)
        except BlockingIOError:
            return False
        if size == 0:
            return self._ended()
        if self._left is not None:
            self._left -= size
            return self._left <= 0 and self._finish()
        self._buffer += scratch[:size]
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        self._left = self._length(bytes(self._buffer[:end]).lower())
        self._left -= len(self._buffer) - end - 4
        return self._left <= 0 and self._finish()

    def _length(self, head):
        status = head[9:12]
        self._is_good = status[:1] == b"2"
        self._closes = head.startswith(b"http/1.0") or b"\r\nconnection: close" in head
        if not self._has_body or status in (b"204", b"304"):
            return 0
        marker = head.find(b"\r\ncontent-length:")
        assert marker >= 0, f"an answer without a length: {head!r}"
        return int(head[marker + 17 :].split(b"\r\n", 1)[0])

    def _finish(self):
        self.answers += 1
        self.failures += not self._is_good
        return True

    def _ended(self):
        raise AssertionError(f"closed in the middle of an answer: {bytes(self._buffer[:200])!r}")

    def close_if_asked(self, selector):
        """Close the connection when the answer said so; the next request opens another."""
        if self._closes:
            selector.unregister(self.sock)
            self.sock.close()
            self.sock = None


def _drive(port, load, start, results):
    connections = [
        _Connection(port, requests, repeats=load.seconds is not None, has_body=load.has_body)
        for requests in load.requests
    ]
    scratch = memoryview(bytearray(READ_BYTES))
    start.wait()
    began = time.monotonic()
    deadline = began + (load.seconds or 600)
    selector = selectors.EpollSelector()
    both = selectors.EVENT_READ | selectors.EVENT_WRITE
    for connection in connections:
        connection.begin()
        selector.register(connection.sock, both if connection._unsent else 1, connection)
    open_count = len(connections)
    while open_count:
        for key, events in selector.select(30):
            connection = key.data
            if events & selectors.EVENT_WRITE and connection.write():
                selector.modify(connection.sock, selectors.EVENT_READ, connection)
            if not events & selectors.EVENT_READ or not connection.read(scratch):
                continue
            connection.close_if_asked(selector)
            was_open = connection.sock is not None
            if time.monotonic() >= deadline or not connection.begin():
                open_count -= 1
                if was_open:
                    selector.unregister(connection.sock)
            elif not was_open:
                selector.register(connection.sock, both if connection._unsent else 1, connection)
            elif connection._unsent:
                selector.modify(connection.sock, both, connection)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    results.put(
        (
            sum(connection.answers for connection in connections),
            sum(connection.failures for connection in connections),
            began,
            time.monotonic(),
            usage.ru_utime + usage.ru_stime,
        )
    )


def run(port, load):
    """Send a load from `PROCESSES` processes and return what came of it."""
    start, results = _context.Event(), _context.SimpleQueue()
    count = min(PROCESSES, len(load.requests))
    processes = []
    for index in range(count):
        part = Load(load.requests[index::count], load.seconds, load.has_body)
        process = _context.Process(target=_drive, args=(port, part, start, results), daemon=True)
        process.start()
        processes.append(process)
    start.set()
    answers, failures, began, ended, spent = zip(*(results.get() for _ in processes), strict=True)
    for process in processes:
        process.join()
    return Result(sum(answers), sum(failures), max(ended) - min(began), sum(spent))
