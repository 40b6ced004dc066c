"""A load balancer as small as one can be: it asks who is ready, and never tries twice."""

import contextlib
import itertools
import socket
import threading

import requests

POLL_SECONDS = 0.2
CHUNK_BYTES = 64 * 1024


class Balancer:
    """Passes each connection on to the next ready node; what fails there fails for the client."""

    def __init__(self, nodes):
        self._nodes = nodes
        self._ready = []
        self._turn = itertools.count()
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.served = {node["node_id"]: 0 for node in nodes}

    def __enter__(self):
        self._poll_once()
        for target in (self._poll, self._accept):
            threading.Thread(target=target, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._listener.close()

    def _poll(self):
        while not self._stopping.wait(POLL_SECONDS):
            self._poll_once()

    def _poll_once(self):
        self._ready = [node for node in self._nodes if self._is_ready(node)]

    @staticmethod
    def _is_ready(node):
        try:
            url = node["s3_url"] + "/healthz/ready"
            return requests.get(url, timeout=1).status_code == 200
        except requests.RequestException:
            return False

    def _accept(self):
        while not self._stopping.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client):
        with client:
            ready = self._ready
            if not ready:
                return
            node = ready[next(self._turn) % len(ready)]
            self.served[node["node_id"]] += 1
            host, _, port = node["s3_url"].partition("//")[2].rpartition(":")
            try:
                server = socket.create_connection((host, int(port)), timeout=5)
            except OSError:
                return
            with server:
                server.settimeout(None)
                up = threading.Thread(target=self._copy, args=(client, server), daemon=True)
                up.start()
                self._copy(server, client)
                up.join()

    @staticmethod
    def _copy(source, target):
        with contextlib.suppress(OSError):
            while chunk := source.recv(CHUNK_BYTES):
                target.sendall(chunk)
        for sock in (source, target):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
