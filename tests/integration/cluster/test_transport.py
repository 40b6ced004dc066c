"""The way out: real sockets on loopback."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cluster import conf, signals, transport
from cluster.transport import PeerClient, PeerRefused, PeerUnreachable
from rs3gw.common import clock, identity
from rs3gw.common.signing import HEADER_ACTOR, HEADERS, UNSIGNED_BODY, verify
from tests.servers import free_port


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self):
        size = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(size)
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        status, answer, breaks_after = self.server.answers(self.path, body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer[:breaks_after])
        if breaks_after is not None or self.path == "/close-silently":
            self.close_connection = True

    do_GET = do_POST = do_PUT = _serve  # noqa: N815  (http.server's names)

    def setup(self):
        super().setup()
        self.server.connections += 1

    def log_message(self, *args):
        pass


def _answers(path, body):
    if path == "/teapot":
        return 418, b'{"code": "Teapot"}', None
    if path == "/broken":
        return 200, b"x" * 1000, 10
    if path == "/big":
        return 200, b"abc" * 200_000, None
    return 200, b"echo:" + body, None


@pytest.fixture
def server():
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.seen, made.connections, made.answers = [], 0, _answers
    made.daemon_threads = True
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    transport.pool.clear()
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def client(server):
    return PeerClient(f"127.0.0.1:{server.server_port}")


def test_a_request_and_its_answer(client, server):
    answer = client.request("POST", "/echo?x=1", body=b"hello", headers={"X-More": "1"})

    assert (answer.status, answer.body) == (200, b"echo:hello")
    assert answer.headers["content-length"] == "10"
    method, path, headers, body = server.seen[0]
    assert (method, path, body) == ("POST", "/echo?x=1", b"hello")
    assert headers["X-More"] == "1"
    assert headers["Content-Type"] == "application/json"


def test_every_request_is_signed(client, server, settings):
    client.request("POST", "/echo", body=b"hello")
    _, path, headers, _ = server.seen[0]

    proven = verify(
        method="POST",
        target=path,
        headers={name: headers[name] for name in HEADERS},
        secret=settings.RS3GW_CLUSTER_SECRET,
        now=clock.now(),
    )
    assert proven.node_id == "node-1"
    assert proven.scope == conf.cluster_id()


def test_another_scope_is_signed_with_its_secret(server):
    far = PeerClient(f"127.0.0.1:{server.server_port}", scope="pair:eu", secret="s" * 40)
    far.request("GET", "/echo")
    _, path, headers, _ = server.seen[0]

    proven = verify(
        method="GET",
        target=path,
        headers={name: headers[name] for name in HEADERS},
        secret="s" * 40,
        now=clock.now(),
    )
    assert proven.scope == "pair:eu"


def test_connections_are_kept_and_shared(client, server):
    for _ in range(5):
        client.request("GET", "/echo")
    PeerClient(client.address).request("GET", "/echo")

    assert server.connections == 1


def test_a_connection_that_the_peer_closed_is_replaced_without_notice(client, server):
    client.request("GET", "/close-silently")
    answer = client.request("POST", "/echo", body=b"again")

    assert answer.body == b"echo:again"
    assert server.connections == 2


def test_an_idle_connection_is_not_kept_for_ever(client, server, monkeypatch):
    client.request("GET", "/echo")
    monkeypatch.setattr(transport, "IDLE_SECONDS_MAX", -1.0)
    client.request("GET", "/echo")

    assert server.connections == 2


def test_few_idle_connections_are_kept(client, server, monkeypatch):
    monkeypatch.setattr(transport, "IDLE_CONNECTIONS_MAX", 2)
    threads = [threading.Thread(target=client.request, args=("GET", "/echo")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(transport.pool._idle[client.address]) <= 2


def test_an_error_answer_is_a_refusal_with_its_body(client, server):
    with pytest.raises(PeerRefused) as caught:
        client.request("GET", "/teapot")

    assert caught.value.status == 418
    assert caught.value.body == b'{"code": "Teapot"}'
    assert not caught.value.retryable
    client.request("GET", "/echo")
    assert server.connections == 1


def test_nobody_there_is_unreachable():
    with pytest.raises(PeerUnreachable):
        PeerClient(f"127.0.0.1:{free_port()}").request("GET", "/", timeout_seconds=1)


def test_a_peer_that_hangs_is_unreachable_after_the_timeout():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = clock.monotonic()
        with pytest.raises(PeerUnreachable):
            PeerClient(f"127.0.0.1:{silent.getsockname()[1]}").request(
                "GET", "/", timeout_seconds=0.3
            )
        assert clock.monotonic() - began < 2


def test_an_answer_that_breaks_off_is_no_answer(client):
    with pytest.raises(PeerUnreachable):
        client.request("GET", "/broken")
    with pytest.raises(PeerUnreachable), client.open_stream("/broken") as stream:
        list(stream)


def test_an_answer_over_the_limit_is_refused(client, monkeypatch):
    monkeypatch.setattr(transport, "RESPONSE_BYTES_MAX", 1000)

    with pytest.raises(transport.PeerError, match="more than"):
        client.request("GET", "/big")


def test_a_body_is_streamed_out(client, server):
    pieces = (b"x" * 1000 for _ in range(300))
    answer = client.send_stream("PUT", "/echo", pieces, 300_000)

    assert len(answer.body) == 300_005
    _, _, headers, body = server.seen[0]
    assert len(body) == 300_000
    assert headers["X-Rs3gw-Body"] == UNSIGNED_BODY


def test_a_refusal_of_a_stream_is_a_refusal(client):
    with pytest.raises(PeerRefused):
        client.send_stream("PUT", "/teapot", [b"x"], 1)


def test_a_body_is_streamed_in_and_its_connection_kept(client, server):
    with client.open_stream("/big", start=5, length=10) as stream:
        assert b"".join(stream) == b"abc" * 200_000
        assert stream.status == 200
        assert stream.headers["Content-Length"] == "600000"
    client.request("GET", "/echo")

    assert server.seen[0][2]["Range"] == "bytes=5-14"
    assert server.connections == 1


def test_a_stream_that_is_not_read_to_its_end_costs_its_connection(client, server):
    with client.open_stream("/big") as stream:
        next(iter(stream))
    client.request("GET", "/echo")

    assert server.connections == 2


def test_a_stream_of_an_error_is_a_refusal(client):
    with pytest.raises(PeerRefused), client.open_stream("/teapot"):
        pytest.fail("there is nothing to read")


def test_a_request_proves_the_writer_id_and_the_epoch(server, client, settings):
    conf.epoch.known = 7
    try:
        client.request("GET", "/echo")
    finally:
        conf.epoch.known = 0

    _, path, headers, _ = server.seen[0]
    proven = verify(
        method="GET",
        target=path,
        headers=headers,
        secret=settings.RS3GW_CLUSTER_SECRET,
        now=clock.now(),
    )
    assert (proven.actor, proven.epoch) == (identity.load().actor, 7)


def test_another_region_is_not_told_the_writer_id(server):
    address = f"127.0.0.1:{server.server_port}"
    PeerClient(address, scope="pair:us-east-1", secret="s" * 40).request("GET", "/echo")

    _, _, headers, _ = server.seen[0]
    assert HEADER_ACTOR not in headers


@pytest.mark.parametrize("scope", [None, "pair:us-east-1"])
def test_a_refusal_as_removed_is_passed_on_when_a_member_says_it(server, scope):
    server.answers = lambda path, body: (421, b'{"code": "removed"}', None)
    heard = []
    signals.refused_as_removed.connect(receiver := lambda body, **_: heard.append(body))

    client = PeerClient(f"127.0.0.1:{server.server_port}", scope=scope, secret="s" * 40)
    with pytest.raises(PeerRefused):
        client.request("GET", "/echo")
    with pytest.raises(PeerRefused), client.open_stream("/echo"):
        pass

    signals.refused_as_removed.disconnect(receiver)
    assert heard == ([] if scope else [b'{"code": "removed"}'] * 2)
