"""Large objects pass through a node; they never fit into it.

PROBE_OBJECT_MIB chooses their size, up to 5120 (5 GiB, the largest body of one request).
"""

import contextlib
import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from boto3.s3.transfer import TransferConfig

from tests.probe.cluster import DevCluster

OBJECT_BYTES = int(os.environ.get("PROBE_OBJECT_MIB", "512")) * 2**20
RESIDENT_BYTES_MAX = 200 * 10**6
BUSY_RESIDENT_BYTES_MAX = 280 * 10**6
SYNC_SECONDS = 600
MANY_CLIENTS = 40
MANY_BYTES = 8 * 2**20
BLOCK_BYTES = 2**20
BLOCK = os.urandom(BLOCK_BYTES - 8)


class Generated(io.RawIOBase):
    """A body that nobody stores: a random block over and over, each with its number in front."""

    def __init__(self, size):
        self._size, self._at = size, 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self._at

    def seek(self, offset, whence=io.SEEK_SET):
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer):
        number, skipped = divmod(self._at, BLOCK_BYTES)
        block = number.to_bytes(8, "big") + BLOCK
        piece = block[skipped : skipped + min(len(buffer), self._size - self._at)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def _generated():
    return io.BufferedReader(Generated(OBJECT_BYTES), BLOCK_BYTES)


def _digest_of(body):
    digest = hashlib.sha256()
    while piece := body.read(BLOCK_BYTES):
        digest.update(piece)
    return digest.hexdigest()


def _web_pids(cluster):
    return {node["node_id"]: node["pids"]["web"] for node in cluster.nodes}


def _forget_peaks(cluster):
    for pid in _web_pids(cluster).values():
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def _peaks(cluster):
    """Return the highest resident size of each node's web process since peaks were forgotten."""
    found = {}
    for node_id, pid in _web_pids(cluster).items():
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        text = next(line for line in lines if line.startswith("VmHWM:"))
        found[node_id] = int(text.split()[1]) * 1024
    return found


@pytest.fixture(scope="module", params=["plain", "tls"])
def pair(request):
    """Two nodes, and one copy of each body: the other node has to fetch it."""
    words = ["--replication-factor", "1", *(["--tls"] if request.param == "tls" else [])]
    with DevCluster(topology="us-east-1:2", words=words) as running:
        for node in running.nodes:
            running.s3(node).list_buckets()
        running.s3(running.nodes[0]).create_bucket(Bucket="large")
        yield running


@contextlib.contextmanager
def _watched(cluster, record_property, bytes_max):
    """Fail when a web process has grown too large meanwhile."""
    _forget_peaks(cluster)
    yield cluster
    peaks = _peaks(cluster)
    for node_id, peak_bytes in peaks.items():
        record_property(f"peak_mb {node_id}", peak_bytes // 10**6)
    assert max(peaks.values()) < bytes_max, peaks


@pytest.fixture
def small_nodes(pair, record_property):
    """The nodes, while they move one object after the other."""
    with _watched(pair, record_property, RESIDENT_BYTES_MAX) as watched:
        yield watched


@pytest.fixture
def busy_nodes(pair, record_property):
    """The nodes, while all their threads work."""
    with _watched(pair, record_property, BUSY_RESIDENT_BYTES_MAX) as watched:
        yield watched


def _client(cluster, node):
    # The disk takes its time to sync that much.
    return cluster.s3(node, read_timeout=SYNC_SECONDS)


def test_an_object_in_one_request_passes_through(small_nodes):
    body = _generated()
    first, second = small_nodes.nodes
    _client(small_nodes, first).put_object(Bucket="large", Key="one", Body=body)
    wanted = _digest_of(_generated())
    for node in (first, second):
        answer = _client(small_nodes, node).get_object(Bucket="large", Key="one")
        assert answer["ContentLength"] == OBJECT_BYTES
        assert _digest_of(answer["Body"]) == wanted


def test_an_object_in_parts_passes_through(small_nodes):
    wanted = _digest_of(_generated())
    first, second = small_nodes.nodes
    client = _client(small_nodes, first)
    parts = TransferConfig(multipart_chunksize=64 * 2**20, max_concurrency=4)
    client.upload_fileobj(_generated(), "large", "parts", Config=parts)
    for node in (first, second):
        answer = _client(small_nodes, node).get_object(Bucket="large", Key="parts")
        assert _digest_of(answer["Body"]) == wanted


def test_a_copy_passes_through(small_nodes):
    first, second = small_nodes.nodes
    client = _client(small_nodes, second)
    client.copy_object(Bucket="large", Key="copy", CopySource="large/one")
    answer = _client(small_nodes, first).get_object(
        Bucket="large", Key="copy", Range=f"bytes={OBJECT_BYTES // 2}-"
    )
    assert len(answer["Body"].read(4096)) == 4096
    answer["Body"].close()


def test_many_at_once_pass_through(busy_nodes):
    data = os.urandom(MANY_BYTES)
    first = busy_nodes.nodes[0]
    client = busy_nodes.s3(first, read_timeout=SYNC_SECONDS, max_pool_connections=MANY_CLIENTS)

    def move(number):
        client.put_object(Bucket="large", Key=f"many-{number % MANY_CLIENTS}", Body=data)
        answer = client.get_object(Bucket="large", Key=f"many-{number % MANY_CLIENTS}")
        return answer["Body"].read() == data

    # More clients than threads: each thread has its buffers, each connection its cipher state.
    with ThreadPoolExecutor(MANY_CLIENTS) as pool:
        assert all(pool.map(move, range(3 * MANY_CLIENTS)))
