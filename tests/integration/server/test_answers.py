"""What a client receives, over real sockets."""

import logging
import os
import tempfile
import threading
from email.utils import parsedate_to_datetime

import pytest

from rs3gw.server.file_slice import FileSlice
from tests.integration.server.raw import PATIENCE_SECONDS, Client

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n"
GET_1_0 = b"GET /a HTTP/1.0\r\n\r\n"


def answering(chunks, headers=(), status="200 OK"):
    def app(environ, start_response):
        start_response(status, list(headers))
        return chunks

    return app


@pytest.fixture
def file():
    with tempfile.TemporaryFile() as opened:
        opened.write(os.urandom(3_000_000))
        opened.flush()
        opened.seek(0)
        yield opened


def test_head_and_small_body_leave_in_one_piece(servers):
    with Client(servers.start(answering([b"hello"])).port) as client:
        client.send(GET)
        data = client.socket.recv(65536)
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert data.endswith(b"\r\n\r\nhello")
    assert b"\r\nContent-Length: 5\r\n" in data


def test_every_answer_names_server_and_date(servers):
    app = answering([b"x"], [("Date", "yesterday"), ("server", "other")])
    with Client(servers.start(app).port) as client:
        answer = client.ask(GET)
    assert answer.headers["server"] == "rs3gw"
    assert parsedate_to_datetime(answer.headers["date"])


def test_an_answer_of_unknown_length_is_chunked(servers):
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"a" * 100_000
        yield b""
        yield b"b"

    with Client(servers.start(app).port) as client:
        for _ in range(2):
            answer = client.ask(GET)
            assert answer.headers["transfer-encoding"] == "chunked"
            assert answer.body == b"a" * 100_000 + b"b"


def test_an_old_client_is_answered_until_the_end(servers):
    with Client(servers.start(answering([b"a", b"b"])).port) as client:
        answer = client.ask(GET_1_0)
        assert "transfer-encoding" not in answer.headers
        assert answer.body == b"ab"
        assert client.is_closed()


def test_an_old_client_may_keep_its_connection(servers):
    with Client(servers.start(answering([b"ab"])).port) as client:
        for _ in range(2):
            answer = client.ask(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert (answer.body, answer.headers["connection"]) == (b"ab", "keep-alive")


@pytest.mark.parametrize("headers", [[], [("Content-Length", "5")]])
def test_head_gets_no_body(servers, headers):
    with Client(servers.start(answering([b"hello"], headers)).port) as client:
        for _ in range(2):
            answer = client.ask(HEAD, method=b"HEAD")
            assert answer.status == 200
            assert answer.headers.get("content-length") == (headers and "5" or None)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("chunks", [[], [b""], [b"unasked"], [b"a", b"b"]])
def test_an_answer_without_body_is_not_framed(servers, status, chunks):
    with Client(servers.start(answering(chunks, status=status)).port) as client:
        for _ in range(2):
            answer = client.ask(GET)
            assert answer.status == int(status[:3])
            assert not {"transfer-encoding", "content-length"} & set(answer.headers)


def test_an_unchanged_answer_keeps_the_length_that_it_would_have(servers):
    app = answering([b"hello"], [("Content-Length", "5")], "304 Not Modified")
    with Client(servers.start(app).port) as client:
        for _ in range(2):
            assert client.ask(GET).headers["content-length"] == "5"


def test_head_of_an_answer_of_unknown_length_leaves_the_connection_usable(servers):
    with Client(servers.start(answering([b"a", b"b"])).port) as client:
        for _ in range(2):
            assert client.ask(HEAD, method=b"HEAD").status == 200
            assert client.ask(GET).body == b"ab"


def test_more_than_was_announced_is_cut(servers):
    app = answering([b"hel", b"lo world"], [("Content-Length", "5")])
    with Client(servers.start(app).port) as client:
        assert client.ask(GET).body == b"hello"
        assert client.ask(GET).body == b"hello"


def test_less_than_was_announced_ends_the_connection(servers, caplog):
    app = answering([b"hel"], [("Content-Length", "5")])
    with caplog.at_level(logging.ERROR), Client(servers.start(app).port) as client:
        client.send(GET)
        assert client.rest().endswith(b"\r\n\r\nhel")


def test_a_header_cannot_break_out_of_its_line(servers):
    app = answering([b""], [("X-A", "a\r\nX-B: b"), ("X-C\r\nX-D", "d"), ("X-E", "e")])
    with Client(servers.start(app).port) as client:
        answer = client.ask(GET)
    assert b"X-B" not in answer.raw_head
    assert b"X-D" not in answer.raw_head
    assert answer.headers["x-e"] == "e"


def test_the_application_may_close_the_connection(servers):
    with Client(servers.start(answering([b"a"], [("Connection", "close")])).port) as client:
        assert client.ask(GET).headers["connection"] == "close"
        assert client.is_closed()


def test_the_write_callable_works(servers):
    def app(environ, start_response):
        write = start_response("200 OK", [])
        write(b"one ")
        return [b"two"]

    with Client(servers.start(app).port) as client:
        assert client.ask(GET).body == b"one two"


def test_a_failure_before_the_answer_is_a_500(servers, caplog):
    def app(environ, start_response):
        raise OSError("the disk is broken")

    with caplog.at_level(logging.ERROR), Client(servers.start(app).port) as client:
        answer = client.ask(GET)
        assert (answer.status, answer.headers["content-type"]) == (500, "text/plain")
        assert client.is_closed()
    assert "the disk is broken" in caplog.text


def test_a_failure_inside_an_answer_cuts_it(servers, caplog):
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"begun"
        raise RuntimeError("half way")

    with caplog.at_level(logging.ERROR), Client(servers.start(app).port) as client:
        client.send(GET)
        assert client.rest().endswith(b"5\r\nbegun\r\n")


def test_a_second_start_replaces_the_first_after_an_error(servers):
    def app(environ, start_response):
        start_response("200 OK", [("X-A", "1")])
        try:
            raise RuntimeError("no")
        except RuntimeError as error:
            start_response("502 Bad Gateway", [], (type(error), error, error.__traceback__))
        return [b"sorry"]

    with Client(servers.start(app).port) as client:
        answer = client.ask(GET)
    assert (answer.status, answer.body) == (502, b"sorry")
    assert "x-a" not in answer.headers


class Closing:
    """An answer that notes whether it was closed."""

    def __init__(self, chunk, count):
        self.closed = threading.Event()
        self._chunk, self._count = chunk, count

    def __iter__(self):
        for _ in range(self._count):
            yield self._chunk

    def close(self):
        self.closed.set()


def test_an_answer_is_closed_when_it_was_sent(servers):
    chunks = Closing(b"x", 3)
    with Client(servers.start(answering(chunks)).port) as client:
        assert client.ask(GET).body == b"xxx"
        assert chunks.closed.wait(PATIENCE_SECONDS)


def test_an_answer_is_closed_when_the_client_left(servers):
    chunks = Closing(b"x" * 100_000, 1_000_000)
    client = Client(servers.start(answering(chunks)).port)
    client.send(GET)
    client.socket.recv(1000)
    client.socket.close()
    assert chunks.closed.wait(PATIENCE_SECONDS)


def test_an_answer_is_closed_when_the_client_does_not_read_it(servers):
    chunks = Closing(b"x" * 100_000, 1_000_000)
    listener = servers.start(answering(chunks), progress_timeout_seconds=0.1)
    with Client(listener.port) as client:
        client.send(GET)
        assert chunks.closed.wait(PATIENCE_SECONDS)


def test_a_failing_close_spoils_nothing(servers, caplog):
    class Failing(Closing):
        def close(self):
            raise RuntimeError("close failed")

    app = answering(Failing(b"x", 1))
    with caplog.at_level(logging.ERROR), Client(servers.start(app).port) as client:
        assert client.ask(GET).body == b"x"
        assert client.ask(GET).body == b"x"
    assert "close failed" in caplog.text


@pytest.mark.parametrize(("offset", "length"), [(0, 3_000_000), (1234, 2_000_000), (5, 0)])
@pytest.mark.parametrize("is_sized", [True, False])
def test_a_part_of_a_file_is_sent_as_it_is(servers, file, offset, length, is_sized):
    def app(environ, start_response):
        copy = os.fdopen(os.dup(file.fileno()), "rb")
        headers = [("Content-Length", str(length))] if is_sized else []
        start_response("206 Partial Content", headers)
        return environ["rs3gw.file_slice"](copy, offset, length)

    file.seek(offset)
    wanted = file.read(length)
    with Client(servers.start(app).port) as client:
        for _ in range(2):
            answer = client.ask(GET)
            assert answer.body == wanted
            assert answer.headers["content-length"] == str(length)
        head = client.ask(HEAD, method=b"HEAD")
        assert head.status == 206
        assert client.ask(GET).body == wanted


def test_the_kernel_sends_the_file(servers, file, monkeypatch):
    def no_iteration(self):
        raise AssertionError("the file was read")

    monkeypatch.setattr(FileSlice, "__iter__", no_iteration)

    def app(environ, start_response):
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](os.fdopen(os.dup(file.fileno()), "rb"), 4096)

    with Client(servers.start(app).port) as client:
        assert len(client.ask(GET).body) == 3_000_000


def test_a_file_is_closed_after_it_was_sent(servers, file):
    opened = []

    def app(environ, start_response):
        opened.append(os.fdopen(os.dup(file.fileno()), "rb"))
        start_response("200 OK", [])
        return FileSlice(opened[-1], 0, 100)

    with Client(servers.start(app).port) as client:
        client.ask(GET)
        client.ask(GET)
    assert opened[0].closed


def test_a_file_that_shrank_cuts_the_answer(servers, file, caplog):
    def app(environ, start_response):
        start_response("200 OK", [])
        return FileSlice(os.fdopen(os.dup(file.fileno()), "rb"), 2_900_000, 200_000)

    with caplog.at_level(logging.ERROR), Client(servers.start(app).port) as client:
        client.send(GET)
        head, _, body = client.rest().partition(b"\r\n\r\n")
        assert b"Content-Length: 200000" in head
        assert len(body) == 100_000


def test_a_file_like_object_is_read_in_blocks(servers):
    class Source:
        def __init__(self):
            self.blocks = [b"one ", b"two"]

        def read(self, size):
            return self.blocks.pop(0) if self.blocks else b""

    def app(environ, start_response):
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](Source())

    with Client(servers.start(app).port) as client:
        assert client.ask(GET).body == b"one two"


def test_a_part_of_a_file_is_an_ordinary_iterable(file):
    wanted = file.read(2_000_000)
    assert b"".join(FileSlice(file, 0, 2_000_000)) == wanted
    with pytest.raises(EOFError):
        list(FileSlice(file, 2_999_999, 2))
