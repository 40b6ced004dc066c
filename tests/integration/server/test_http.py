"""The HTTP server over real sockets: what clients send, what applications see, what comes back."""

import contextlib
import socket
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rs3gw.server.http import HttpServer, ListenerConfig
from rs3gw.server.protocol import BodyCutOffError, ServerLimits
from tests.servers import wait_until

LIMITS = ServerLimits(
    connections_max=20,
    head_timeout_seconds=1.0,
    progress_timeout_seconds=1.0,
    idle_timeout_seconds=30.0,
)


class App:
    """An application that tells what it was given."""

    def __init__(self):
        self.cut_off = threading.Event()
        self.closed = threading.Event()
        self.release = threading.Event()

    def __call__(self, environ, start_response):
        handler = getattr(self, environ["PATH_INFO"].strip("/").partition("/")[0] or "echo")
        return handler(environ, start_response)

    def echo(self, environ, start_response):
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    def head(self, environ, start_response):
        lines = [f"{key}={environ[key]}" for key in sorted(environ) if key.isupper()]
        body = "\n".join(lines).encode("latin-1")
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    def refuse(self, environ, start_response):
        start_response("403 Forbidden", [("Content-Length", "2")])
        return [b"no"]

    def stream(self, environ, start_response):
        start_response("200 OK", [])
        return self._pieces()

    def _pieces(self):
        try:
            for _ in range(3):
                yield b"piece;"
        finally:
            self.closed.set()

    def cut(self, environ, start_response):
        try:
            environ["wsgi.input"].read()
        except BodyCutOffError:
            self.cut_off.set()
            raise
        start_response("200 OK", [("Content-Length", "0")])
        return []

    def crash(self, environ, start_response):
        raise RuntimeError("on purpose")

    def wait(self, environ, start_response):
        self.release.wait(10)
        start_response("200 OK", [("Content-Length", "4")])
        return [b"done"]


@pytest.fixture(scope="module")
def app():
    return App()


@pytest.fixture(scope="module")
def server(app):
    configs = [
        ListenerConfig(host="127.0.0.1", port=0, app=app, threads=4, name=name, limits=LIMITS)
        for name in ("a", "b")
    ]
    server = HttpServer(configs)
    server.start()
    yield server
    app.release.set()
    server.stop(1.0)


def connect(server, listener=0):
    sock = socket.create_connection(("127.0.0.1", server.listeners[listener].port), timeout=5)
    sock.settimeout(5)
    return sock


def receive_all(sock):
    data = b""
    while chunk := sock.recv(65536):
        data += chunk
    return data


def ask(server, request):
    """Return the whole answer to one request, on a connection of its own."""
    with connect(server) as sock:
        sock.sendall(request)
        sock.shutdown(socket.SHUT_WR)
        return receive_all(sock)


def body_of(answer):
    return answer.partition(b"\r\n\r\n")[2]


def test_a_body_comes_back(server):
    answer = ask(server, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body_of(answer) == b"hello"


def test_a_chunked_body_comes_back(server):
    request = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = ask(server, request + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert body_of(answer) == b"abcde"


def test_the_application_sees_the_request_as_it_was_sent(server):
    answer = ask(
        server,
        b"GET /head/a%2Fb//..?x=%20 HTTP/1.1\r\nHost: h\r\nX-Amz-Meta-A: caf\xc3\xa9\r\n"
        b"X-Two: 1\r\nX-Two: 2\r\nX_Under: no\r\n\r\n",
    )
    lines = body_of(answer).split(b"\n")
    assert b"RAW_URI=/head/a%2Fb//..?x=%20" in lines
    assert b"PATH_INFO=/head/a/b//.." in lines
    assert b"QUERY_STRING=x=%20" in lines
    assert b"HTTP_X_AMZ_META_A=caf\xc3\xa9" in lines
    assert b"HTTP_X_TWO=1,2" in lines
    assert not any(line.startswith(b"HTTP_X_UNDER") for line in lines)


def test_a_connection_serves_many_requests_and_pipelined_ones_in_order(server):
    with connect(server) as sock:
        for number in range(3):
            sock.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n%d" % number)
            assert sock.recv(65536).endswith(b"\r\n\r\n%d" % number)
            time.sleep(0.03 * number)
        two = b"".join(
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n" + c for c in (b"x", b"y")
        )
        sock.sendall(two)
        sock.shutdown(socket.SHUT_WR)
        answers = receive_all(sock)
    assert answers.index(b"\r\n\r\nx") < answers.index(b"\r\n\r\ny")


def test_the_body_is_asked_for_only_when_it_is_read(server):
    head = b"PUT %s HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    with connect(server) as sock:
        sock.sendall(head % b"/echo")
        assert sock.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"ok")
        assert sock.recv(65536).endswith(b"ok")
    with connect(server) as sock:
        sock.sendall(head % b"/refuse")
        answer = receive_all(sock)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"100 Continue" not in answer
    assert b"Connection: close" in answer


def test_a_body_that_ends_early_is_an_error(server, app):
    app.cut_off.clear()
    answer = ask(server, b"PUT /cut HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nshort")
    assert b"200 OK" not in answer
    assert app.cut_off.wait(5)


def test_a_silent_body_is_an_error(server, app):
    app.cut_off.clear()
    with connect(server) as sock:
        sock.sendall(b"PUT /cut HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nshort")
        assert app.cut_off.wait(5)


def test_an_answer_without_a_length_is_chunked_and_closed(server, app):
    answer = ask(server, b"GET /stream HTTP/1.1\r\nHost: h\r\n\r\n")
    assert body_of(answer) == b"6\r\npiece;\r\n" * 3 + b"0\r\n\r\n"
    assert app.closed.wait(5)
    old = ask(server, b"GET /stream HTTP/1.0\r\n\r\n")
    assert body_of(old) == b"piece;" * 3


def test_a_head_request_gets_no_body(server):
    answer = ask(server, b"HEAD /refuse HTTP/1.1\r\nHost: h\r\n\r\n")
    assert b"Content-Length: 2" in answer
    assert body_of(answer) == b""


def test_a_crash_is_a_plain_500(server):
    answer = ask(server, b"GET /crash HTTP/1.1\r\nHost: h\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"on purpose" not in answer


def test_an_unread_body_does_not_become_the_next_request(server):
    inner = b"GET /crash HTTP/1.1\r\nHost: h\r\n\r\n"
    request = b"POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(inner)
    answer = ask(server, request + inner + b"GET /head HTTP/1.1\r\nHost: h\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 2
    assert b"HTTP/1.1 500" not in answer


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", b"431"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", b"400"),
        (
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"400",
        ),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n", b"400"),
    ],
)
def test_bad_requests_are_refused(server, request_bytes, status):
    assert ask(server, request_bytes).startswith(b"HTTP/1.1 " + status)


def test_a_slow_head_times_out(server):
    with connect(server) as sock:
        sock.sendall(b"GET / HT")
        started = time.monotonic()
        receive_all(sock)
        assert time.monotonic() - started < 4


def test_busy_threads_of_one_port_leave_the_other_alone(server, app):
    app.release.clear()
    waiting = [connect(server) for _ in range(4)]
    for sock in waiting:
        sock.sendall(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
    with connect(server, listener=1) as other:
        other.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi")
        assert other.recv(65536).endswith(b"hi")
    app.release.set()
    for sock in waiting:
        assert sock.recv(65536).endswith(b"done")
        sock.close()


def test_too_many_connections_are_told_to_come_back(server):
    held = [connect(server) for _ in range(20)]
    try:

        def is_refused():
            with connect(server) as sock:
                sock.settimeout(0.3)
                try:
                    return sock.recv(100).startswith(b"HTTP/1.1 503 ")
                except TimeoutError:
                    return False

        wait_until(is_refused, seconds=5, what="one connection more is refused")
    finally:
        for sock in held:
            sock.close()

    def works_again():
        with connect(server) as sock:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi")
            return sock.recv(65536).endswith(b"hi")

    wait_until(works_again, seconds=5, what="the server takes connections again")


def test_stopping_lets_a_running_request_end():
    app = App()
    config = ListenerConfig(host="127.0.0.1", port=0, app=app, threads=2, name="stop")
    server = HttpServer([config])
    server.start()
    with connect(server) as sock:
        sock.sendall(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
        wait_until(lambda: server.listeners[0]._busy_count, seconds=5, what="the request runs")
        stopper = threading.Thread(target=server.stop, args=(5.0,))
        stopper.start()
        stopping = server.listeners[0]._stopping
        wait_until(stopping.is_set, seconds=5, what="the server stops")
        app.release.set()
        answer = sock.recv(65536)
        stopper.join(10)
    assert answer.endswith(b"done")
    assert b"Connection: close" in answer
    with pytest.raises(OSError, match="refused"):
        connect(server)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.binary(max_size=300), st.sampled_from([b"", b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\n"])
)
def test_no_bytes_bring_the_server_down(server, garbage, start):
    ask_quietly(server, start + garbage)
    answer = ask(server, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi")
    assert body_of(answer) == b"hi"


def ask_quietly(server, request):
    with contextlib.suppress(ConnectionError):
        ask(server, request)
