"""What an application is given of a request, over real sockets."""

import pytest

from rs3gw.server.exchange import UNDERSCORED
from rs3gw.server.protocol import BodyCutOffError
from tests.integration.server.raw import Client, Recorder, wait_until

HEAD = b"GET /a HTTP/1.1\r\nHost: a\r\n"


def environ_of(servers, request):
    app = Recorder()
    with Client(servers.start(app).port) as client:
        client.send(request)
        return app.environ()


def test_the_target_arrives_as_sent_and_decoded(servers):
    environ = environ_of(
        servers, b"GET /b/a%2Fb//..%FF%20?x=%2F&y HTTP/1.1\r\nHost: s3.example.com\r\n\r\n"
    )
    assert environ["RAW_URI"] == environ["REQUEST_URI"] == "/b/a%2Fb//..%FF%20?x=%2F&y"
    assert environ["PATH_INFO"] == "/b/a/b//..\xff "
    assert environ["QUERY_STRING"] == "x=%2F&y"
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert environ["HTTP_HOST"] == "s3.example.com"


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"http://host:1/p/q?x=1", "/p/q", "x=1"),
        (b"HTTPS://host/p%2Fq", "/p/q", ""),
        (b"http://host", "/", ""),
        (b"*", "*", ""),
        (b"http://host/?x=/y", "/", "x=/y"),
        (b"/http://host/p", "/http://host/p", ""),
        (b"/p?u=http://host/q", "/p", "u=http://host/q"),
    ],
)
def test_a_whole_url_is_a_target_too(servers, target, path, query):
    environ = environ_of(servers, b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == (path, query)
    assert environ["RAW_URI"] == target.decode()


def test_header_values_keep_their_bytes(servers):
    value = "grün 日本".encode()
    environ = environ_of(servers, HEAD + b"x-amz-meta-Name:  " + value + b" \r\n\r\n")
    assert environ["HTTP_X_AMZ_META_NAME"].encode("latin-1") == value


def test_repeated_headers_are_joined(servers):
    environ = environ_of(servers, HEAD + b"X-A: 1\r\nx-a: 2\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n")
    assert environ["HTTP_X_A"] == "1,2"
    assert environ["HTTP_COOKIE"] == "a=1; b=2"


def test_a_header_with_an_underscore_is_dropped(servers):
    lines = b"X_Forwarded-For: evil\r\nContent_Length: 5\r\nContent-Type: text/plain\r\n"
    environ = environ_of(servers, HEAD + lines + b"\r\n")
    assert "HTTP_X_FORWARDED_FOR" not in environ
    assert "CONTENT_LENGTH" not in environ
    assert "HTTP_CONTENT_LENGTH" not in environ
    assert environ["CONTENT_TYPE"] == "text/plain"


def test_headers_with_an_underscore_are_kept_apart(servers):
    lines = b"X-Amz-Meta-A_B: 1\r\nx-amz-meta-a-b: 2\r\nX-AMZ-META-A_B: 3\r\n"
    environ = environ_of(servers, HEAD + lines + b"\r\n")
    assert environ["HTTP_X_AMZ_META_A_B"] == "2"
    assert environ[UNDERSCORED] == {"x-amz-meta-a_b": "1,3"}


def test_bodies_of_both_framings_arrive(servers):
    app = Recorder()
    with Client(servers.start(app).port) as client:
        client.ask(b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n", b"x" * 300_000)
        assert app.body() == b"x" * 300_000
        client.ask(
            b"PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"4\r\nabcd\r\n",
            b"2;name=value\r\nef\r\n0\r\nX-Trailer: 1\r\n\r\n",
        )
        assert app.body() == b"abcdef"
        assert "HTTP_X_TRAILER" not in app.environ()


def test_lines_and_pieces_can_be_read(servers):
    def app(environ, start_response):
        body = environ["wsgi.input"]
        read = [body.read(2), body.readline(), body.readline(3), body.read(0), *body]
        start_response("200 OK", [])
        return [repr(read).encode()]

    with Client(servers.start(app).port) as client:
        head = b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 24\r\n\r\n"
        answer = client.ask(head, b"abc", b"def\nghijkl\n\nmno", b"p\nqrst")
    assert (
        answer.body
        == repr([b"ab", b"cdef\n", b"ghi", b"", b"jkl\n", b"\n", b"mnop\n", b"qrst"]).encode()
    )


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc",
        b"PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
    ],
)
def test_a_body_that_ends_early_is_an_error(servers, request_bytes):
    app = Recorder()
    client = Client(servers.start(app).port)
    client.send(request_bytes)
    app.environ()
    client.socket.close()
    error = app.body()
    assert isinstance(error, BodyCutOffError)
    assert isinstance(error, ConnectionError)


def test_a_body_that_turns_malformed_is_an_error(servers):
    app = Recorder()
    with Client(servers.start(app).port) as client:
        client.send(b"PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
        app.environ()
        client.send(b"zz\r\n")
        assert isinstance(app.body(), BodyCutOffError)
        assert client.is_closed()


def test_a_body_that_stops_arriving_is_an_error(servers):
    app = Recorder()
    listener = servers.start(app, progress_timeout_seconds=0.05)
    with Client(listener.port) as client:
        client.send(b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        assert isinstance(app.body(), BodyCutOffError)
        assert client.is_closed()


def test_a_slow_body_is_no_error_while_it_moves(servers):
    app = Recorder()
    listener = servers.start(app, progress_timeout_seconds=0.5)
    with Client(listener.port) as client:
        client.send(b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n")
        for byte in b"abcd":
            app.environs.qsize()
            client.send(bytes([byte]))
        assert client.answer().status == 200
    assert app.body() == b"abcd"


EXPECTING = b"PUT /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"


def test_the_body_is_called_for_when_it_is_first_read(servers):
    app = Recorder()
    with Client(servers.start(app).port) as client:
        assert client.ask(EXPECTING).status == 100
        assert client.ask(b"abc").status == 200
        assert app.body() == b"abc"
        assert client.ask(HEAD + b"\r\n").status == 200


@pytest.mark.parametrize("value", [b"", b" ", b"200", b"\xff", b"101-continue"])
def test_an_expectation_that_nobody_knows_is_ignored(servers, value):
    app = Recorder()
    with Client(servers.start(app).port) as client:
        for _ in range(2):
            assert client.ask(EXPECTING.replace(b"100-continue", value), b"abc").status == 200
            assert app.body() == b"abc"


def test_the_body_is_called_for_once_among_other_expectations(servers):
    app = Recorder()
    with Client(servers.start(app).port) as client:
        assert client.ask(EXPECTING.replace(b"100-continue", b"x, 100-Continue")).status == 100
        assert client.ask(b"abc").status == 200
        assert client.ask(HEAD + b"\r\n").status == 200


def test_an_expectation_without_a_body_is_met_by_the_answer(servers):
    with Client(servers.start(Recorder()).port) as client:
        for _ in range(2):
            assert client.ask(HEAD + b"Expect: 100-continue\r\n\r\n").status == 200


def test_a_request_is_refused_before_its_body(servers):
    def app(environ, start_response):
        start_response("403 Forbidden", [("Content-Length", "0")])
        return []

    with Client(servers.start(app).port) as client:
        answer = client.ask(EXPECTING)
        assert answer.status == 403
        assert answer.headers["connection"] == "close"
        assert client.is_closed()


def test_nobody_is_called_for_a_body_that_came_along(servers):
    app = Recorder()
    with Client(servers.start(app).port) as client:
        assert client.ask(EXPECTING + b"abc").status == 200
        assert client.ask(EXPECTING.replace(b"1.1", b"1.0"), b"abc").status == 200


def test_what_is_left_of_a_small_body_does_not_become_a_request(servers):
    app = Recorder(reads=False)
    with Client(servers.start(app).port) as client:
        for _ in range(3):
            client.send(b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n")
            app.environ()
            assert client.ask(b"GET /evil HTTP/1.1\r\n\r\n".ljust(30_000)).status == 200
        client.ask(HEAD + b"\r\n")
        assert app.environ()["PATH_INFO"] == "/a"
        assert app.environs.empty()


def test_an_unread_large_body_ends_the_connection_but_its_answer_arrives(servers):
    app = Recorder(reads=False)
    with Client(servers.start(app).port) as client:
        client.send(b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n")
        client.send(b"x" * 1_000_000)
        answer = client.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert client.is_closed()


def test_a_client_that_holds_back_an_unread_body_frees_its_thread(servers):
    app = Recorder(reads=False)
    listener = servers.start(app, threads=1, drain_timeout_seconds=0.05)
    with Client(listener.port) as idler, Client(listener.port) as client:
        idler.ask(b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        assert client.ask(HEAD + b"\r\n").status == 200
        assert idler.is_closed()


def test_several_requests_at_once_are_answered_in_order(servers):
    def app(environ, start_response):
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode(), environ["wsgi.input"].read()]

    with Client(servers.start(app).port) as client:
        client.send(
            b"".join(
                b"PUT /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" % number
                for number in range(50)
            )
        )
        answers = [client.answer().body for _ in range(50)]
    assert answers == [b"/%dabc" % number for number in range(50)]


def test_requests_before_a_malformed_one_are_answered(servers):
    app = Recorder()
    with Client(servers.start(app).port) as client:
        assert client.ask(HEAD + b"\r\n" + HEAD + b"X: a\r\n b\r\n\r\n").status == 200
        assert client.answer().status == 400
        assert client.is_closed()
    assert app.environs.qsize() == 1


@pytest.mark.parametrize("value", [b"close", b"Close", b"te, close", b"close, keep-alive"])
def test_a_client_may_end_the_connection_with_a_request(servers, value):
    with Client(servers.start(Recorder()).port) as client:
        answer = client.ask(HEAD + b"Connection: " + value + b"\r\n\r\n")
        assert (answer.body, answer.headers["connection"]) == (b"ok", "close")
        assert client.is_closed()


def test_bytes_after_the_last_request_do_not_spoil_its_answer(servers):
    with Client(servers.start(Recorder()).port) as client:
        assert client.ask(HEAD + b"Connection: close\r\n\r\nGET").status == 200
        assert client.is_closed()


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (HEAD + b"X: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"GET /a HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("GET /grün HTTP/1.1\r\nHost: a\r\n\r\n".encode(), 400),
        (b"GET /a?b=\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /a\x00b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 501),
    ],
)
def test_what_cannot_be_served_is_refused_and_never_reaches_the_application(
    servers, request_bytes, status
):
    app = Recorder()
    with Client(servers.start(app).port) as client:
        answer = client.ask(request_bytes)
        assert (answer.status, answer.headers["connection"]) == (status, "close")
        assert client.is_closed()
    assert app.environs.empty()


def test_a_head_that_does_not_end_is_refused_and_costs_no_thread(servers):
    app = Recorder()
    listener = servers.start(app, threads=1, head_timeout_seconds=0.3)
    slow = [Client(listener.port) for _ in range(20)]
    for client in slow:
        client.send(HEAD)
    with Client(listener.port) as client:
        assert client.ask(HEAD + b"\r\n").status == 200
    for client in slow:
        assert client.answer().status == 408
        assert client.is_closed()
        client.socket.close()


def test_a_head_may_arrive_byte_by_byte(servers):
    app = Recorder()
    with Client(servers.start(app).port) as client:
        for byte in HEAD + b"\r\n":
            client.send(bytes([byte]))
        assert client.answer().status == 200


def test_a_forgotten_connection_is_closed(servers):
    listener = servers.start(Recorder(), idle_timeout_seconds=0.1)
    with Client(listener.port) as client, Client(listener.port) as silent:
        client.ask(HEAD + b"\r\n")
        assert client.is_closed()
        assert silent.is_closed()


def test_ipv6_is_served(servers):
    app = Recorder()
    listener = servers.start(app, host="::1")
    with Client(listener.port, "::1") as client:
        assert client.ask(HEAD + b"\r\n").status == 200
        assert app.environ()["REMOTE_ADDR"] == "::1"


def test_a_client_that_leaves_while_idle_is_forgotten(servers):
    listener = servers.start(Recorder(), connections_max=2)
    for _ in range(20):
        with Client(listener.port) as client:
            wait_until(lambda client=client: client.ask(HEAD + b"\r\n").status, "an answer")
        wait_until(lambda: not listener.open_count(), "the connection is forgotten")
