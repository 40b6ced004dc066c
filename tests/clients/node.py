"""The server under test: one node as a process, over HTTP or TLS."""

import os
import re
import secrets
import shutil
import signal
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

from tests.servers import ENDS_WITH_US, free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]
ACCESS_KEY, SECRET_KEY = "RSTESTACCESSKEY", "test-secret-key-of-the-run"
DOMAIN = "s3.localhost"

METRICS_TOKEN = "test-metrics-token-of-the-run"
SERVER_ERROR = re.compile(
    r'^rs3gw_s3_requests_total\{[^}]*status="(5\d\d)"[^}]*\} ([\d.e+]+)$', re.MULTILINE
)


class Node:
    """A node with a directory and a port of its own; `certificate` is (CA, cert, key) or None."""

    def __init__(self, python, certificate=None):
        self.directory = Path(tempfile.mkdtemp(prefix="rs3gw-clients-"))
        self.port = free_port()
        self.ca_file = str(certificate[0]) if certificate else None
        self.url = f"{'https' if certificate else 'http'}://localhost:{self.port}"
        self._python = str(python)
        self._certificate = certificate
        self._process = None

    def _environment(self):
        env = {name: text for name, text in os.environ.items() if not name.startswith("RS3GW_")}
        env |= {
            "RS3GW_SECRET_KEY": secrets.token_hex(32),
            "RS3GW_DATA_DIR": str(self.directory / "data"),
            "RS3GW_BIND_ADDR": f"127.0.0.1:{self.port}",
            "RS3GW_INIT_ACCESS_KEY": ACCESS_KEY,
            "RS3GW_INIT_SECRET_KEY": SECRET_KEY,
            "RS3GW_S3_DOMAIN": DOMAIN,
            "RS3GW_METRICS_TOKEN": METRICS_TOKEN,
        }
        if self._certificate:
            _, cert, key = self._certificate
            env |= {"RS3GW_TLS_CERT": str(cert), "RS3GW_TLS_KEY": str(key)}
        return env

    def start(self):
        """Start the process and wait until it answers."""
        env = self._environment()
        (self.directory / "data").mkdir()
        manage = [self._python, str(ROOT / "manage.py")]
        with (self.directory / "log").open("ab") as log:
            migrate = [*manage, "migrate", "-v0"]
            done = subprocess.run(migrate, env=env, stdout=log, stderr=log, timeout=120)
            assert done.returncode == 0, self.log()
            self._process = subprocess.Popen(
                [*ENDS_WITH_US, *manage, "serve", "--init"],
                env=env,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_until(self._is_live, seconds=60, what="the node answers")

    def _is_live(self):
        assert self._process.poll() is None, self.log()
        trust = ssl.create_default_context(cafile=self.ca_file)
        try:
            address = f"{self.url}/healthz/live"
            with urllib.request.urlopen(address, timeout=2, context=trust) as answer:
                return answer.status == 200
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLError):
                raise error.reason from None
            return False

    def server_errors(self):
        """Count the answers 5xx by status; clients repeat such requests without a word."""
        trust = ssl.create_default_context(cafile=self.ca_file)
        headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
        request = urllib.request.Request(f"{self.url}/metrics", headers=headers)
        with urllib.request.urlopen(request, timeout=10, context=trust) as answer:
            found = SERVER_ERROR.findall(answer.read().decode())
        counts = Counter()
        for status, count in found:
            counts[int(status)] += round(float(count))
        return counts

    def log(self):
        """Return what the server has written."""
        return (self.directory / "log").read_text(errors="replace")

    def stop(self):
        """Stop the process and remove its directory."""
        if self._process:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=20)
        shutil.rmtree(self.directory, ignore_errors=True)
