"""A small S3 client that knows exactly what it was told, and signs by the clock of the server."""

import http.client
import time

from tests.crash import client as crash

ACCESS_KEY, SECRET_KEY = crash.ACCESS_KEY, crash.SECRET_KEY
PORT = 9000
TIMEOUT_SECONDS = 6.0
NotSentError, NoAnswerError = crash.NotSentError, crash.NoAnswerError


class Client:
    """One connection to a node; not for several threads.

    Args:
        host: Address of the node.
        clock_offset: Returns how many seconds the node's wall clock is ahead.
        timeout_seconds: How long to wait for a connection or an answer.
    """

    def __init__(self, host, clock_offset=lambda: 0.0, timeout_seconds=TIMEOUT_SECONDS):
        self._host = f"{host}:{PORT}"
        self._clock_offset = clock_offset
        self._connection = http.client.HTTPConnection(host, PORT, timeout=timeout_seconds)

    def close(self):
        """Close the connection."""
        self._connection.close()

    def send(self, method, bucket, key="", *, query=(), body=b"", headers=None):
        """Send a request and return its answer.

        Raises:
            NotSentError: There is no connection.
            NoAnswerError: The connection broke, or too much time passed, before the answer.
        """
        path, text = crash.target_of(bucket, key, query)
        now = time.time() + self._clock_offset()
        signed = crash.signed_headers(method, self._host, path, text, headers or {}, now=now)
        try:
            if self._connection.sock is None:
                self._connection.connect()
        except OSError as error:
            self._connection.close()
            raise NotSentError(str(error)) from error
        try:
            self._connection.request(method, f"{path}?{text}" if text else path, body, signed)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise NoAnswerError(str(error)) from error
        names = {name.lower(): value for name, value in response.getheaders()}
        return crash.Answer(response.status, names, content)
