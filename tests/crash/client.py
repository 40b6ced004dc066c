"""A small S3 client that tells whether a request was sent and whether its answer came."""

import hashlib
import http.client
import time
from dataclasses import dataclass
from urllib.parse import quote

from rs3gw.s3.core import sigv4

ACCESS_KEY, SECRET_KEY = "RSCRASHACCESSKEY", "crash-secret-key-of-the-run"
REGION = "us-east-1"
TIMEOUT_SECONDS = 60


class NotSentError(Exception):
    """No byte of the request left: it cannot have done anything."""


class NoAnswerError(Exception):
    """The request was sent, wholly or in part, and no complete answer came."""


class WrongAnswerError(AssertionError):
    """The node answered what it must not answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def etag(self):
        """The entity tag without quotes."""
        return self.headers.get("etag", "").strip('"')

    @property
    def version_id(self):
        """The version that was written or read, or None."""
        return self.headers.get("x-amz-version-id")


def target_of(bucket, key="", query=()):
    """Return path and query of a request, encoded as they are signed."""
    path = f"/{bucket}/{quote(key, safe='-_.~/')}" if key else f"/{bucket}"
    return path, sigv4.canonical_query(query)


def signed_headers(method, host, path, query, headers, *, now=None):
    """Return headers with a signature of everything but the payload."""
    amz_date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    scope = f"{amz_date[:8]}/{REGION}/s3/aws4_request"
    signed = {"host": host, "x-amz-content-sha256": sigv4.UNSIGNED_PAYLOAD, "x-amz-date": amz_date}
    signed |= {name: value for name, value in headers.items() if name.startswith("x-amz-")}
    names = sorted(signed)
    canonical = sigv4.canonical_request(
        method=method,
        path=path,
        query=query,
        headers=signed,
        signed_headers=names,
        payload_hash=sigv4.UNSIGNED_PAYLOAD,
    )
    key = sigv4.signing_key(SECRET_KEY, scope)
    signature = sigv4.sign(key, sigv4.string_to_sign(amz_date, scope, canonical))
    proof = (
        f"{sigv4.ALGORITHM} Credential={ACCESS_KEY}/{scope}, "
        f"SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return {**signed, **headers, "Authorization": proof}


class Client:
    """One connection to a node; not for several threads."""

    def __init__(self, port, on_sent=None):
        self._host = f"127.0.0.1:{port}"
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        self._on_sent = on_sent

    def close(self):
        """Close the connection."""
        self._connection.close()

    def send(self, method, bucket, key="", *, query=(), body=b"", headers=None):
        """Send a request and return its answer.

        Raises:
            NotSentError: There is no connection.
            NoAnswerError: The connection broke before the answer was complete.
        """
        path, text = target_of(bucket, key, query)
        signed = signed_headers(method, self._host, path, text, headers or {})
        try:
            if self._connection.sock is None:
                self._connection.connect()
        except OSError as error:
            raise NotSentError from error
        try:
            self._connection.request(method, f"{path}?{text}" if text else path, body, signed)
            if self._on_sent is not None:
                self._on_sent(method, query)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise NoAnswerError from error
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, content)

    def ask(self, method, bucket, key="", *, expected=(200,), **rest):
        """Send a request whose answer must have one of the `expected` statuses.

        Raises:
            WrongAnswerError: It has another.
        """
        answer = self.send(method, bucket, key, **rest)
        if answer.status not in expected:
            raise WrongAnswerError(
                f"{method} {bucket}/{key} {rest.get('query', '')}: "
                f"{answer.status} {answer.body[:300]!r}"
            )
        return answer


def md5_hex(data):
    """Return the entity tag of a body that was sent in one piece."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def multipart_etag(etags):
    """Return the entity tag of an object that was made of parts with these tags."""
    joined = b"".join(bytes.fromhex(etag) for etag in etags)
    return f"{md5_hex(joined)}-{len(etags)}"
