"""A node as a process that is made to be killed."""

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.crash.client import ACCESS_KEY, SECRET_KEY
from tests.servers import ENDS_WITH_US, free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]
COLLECT = (
    "import time, django; django.setup(); from rs3gw.storage.collector import collect; "
    "now = time.time() + 3600; collect(now=now, grace_seconds=0); "
    "print(collect(now=now, grace_seconds=0))"
)


class CrashNode:
    """One data directory and the web process on it.

    Args:
        directory: Where the node keeps its data.
        database_url: A PostgreSQL server's; empty for SQLite in the directory.
        mutant: Name of a deliberate fault from `broken_manage`, or "".
    """

    def __init__(self, directory, *, database_url="", mutant=""):
        self.directory = Path(directory)
        self.database_url = database_url
        self.is_broken = bool(mutant)
        self.port = free_port()
        self.process = None
        script = Path(__file__).with_name("broken_manage.py") if mutant else ROOT / "manage.py"
        self._manage = [sys.executable, str(script), *([mutant] if mutant else [])]
        self._env = {
            name: value for name, value in os.environ.items() if not name.startswith("RS3GW_")
        } | {
            "RS3GW_DATA_DIR": str(self.directory),
            "RS3GW_SECRET_KEY": "crash-tests-only-0123456789abcdef",
            "RS3GW_BIND_ADDR": f"127.0.0.1:{self.port}",
            "RS3GW_INIT_ACCESS_KEY": ACCESS_KEY,
            "RS3GW_INIT_SECRET_KEY": SECRET_KEY,
            "RS3GW_BROKER_URL": "memory://",
            "DJANGO_SETTINGS_MODULE": "rs3gw.settings",
            "PYTHONPATH": str(ROOT),
        }
        if database_url:
            self._env["RS3GW_DATABASE_URL"] = database_url

    def migrate(self):
        """Make the tables."""
        command = [*self._manage, "migrate", "-v0"]
        subprocess.run(command, env=self._env, check=True, capture_output=True, cwd=ROOT)

    def launch(self):
        """Start the process without waiting for it."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*ENDS_WITH_US, *self._manage, "serve", "--init"],
                env=self._env,
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def start(self):
        """Start the process and wait until it answers."""
        self.launch()
        wait_until(self._is_live, seconds=60, what="the node answers")

    def kill(self):
        """Send SIGKILL; harmless when the process is gone."""
        self.process.send_signal(signal.SIGKILL)

    def wait_dead(self):
        """Wait until the killed process is gone, and fail when it ended by itself."""
        status = self.process.wait(timeout=30)
        assert status == -signal.SIGKILL, f"the node ended with {status}:\n{self.log_tail()}"

    def stop(self):
        """Stop the process in an orderly way, however it is."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def collector(self):
        """Start two sweeps without any grace as a process; the node must be down."""
        return subprocess.Popen(
            [sys.executable, "-c", COLLECT],
            env=self._env,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )

    def log_tail(self):
        """Return the end of what the node wrote."""
        return self._log.read_text(errors="replace")[-4000:]

    @property
    def _log(self):
        return self.directory / "web.log"

    def _is_live(self):
        assert self.process.poll() is None, self.log_tail()
        try:
            url = f"http://127.0.0.1:{self.port}/healthz/live"
            with urllib.request.urlopen(url, timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False
