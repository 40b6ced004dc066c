"""The S3 port over TLS: handshakes, good and bad, and everything else as without."""

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from cryptography.hazmat.primitives import serialization

from rs3gw.common.errors import SettingError
from rs3gw.server.devcluster import certificates
from rs3gw.server.file_slice import FileSlice
from rs3gw.server.tls import Certificate
from tests.integration.s3.conftest import ACCESS_KEY, ROOT, SECRET_KEY, Node
from tests.integration.server.raw import PATIENCE_SECONDS, Client, Recorder, wait_until

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
BIG_BYTES = 64 * 2**20


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    return certificates.make(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def certificate(files):
    return Certificate(str(files.cert), str(files.key))


@pytest.fixture(scope="session")
def trust(files):
    return ssl.create_default_context(cafile=files.ca)


@pytest.fixture
def start(servers, certificate):
    def started(app, **options):
        return servers.start(app, certificate=certificate, **options)

    return started


def old_client(ca, version):
    context = ssl.create_default_context(cafile=ca)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_is_served_encrypted(start, files, version):
    app = Recorder()
    trust = ssl.create_default_context(cafile=files.ca)
    trust.minimum_version = trust.maximum_version = version
    trust.set_alpn_protocols(["h2", "http/1.1"])
    with Client(start(app).port, tls=trust) as client:
        for _ in range(3):
            assert client.ask(GET).body == b"ok"
            assert app.environ()["wsgi.url_scheme"] == "https"
        assert client.socket.selected_alpn_protocol() == "http/1.1"
        assert client.socket.version() == version.name.replace("_", ".")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_protocols_are_refused(start, files, trust, version):
    listener = start(Recorder())
    with pytest.raises(ssl.SSLError, match="(?i)protocol.version"):
        Client(listener.port, tls=old_client(files.ca, version))
    with Client(listener.port, tls=trust) as client:
        assert client.ask(GET).status == 200
    wait_until(lambda: listener.open_count() == 0, "both are forgotten")


def test_weak_ciphers_are_refused(start, files):
    context = old_client(files.ca, ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("ECDHE+AES:!AESGCM:!AESCCM:@SECLEVEL=0")
    listener = start(Recorder())
    with pytest.raises(ssl.SSLError, match="(?i)handshake.failure"):
        Client(listener.port, tls=context)


def test_a_session_is_resumed(start, trust):
    listener = start(Recorder())
    with Client(listener.port, tls=trust) as client:
        client.ask(GET)
        session = client.socket.session
    with Client(listener.port, tls=trust, session=session) as client:
        assert client.ask(GET).status == 200
        assert client.socket.session_reused


def test_several_requests_in_one_record_are_answered_in_order(start, trust):
    def app(environ, start_response):
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode(), environ["wsgi.input"].read()]

    request = b"PUT /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    # One thread and no patience: what was decrypted must not wait in the selector.
    listener = start(app, threads=1, turn_seconds=0, linger_seconds=0.001)
    with Client(listener.port, tls=trust) as client, Client(listener.port, tls=trust) as other:
        client.send(b"".join(request % number for number in range(100)))
        assert other.ask(request % 7).body == b"/7abc"
        answers = [client.answer().body for _ in range(100)]
    assert answers == [b"/%dabc" % number for number in range(100)]


def test_a_request_in_many_records_arrives(start, trust):
    app = Recorder()
    with Client(start(app).port, tls=trust) as client:
        client.send(*(bytes([byte]) for byte in GET))
        assert client.answer().status == 200


def test_a_record_in_many_segments_arrives(start, trust):
    app = Recorder()
    plain, tls = record_of(start(app).port, trust)
    with plain:
        for byte in tls(GET):
            plain.sendall(bytes([byte]))
        wait_until(lambda: not app.environs.empty(), "the request arrives")
        body = b"x" * 10_000
        head = b"PUT /b HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n"
        data = tls(head + body)
        plain.sendall(data[:5000])
        plain.sendall(data[5000:])
        assert [app.body(), app.body()] == [b"", body]


def record_of(port, trust):
    """Return a connected plain socket, and a function that encrypts for it."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trust.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            plain.sendall(outgoing.read())
            incoming.write(plain.recv(65536))
    plain.sendall(outgoing.read())

    def encrypt(data):
        tls.write(data)
        return outgoing.read()

    return plain, encrypt


def test_large_bodies_arrive_whole_in_both_directions(start, trust):
    data = os.urandom(2**20) * (BIG_BYTES // 2**20)
    received = bytearray()

    def app(environ, start_response):
        while piece := environ["wsgi.input"].read(300_000):
            received.extend(piece)
        start_response("200 OK", [("Content-Length", str(BIG_BYTES))])
        return iter([data[:1000], data[1000:]])

    with Client(start(app).port, tls=trust) as client:
        head = b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % BIG_BYTES
        answer = client.ask(head, data)
        assert answer.body == data
    assert received == data


@pytest.mark.parametrize(("offset", "length"), [(0, 3_000_000), (1234, 2_000_000), (5, 0)])
def test_a_part_of_a_file_is_sent_encrypted(start, trust, offset, length):
    with tempfile.TemporaryFile() as file:
        file.write(os.urandom(3_000_000))
        file.flush()

        def app(environ, start_response):
            start_response("206 Partial Content", [])
            return FileSlice(os.fdopen(os.dup(file.fileno()), "rb"), offset, length)

        wanted = os.pread(file.fileno(), length, offset)
        with Client(start(app).port, tls=trust) as client:
            for _ in range(2):
                assert client.ask(GET).body == wanted


def test_the_body_is_called_for_when_it_is_first_read(start, trust):
    expecting = b"PUT /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    app = Recorder()
    with Client(start(app).port, tls=trust) as client:
        assert client.ask(expecting).status == 100
        assert client.ask(b"abc").status == 200
        assert app.body() == b"abc"
        assert client.ask(GET).status == 200


def test_a_refused_client_hears_why_while_it_still_sends(start, trust):
    app = Recorder(reads=False)
    with Client(start(app).port, tls=trust) as client:
        client.send(b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n")
        client.send(b"x" * 1_000_000)
        answer = client.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert client.is_closed()


def test_the_end_of_an_answer_can_be_told_from_a_cut(start, trust):
    def app(environ, start_response):
        start_response("200 OK", [])
        return iter([b"a", b"b"])

    port = start(app).port
    # Without `suppress_ragged_eofs`, an end that nobody announced is an error.
    sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
    with trust.wrap_socket(sock, server_hostname="127.0.0.1", suppress_ragged_eofs=False) as client:
        client.sendall(b"GET /a HTTP/1.0\r\n\r\n")
        data = b""
        while piece := client.recv(65536):
            data += piece
    assert data.endswith(b"\r\n\r\nab")


def test_a_client_may_say_that_it_sends_nothing_more(start, trust):
    listener = start(Recorder())
    with Client(listener.port, tls=trust) as client:
        client.send(GET)
        with contextlib.suppress(ssl.SSLError):
            client.socket.unwrap()
    wait_until(lambda: listener.open_count() == 0, "the connection is forgotten")


def test_plain_http_is_answered_plainly(start, trust):
    listener = start(Recorder())
    with Client(listener.port) as client:
        answer = client.ask(GET)
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert client.is_closed()
    with Client(listener.port, tls=trust) as client:
        assert client.ask(GET).status == 200


@pytest.mark.parametrize("is_begun", [False, True])
def test_a_slow_handshake_is_swept(start, trust, is_begun):
    listener = start(Recorder(), threads=1, head_timeout_seconds=0.2, idle_timeout_seconds=60)
    with Client(listener.port) as slow, Client(listener.port, tls=trust) as client:
        if is_begun:
            slow.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        wait_until(lambda: listener.open_count() == 2, "both are connected")
        # A handshake under way costs no thread.
        assert client.ask(GET).status == 200
        assert slow.is_closed()
        assert client.ask(GET).status == 200


def test_a_handshake_that_drips_ends_in_time(start):
    listener = start(Recorder(), head_timeout_seconds=0.3)
    started = time.monotonic()
    with Client(listener.port) as slow, contextlib.suppress(ConnectionError):
        slow.send(b"\x16\x03\x01\x20\x00")
        while listener.open_count() or time.monotonic() - started < 0.1:
            assert time.monotonic() - started < PATIENCE_SECONDS
            slow.send(b"\x01")
    wait_until(lambda: not listener.open_count(), "the connection is forgotten")


def test_handshakes_are_bounded(start, trust):
    listener = start(Recorder(), connections_max=3)
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(Client(listener.port)).send(b"\x16\x03\x01")
        wait_until(lambda: listener.open_count() == 3, "they are connected")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            Client(listener.port, tls=trust)
    wait_until(lambda: not listener.open_count(), "they are forgotten")
    with Client(listener.port, tls=trust) as client:
        assert client.ask(GET).status == 200


@pytest.mark.parametrize("noise", [b"\x16" + bytes(300), b"\x16\x03\x01\x00\x05abcde", b"\x00"])
def test_noise_is_turned_away(start, trust, noise):
    listener = start(Recorder())
    with Client(listener.port) as client:
        client.send(noise)
        client.socket.shutdown(socket.SHUT_WR)
        client.rest()
    with Client(listener.port, tls=trust) as client:
        assert client.ask(GET).status == 200


def test_noise_after_a_handshake_ends_the_connection(start, trust):
    app = Recorder()
    listener = start(app)
    plain, encrypt = record_of(listener.port, trust)
    with plain, contextlib.suppress(ConnectionError):
        plain.sendall(encrypt(GET)[:-1] + b"\x00")
        while plain.recv(65536):
            pass
    wait_until(lambda: not listener.open_count(), "the connection is forgotten")
    assert app.environs.empty()


def test_a_client_that_reads_nothing_frees_its_thread(start, trust):
    closed = threading.Event()

    class Endless:
        def __iter__(self):
            while True:
                yield b"x" * 100_000

        def close(self):
            closed.set()

    def app(environ, start_response):
        start_response("200 OK", [])
        return Endless()

    with Client(start(app, progress_timeout_seconds=0.1).port, tls=trust) as client:
        client.send(GET)
        assert closed.wait(PATIENCE_SECONDS)


# --- the certificate ------------------------------------------------------------------------------


def served_certificate(port, trust):
    with Client(port, tls=trust) as client:
        return client.socket.getpeercert(binary_form=True)


def test_a_renewed_certificate_is_used_and_a_bad_one_is_not(servers, tmp_path):
    files = certificates.make(tmp_path)
    certificate = Certificate(str(files.cert), str(files.key))
    port = servers.start(Recorder(), certificate=certificate).port
    anyone = ssl._create_unverified_context()
    first = served_certificate(port, anyone)
    with Client(port, tls=anyone) as client:
        client.ask(GET)
        certificates.make(tmp_path)
        certificate.reload()
        second = served_certificate(port, anyone)
        assert second != first
        assert client.ask(GET).status == 200
    files.cert.write_text("nonsense")
    with pytest.raises(SettingError, match="RS3GW_TLS_KEY"):
        certificate.reload()
    assert served_certificate(port, anyone) == second


def test_files_that_cannot_be_used_are_named(tmp_path, files):
    with pytest.raises(SettingError, match="RS3GW_TLS_CERT=.*cannot be read"):
        Certificate(str(tmp_path / "none"), str(files.key))
    with pytest.raises(SettingError, match="RS3GW_TLS_KEY=.*cannot be read"):
        Certificate(str(files.cert), str(tmp_path / "none"))
    other = certificates.make(tmp_path)
    with pytest.raises(SettingError, match="RS3GW_TLS_KEY"):
        Certificate(str(files.cert), str(other.key))
    sealed = tmp_path / "sealed.key"
    key = serialization.load_pem_private_key(other.key.read_bytes(), None)
    sealed.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
    )
    with pytest.raises(SettingError, match="without passphrase"):
        Certificate(str(other.cert), str(sealed))


# --- a node ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    directory = Path(tmp_path_factory.mktemp("node-tls"))
    node = Node(certificates.make(directory))
    node.start()
    yield node
    node.stop()


def s3_of(node, **options):
    config = Config(
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path"},
        read_timeout=60,
        **options,
    )
    return boto3.client(
        "s3",
        endpoint_url=node.url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
        verify=str(node.certificate.ca),
        config=config,
    )


def test_boto3_moves_large_objects(node):
    s3 = s3_of(node)
    s3.create_bucket(Bucket="tls-large")
    data = os.urandom(2**20) * 64
    sent = []
    s3.meta.events.register("before-send.s3.PutObject", lambda request, **_: sent.append(request))
    s3.put_object(Bucket="tls-large", Key="a", Body=data)
    # What boto3 does over TLS only: the body is unsigned, and its checksum a trailer.
    assert sent[0].headers["x-amz-content-sha256"] == b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    assert s3.get_object(Bucket="tls-large", Key="a")["Body"].read() == data
    part = s3.get_object(Bucket="tls-large", Key="a", Range="bytes=1000000-50000000")
    assert part["Body"].read() == data[1_000_000:50_000_001]


def test_boto3_sends_a_stream_it_cannot_seek(node):
    class Stream:
        def __init__(self, pieces):
            self.pieces = pieces

        def read(self, size=-1):
            return self.pieces.pop(0) if self.pieces else b""

    s3 = s3_of(node)
    s3.create_bucket(Bucket="tls-stream")
    s3.upload_fileobj(Stream([b"abc" * 1000, b"def"]), "tls-stream", "a")
    assert s3.get_object(Bucket="tls-stream", Key="a")["Body"].read() == b"abc" * 1000 + b"def"


def test_the_admin_marks_its_cookies_and_asks_for_tls(node):
    trust = ssl.create_default_context(cafile=node.certificate.ca)
    with urllib.request.urlopen(f"{node.url}/admin/login/", timeout=10, context=trust) as answer:
        cookie = answer.headers["Set-Cookie"]
        assert "Secure" in cookie
        assert int(answer.headers["Strict-Transport-Security"].partition("max-age=")[2]) > 0


def test_a_node_reads_a_renewed_certificate_at_sighup(node):
    directory = node.certificate.cert.parent
    old = {path: path.read_bytes() for path in directory.iterdir()}
    anyone = ssl._create_unverified_context()
    first = served_certificate(node.port, anyone)
    try:
        certificates.make(directory)
        node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: served_certificate(node.port, anyone) != first, "it is renewed")
    finally:
        for path, data in old.items():
            path.write_bytes(data)
        node.process.send_signal(signal.SIGHUP)
    wait_until(lambda: served_certificate(node.port, anyone) == first, "the old one is back")


@pytest.mark.parametrize("given", ["RS3GW_TLS_CERT", "RS3GW_TLS_KEY"])
def test_a_node_does_not_start_with_half_a_certificate(files, given):
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "check"],
        env=os.environ | {given: str(files.cert)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode
    assert "give both RS3GW_TLS_CERT and RS3GW_TLS_KEY, or neither" in done.stderr
