"""Asking several peers at once without waiting for the slowest of them.

A peer that hangs costs one thread for as long as its request may take, and is not asked again
before that; the others are not held up.
"""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait

from cluster.transport import PeerClient, PeerError, PeerUnreachable
from rs3gw.common import clock
from rs3gw.common.database import release_connections

logger = logging.getLogger(__name__)
THREADS_MAX = 16

Ask = Callable[[], object]


class FanOut:
    """A few threads that ask peers; one question at a time for each."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._pool: ThreadPoolExecutor | None = None
        self._busy: set[str] = set()
        self.round_trips_seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    def ask(
        self, path: str, bodies: Mapping[str, object], *, timeout_seconds: float
    ) -> tuple[dict[str, object], dict[str, PeerError]]:
        """POST a JSON body to each address; return the answers and the failures so far.

        Args:
            path: Path on the peers.
            bodies: JSON value by address.
            timeout_seconds: Longest time to wait for all of them, > 0.
        """
        futures: dict[Future[object], str] = {}
        for address, body in bodies.items():
            if self._reserve(address):
                future = self._submit(address, path, body, timeout_seconds)
                futures[future] = address
        done, _ = wait(futures, timeout=timeout_seconds)
        answers: dict[str, object] = {}
        failures: dict[str, PeerError] = {}
        for future in done:
            error = future.exception()
            if error is None:
                answers[futures[future]] = future.result()
            elif isinstance(error, PeerError):
                failures[futures[future]] = error
            else:
                raise error
        return answers, failures

    def _reserve(self, address: str) -> bool:
        with self._lock:
            if address in self._busy:
                return False
            self._busy.add(address)
            if self._pool is None:
                self._pool = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix=self._name)
            return True

    def _submit(
        self, address: str, path: str, body: object, timeout_seconds: float
    ) -> Future[object]:
        assert self._pool is not None

        def run() -> object:
            began = clock.monotonic()
            try:
                answer = post(address, path, body, timeout_seconds=timeout_seconds)
                self.round_trips_seconds[address] = clock.monotonic() - began
                return answer
            finally:
                release_connections()
                with self._lock:
                    self._busy.discard(address)

        return self._pool.submit(run)


def post(address: str, path: str, body: object, *, timeout_seconds: float) -> object:
    """POST one JSON value and return the JSON value that comes back.

    Raises:
        PeerError: The peer does not answer, refuses, or answers something else.
    """
    data = json.dumps(body, separators=(",", ":")).encode()
    response = PeerClient(address).request("POST", path, body=data, timeout_seconds=timeout_seconds)
    try:
        return json.loads(response.body)
    except ValueError:
        raise PeerUnreachable(f"{address} does not answer in JSON.") from None
