"""The servers that are compared: a node, moto, and a handler that stores nothing."""

import hashlib
import os
import subprocess
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path

from tests.crash.node import CrashNode
from tests.servers import ENDS_WITH_US, free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]
MOTO = ROOT / ".venv-bench" / "bin" / "moto_server"
SMALL_BYTES = 4096
LARGE_BYTES = 64 * 2**20
READ_BYTES = 256 * 1024
_CHUNK = b"x" * 2**20


class Node(CrashNode):
    """A node with its defaults: everything that it acknowledges is durable.

    Args:
        is_profiled: Whether it collects what its requests cost; see `profiled_manage`.
    """

    def __init__(self, *, is_profiled=False):
        super().__init__(tempfile.mkdtemp(prefix="rs3gw-bench-"))
        if is_profiled:
            script = Path(__file__).with_name("profiled_manage.py")
            self._manage = [sys.executable, str(script)]
        self.migrate()
        self.start()


class Moto:
    """moto's server, with its threads, in an environment of its own."""

    def __init__(self):
        if not MOTO.exists():
            raise SystemExit("moto is not installed: run `make bench`, which installs it")
        self.port = free_port()
        self._process = subprocess.Popen(
            [*ENDS_WITH_US, str(MOTO), "-H", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._is_live, seconds=60, what="moto answers")

    def _is_live(self):
        try:
            url = f"http://127.0.0.1:{self.port}/moto-api/"
            with urllib.request.urlopen(url, timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self):
        """Stop the server."""
        self._process.kill()
        self._process.wait()


class Raw:
    """Our HTTP server with a handler that reads, hashes and forgets."""

    def __init__(self):
        self.port = free_port()
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [*ENDS_WITH_US, sys.executable, "-m", "tests.bench.servers", str(self.port)],
            env=environment,
        )
        wait_until(self._is_live, seconds=60, what="the raw handler answers")

    def _is_live(self):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/bench/x", timeout=1).close()
        except OSError:
            return False
        return True

    def stop(self):
        """Stop the server."""
        self._process.kill()
        self._process.wait()


def forget(environ, start_response):
    """Read a body and hash it as S3 asks; answer a constant."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    while chunk := environ["wsgi.input"].read(READ_BYTES):
        sha256.update(chunk)
        md5.update(chunk)
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    headers = [("ETag", f'"{md5.hexdigest()}"'), ("Content-Type", "binary/octet-stream")]
    if method == "DELETE":
        start_response("204 No Content", headers)
        return []
    size = LARGE_BYTES if "/large" in path else SMALL_BYTES
    size = 0 if method == "PUT" else size
    start_response("200 OK", [*headers, ("Content-Length", str(size))])
    if method == "HEAD" or not size:
        return []
    return [_CHUNK] * (size // len(_CHUNK)) or [_CHUNK[:size]]


def _serve_raw(port):
    os.environ.setdefault("RS3GW_SECRET_KEY", "b" * 40)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rs3gw.settings")
    from rs3gw.server.http import HttpServer, ListenerConfig

    config = ListenerConfig(host="127.0.0.1", port=port, app=forget, threads=32, name="raw")
    HttpServer([config]).start()
    threading.Event().wait()


if __name__ == "__main__":
    _serve_raw(int(sys.argv[1]))
