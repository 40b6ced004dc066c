"""Threads, limits and the end of a server, over real sockets."""

import contextlib
import socket
import threading
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from rs3gw.server.http import HttpServer, ListenerConfig
from tests.integration.server.raw import PATIENCE_SECONDS, Client, Recorder, Servers, wait_until

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"


class Gate:
    """An application that waits until the test lets it go on."""

    def __init__(self):
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()

    def __call__(self, environ, start_response):
        self.entered.release()
        assert self.opened.wait(PATIENCE_SECONDS)
        start_response("200 OK", [])
        return [b"done"]


def test_busy_clients_do_not_starve_the_others(servers):
    listener = servers.start(Recorder(), threads=2)
    ending = threading.Event()

    def hammer():
        with Client(listener.port) as client:
            while not ending.is_set():
                client.ask(GET)

    threads = [threading.Thread(target=hammer) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            with Client(listener.port) as client:
                started = time.monotonic()
                assert client.ask(GET).status == 200
                assert time.monotonic() - started < 5
    finally:
        ending.set()
        for thread in threads:
            thread.join()


def test_idle_connections_cost_no_thread(servers):
    listener = servers.start(Recorder(), threads=1)
    idle = [Client(listener.port) for _ in range(50)]
    for client in idle:
        assert client.ask(GET).status == 200
    for client in idle:
        assert client.ask(GET).status == 200
        client.socket.close()


def test_one_port_cannot_starve_the_other():
    gate, peers = Gate(), Recorder()
    configs = [
        ListenerConfig(host="127.0.0.1", port=0, app=app, threads=2, name=name)
        for name, app in (("s3", gate), ("cluster", peers))
    ]
    server = HttpServer(configs)
    server.start()
    s3, cluster = server.listeners
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(Client(s3.port)) for _ in range(4)]
        for client in waiting:
            client.send(GET)
        for _ in range(2):
            assert gate.entered.acquire(timeout=PATIENCE_SECONDS)
        assert stack.enter_context(Client(cluster.port)).ask(GET).status == 200
        gate.opened.set()
        assert [client.answer().body for client in waiting] == [b"done"] * 4
    server.stop(1)


def test_a_connection_too_many_is_told_to_come_back(servers):
    listener = servers.start(Recorder(), connections_max=3)
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            assert stack.enter_context(Client(listener.port)).ask(GET).status == 200
        refused = stack.enter_context(Client(listener.port))
        refused.send(GET)
        answer = refused.answer()
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert refused.is_closed()
    wait_until(lambda: listener.open_count() == 0, "the connections are forgotten")
    with Client(listener.port) as client:
        assert client.ask(GET).status == 200


def test_a_running_request_ends_before_the_server_does(servers):
    gate = Gate()
    listener = servers.start(gate)
    with Client(listener.port) as client, Client(listener.port) as idle:
        client.send(GET)
        assert gate.entered.acquire(timeout=PATIENCE_SECONDS)
        stopping = threading.Thread(target=listener.stop, args=(PATIENCE_SECONDS,))
        stopping.start()
        assert idle.is_closed()
        with (
            contextlib.suppress(ConnectionError),
            socket.create_connection(("127.0.0.1", listener.port)),
        ):
            raise AssertionError("a stopping server took a connection")
        assert stopping.is_alive()
        gate.opened.set()
        answer = client.answer()
        assert (answer.body, answer.headers["connection"]) == (b"done", "close")
        stopping.join(PATIENCE_SECONDS)
        assert not stopping.is_alive()


def test_a_request_that_does_not_end_does_not_hold_up_the_server(servers):
    app = Recorder()
    listener = servers.start(app)
    with Client(listener.port) as client:
        client.send(b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        app.environ()
        started = time.monotonic()
        listener.stop(0.1)
        assert time.monotonic() - started < 5
        assert client.is_closed()
        assert isinstance(app.body(), ConnectionError)


def test_threads_give_back_what_they_hold(servers):
    ended = threading.Semaphore(0)
    listener = servers.start(Recorder(), threads=3, on_thread_end=ended.release)
    listener.stop(1)
    for _ in range(3):
        assert ended.acquire(timeout=PATIENCE_SECONDS)


PIECES = st.sampled_from(
    [
        GET,
        b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
        b"PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"PUT /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
        b"HEAD /%zz?\xff HTTP/1.0\r\n",
        b"abc",
        b"3\r\nabc\r\n0\r\n\r\n",
        b"\r\n",
        b"\x00",
    ]
)
HOSTILE = st.lists(st.one_of(PIECES, st.binary(max_size=40)), min_size=1, max_size=12)


def test_no_bytes_hang_or_crash_the_server(caplog):
    started = Servers()
    listener = started.start(
        Recorder(), threads=2, head_timeout_seconds=0.2, progress_timeout_seconds=0.2
    )

    @settings(max_examples=150, deadline=None)
    @given(pieces=HOSTILE)
    def attack(pieces):
        with Client(listener.port) as hostile, contextlib.suppress(ConnectionError):
            hostile.send(*pieces)
            hostile.socket.shutdown(socket.SHUT_WR)
            hostile.rest()
        with Client(listener.port) as client:
            assert client.ask(GET).status == 200

    try:
        attack()
        wait_until(lambda: listener.open_count() == 0, "every connection is forgotten")
        assert "a connection failed" not in caplog.text
    finally:
        started.stop()
