"""Our HTTP server beside granian: one WSGI application, one client, figures side by side.

Run it with `make bench`. Read the ratio; the digits belong to the machine. Client and server share
it, so that requests a second say as much of the client; what a request costs the server is measured
as its processor time.
"""

import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS = 16
SECONDS = 3.0
ROUNDS = 3
BODY = b"x" * 4096
SMALL_GET = b"GET /a HTTP/1.1\r\nHost: bench\r\n\r\n"
SMALL_PUT = b"PUT /a HTTP/1.1\r\nHost: bench\r\nContent-Length: 4096\r\n\r\n" + BODY


def application(environ, start_response):
    """Read the body, answer 4 KiB."""
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Length", "4096"), ("Content-Type", "text/plain")])
    return [BODY]


def serve_ours(port):
    """Serve the application with our server until killed."""
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("RS3GW_SECRET_KEY", "b" * 40)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rs3gw.settings")
    from rs3gw.server.http import HttpServer, ListenerConfig

    config = ListenerConfig(
        host="127.0.0.1", port=port, app=application, threads=CONNECTIONS, name="bench"
    )
    HttpServer([config]).start()
    threading.Event().wait()


def serve_granian(port):
    """Serve the application with granian until killed."""
    words = ["-m", "granian", "--interface", "wsgi", "--port", str(port), "--no-access-log"]
    words += ["--blocking-threads", str(CONNECTIONS), "tests.bench.server_bench:application"]
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _client(port, request, counts):
    done, deadline = 0, time.monotonic() + SECONDS
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while time.monotonic() < deadline:
            sock.sendall(request)
            data = b""
            while not data.endswith(BODY[-64:]) or len(data) < len(BODY):
                data += sock.recv(65536)
            done += 1
    counts.append(done)


def _processor_seconds(pid):
    """Return the processor time of a process and of those it started."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    used = sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    started = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return used + sum(map(_processor_seconds, started))


def measure(pid, port, request):
    """Return requests a second over all connections, and microseconds of processor time of one."""
    counts = []
    used_before = _processor_seconds(pid)
    threads = [
        threading.Thread(target=_client, args=(port, request, counts)) for _ in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    used = _processor_seconds(pid) - used_before
    return sum(counts) / SECONDS, 1e6 * used / sum(counts)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(port):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("a server did not start")


def main():
    """Measure both servers, turn about, and print a table."""
    ours_port, granian_port = _free_port(), _free_port()
    ours = multiprocessing.get_context("spawn").Process(target=serve_ours, args=(ours_port,))
    ours.start()
    granian = serve_granian(granian_port)
    try:
        _wait(ours_port)
        _wait(granian_port)
        heads = ("ours/s", "granian/s", "ratio", "ours us", "granian us")
        sys.stdout.write(f"{'request':<12}" + "".join(f"{head:>12}" for head in heads) + "\n")
        for name, request in (("GET 4 KiB", SMALL_GET), ("PUT 4 KiB", SMALL_PUT)):
            rounds = [
                measure(ours.pid, ours_port, request) + measure(granian.pid, granian_port, request)
                for _ in range(ROUNDS)
            ]
            mine, my_us, theirs, their_us = map(statistics.median, zip(*rounds, strict=True))
            rates = f"{mine:>12.0f}{theirs:>12.0f}{mine / theirs:>12.2f}"
            sys.stdout.write(f"{name:<12}{rates}{my_us:>12.1f}{their_us:>12.1f}\n")
    finally:
        ours.kill()
        # Killed, it would leave its workers behind.
        granian.terminate()
        granian.wait()


if __name__ == "__main__":
    main()
