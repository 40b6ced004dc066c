"""Requests signed by hand and sent byte for byte: what no client would send can be sent."""

import hashlib
import hmac
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

from rs3gw.s3.core.xml import parse
from tests.integration.s3.conftest import ACCESS_KEY, SECRET_KEY

UNSIGNED = "UNSIGNED-PAYLOAD"
PATIENCE_SECONDS = 20


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def percent(text):
    return quote(text.encode("utf-8", "surrogateescape"), "")


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def now_text():
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


@dataclass
class Signed:
    """A request that is signed in its headers or, with `expires`, in its URL.

    What is changed after `sign` is what an attacker would change.
    """

    path: str
    method: str = "PUT"
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    payload: str = UNSIGNED
    expires: str | None = None
    date: str = field(default_factory=now_text)
    region: str = "us-east-1"
    service: str = "s3"
    access_key: str = ACCESS_KEY
    secret: str = SECRET_KEY
    unsigned_headers: tuple[str, ...] = ()
    absent_headers: tuple[str, ...] = ()
    signature: str = ""

    @property
    def scope(self):
        return f"{self.date[:8]}/{self.region}/{self.service}/aws4_request"

    @property
    def key(self):
        key = f"AWS4{self.secret}".encode()
        for piece in self.scope.split("/"):
            key = mac(key, piece)
        return key

    def sign(self):
        self.headers = {"host": "127.0.0.1", **self.headers}
        if self.expires is None:
            self.headers |= {"x-amz-date": self.date, "x-amz-content-sha256": self.payload}
        covered = set(self.headers) - set(self.unsigned_headers) | set(self.absent_headers)
        names = ";".join(sorted(covered))
        if self.expires is not None:
            self.query |= {
                "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
                "X-Amz-Credential": f"{self.access_key}/{self.scope}",
                "X-Amz-Date": self.date,
                "X-Amz-Expires": self.expires,
                "X-Amz-SignedHeaders": names,
            }
        query = "&".join(sorted(f"{percent(k)}={percent(v)}" for k, v in self.query.items()))
        lines = [f"{name}:{self.headers.get(name, '').strip()}" for name in sorted(covered)]
        text = "\n".join([self.method, self.path, query, *lines, "", names, self.payload])
        to_sign = "\n".join(
            [
                "AWS4-HMAC-SHA256",
                self.date,
                self.scope,
                sha256(text.encode("utf-8", "surrogateescape")),
            ]
        )
        self.signature = mac(self.key, to_sign).hex()
        if self.expires is not None:
            self.query["X-Amz-Signature"] = self.signature
        else:
            self.headers["authorization"] = (
                f"AWS4-HMAC-SHA256 Credential={self.access_key}/{self.scope}, "
                f"SignedHeaders={names}, Signature={self.signature}"
            )
        return self

    def head(self):
        query = "&".join(f"{percent(k)}={percent(v)}" for k, v in self.query.items())
        target = f"{self.path}?{query}" if query else self.path
        lines = [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([f"{self.method} {target} HTTP/1.1", *lines, "", ""]).encode()


@dataclass
class Answer:
    status: int
    headers: str
    body: bytes

    @property
    def code(self):
        return parse(self.body).findtext("Code") if self.body.startswith(b"<?xml") else ""

    def element(self, name):
        return parse(self.body).findtext(name)


def send(node, request, body=b"", *, framing="length", awaits_continue=False):
    """Send a request and its body, and return the answer.

    `framing` is how the body is delimited: "length", "chunked", or "" for what is in the headers.
    """
    if framing == "length":
        request.headers["content-length"] = str(len(body))
    elif framing == "chunked":
        request.headers["transfer-encoding"] = "chunked"
        pieces = [body[i : i + 5000] for i in range(0, len(body), 5000)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    if awaits_continue:
        request.headers["expect"] = "100-continue"
    request.headers.setdefault("connection", "close")
    with socket.create_connection(("127.0.0.1", node.port), timeout=PATIENCE_SECONDS) as sock:
        sock.sendall(request.head())
        received = b""
        if awaits_continue:
            received = sock.recv(65536)
            if not received.startswith(b"HTTP/1.1 100 "):
                return _answer(received, sock)
            received = received.partition(b"\r\n\r\n")[2]
        sock.sendall(body)
        sock.shutdown(socket.SHUT_WR)
        return _answer(received, sock)


def _answer(received, sock):
    while data := sock.recv(65536):
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    return Answer(int(head.split()[1]), head.decode("latin-1"), body)


class Chunks:
    """A body in the aws-chunked coding, signed when it is given a signed request."""

    def __init__(self, request=None):
        self._request = request
        self._previous = request.signature if request else ""

    def _sign(self, kind, *lines):
        request = self._request
        text = [f"AWS4-HMAC-SHA256-{kind}", request.date, request.scope, self._previous, *lines]
        self._previous = mac(request.key, "\n".join(text)).hex()
        return self._previous.encode()

    def chunk(self, data):
        line = b"%x" % len(data)
        if self._request:
            line += b";chunk-signature=" + self._sign("PAYLOAD", sha256(b""), sha256(data))
        return line + b"\r\n" + data + (b"\r\n" if data else b"")

    def body(self, payload, size, trailers=()):
        """Return the whole body, in chunks of a size, with trailers given as (name, value)."""
        pieces = [payload[i : i + size] for i in range(0, len(payload), size)]
        found = b"".join(self.chunk(piece) for piece in (*pieces, b""))
        lines = b"".join(f"{name}:{value}\n".encode() for name, value in trailers)
        found += lines.replace(b"\n", b"\r\n")
        if lines and self._request:
            signature = self._sign("TRAILER", sha256(lines))
            found += b"x-amz-trailer-signature:" + signature + b"\r\n"
        return found + b"\r\n"
