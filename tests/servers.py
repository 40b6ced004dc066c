"""Throw-away servers for the tests: started on free ports, stopped with the run."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

START_SECONDS = 30
# A run that is killed takes its servers with it.
ENDS_WITH_US = ("setpriv", "--pdeathsig", "TERM")


def free_port():
    """Return a TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, *, seconds, what):
    """Wait until `condition()` holds; fail after `seconds`, saying `what` did not happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds} s")


def _listens(port):
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class _Server:
    """A process with a directory and a port of its own."""

    def __init__(self):
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="rs3gw-server-"))
        self._process = None

    def _launch(self, command):
        log = (self.directory / "log").open("wb")
        self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        log.close()
        try:
            wait_until(lambda: _listens(self.port), seconds=START_SECONDS, what=command[0])
        except AssertionError as error:
            text = (self.directory / "log").read_text(errors="replace")
            self.stop()
            raise AssertionError(f"{error}\n{text}") from None

    def stop(self):
        """Stop the server and remove its directory."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def _postgres_program(name):
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    assert found, "PostgreSQL is not installed: run `make apt`"
    return str(found[-1])


def _as_postgres():
    """Return the words that run a command as an ordinary user: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return list(ENDS_WITH_US)
    return [*ENDS_WITH_US, "--reuid=postgres", "--regid=postgres", "--clear-groups"]


class PostgresServer(_Server):
    """A PostgreSQL server that trades durability for speed; never for real data."""

    def start(self):
        """Make a database directory and start a server on it."""
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")
        data = self.directory / "data"
        initdb = [_postgres_program("initdb"), "-D", str(data), "-U", "rs3gw", "-A", "trust"]
        subprocess.run(
            [*_as_postgres(), *initdb, "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"],
            check=True,
            capture_output=True,
            cwd="/",
        )
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": 60,
        }
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        self._launch([*_as_postgres(), _postgres_program("postgres"), "-D", str(data), *words])

    @property
    def url(self):
        """Address for RS3GW_DATABASE_URL."""
        return f"postgres://rs3gw@127.0.0.1:{self.port}/postgres"


class RedisServer(_Server):
    """A Redis server without persistence."""

    def start(self):
        """Start the server."""
        program = shutil.which("redis-server")
        assert program, "Redis is not installed: run `make apt`"
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._launch([*ENDS_WITH_US, program, *words, "--dir", str(self.directory)])

    @property
    def url(self):
        """Address for RS3GW_BROKER_URL."""
        return f"redis://127.0.0.1:{self.port}/0"
