"""Too much load and a peer that stands still: what is said is kept, and it passes."""

import http.client
import os
import signal
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

import pytest

from tests.probe.cluster import DevCluster, wait_until
from tests.probe.objects import body_of, put_many, wait_for_bodies

# The default is to run 28 requests and let 128 wait; four times that come.
CLIENTS = 624
LOAD_SECONDS = 6.0
ACCEPTED_SECONDS_MAX = 15.0
RECOVERY_SECONDS = 5.0
OBJECT_BYTES = 4 * 1024


@pytest.fixture(scope="module")
def pair():
    """Two nodes of one region that answer before they copy."""
    with DevCluster(topology="us-east-1:2", mode="async") as running:
        running.wait_healthy()
        yield running


class Flood:
    """Clients that ask without a pause, each over one connection for as long as it lasts."""

    def __init__(self, url):
        parts = urlsplit(url)
        self._address, self._target = parts.netloc, f"{parts.path}?{parts.query}"
        self.answers = Counter()
        self.waits = []
        self.failures = []
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        for thread in self._threads:
            thread.join(timeout=60)

    def _ask(self):
        connection = http.client.HTTPConnection(self._address, timeout=30)
        while not self._ending.is_set():
            started = time.monotonic()
            try:
                connection.request("PUT", self._target, body=b"x" * 100)
                answer = connection.getresponse()
                body = answer.read()
            except OSError as error:
                self.failures.append(repr(error))
                connection.close()
                continue
            self.answers[answer.status] += 1
            if answer.status == 200:
                self.waits.append(time.monotonic() - started)
            elif b"<Code>SlowDown</Code>" not in body or not answer.headers["Retry-After"]:
                self.failures.append(body.decode())
        connection.close()


def test_four_times_the_load_is_answered_or_turned_away_and_passes(pair):
    first = pair.nodes[0]
    s3 = pair.s3(first, signature_version="s3v4")
    s3.create_bucket(Bucket="flood")
    params = {"Bucket": "flood", "Key": "k"}
    with Flood(s3.generate_presigned_url("put_object", Params=params)) as flood:
        deadline = time.monotonic() + LOAD_SECONDS
        wait_until(lambda: flood.answers[503] and flood.answers[200], 30, "some are turned away")
        while time.monotonic() < deadline:
            health = http.client.HTTPConnection(urlsplit(first["s3_url"]).netloc, timeout=10)
            health.request("GET", "/healthz/live")
            assert health.getresponse().status == 200
            health.close()
    ended = time.monotonic()
    assert flood.failures == []
    assert set(flood.answers) == {200, 503}
    assert max(flood.waits) < ACCEPTED_SECONDS_MAX
    wait_until(
        lambda: s3.put_object(**params, Body=b"after")["ResponseMetadata"]["HTTPStatusCode"] == 200,
        RECOVERY_SECONDS,
        "a write is answered again",
    )
    assert time.monotonic() - ended < RECOVERY_SECONDS
    states = {state for state, _ in pair.members_seen(first).values()}
    assert states == {"active"}


def link_state(pair, node, destination):
    found = pair.api(node, "GET", "/api/cluster/links")["links"]
    return next(
        link["state"]
        for link in found
        if (link["destination"], link["traffic"]) == (destination, "data")
    )


def test_a_peer_that_stands_still_is_left_alone_and_catches_up(pair):
    first, second = pair.nodes
    name = second["node_id"]
    s3 = pair.s3(first)
    s3.create_bucket(Bucket="pause")
    wait_until(lambda: link_state(pair, first, name) == "closed", 30, "the link is closed")
    pids = [pid for pid in pair.status_of(name)["pids"].values() if pid]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        bodies = {f"{i:03}": body_of(f"pause {i}", OBJECT_BYTES) for i in range(100)}
        put_many(s3, "pause", bodies)
        wait_until(lambda: link_state(pair, first, name) == "open", 60, "the breaker opens")
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    resumed = time.monotonic()
    wait_until(lambda: link_state(pair, first, name) == "closed", 30, "the breaker closes")
    wait_until(lambda: pair.waiting_events(first) == 0, 30, "the backlog drains")
    wait_for_bodies(pair.s3(second), "pause", bodies, 30, name)
    assert time.monotonic() - resumed < 30
