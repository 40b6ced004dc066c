"""Nodes, workers and brokers that are killed lose nothing and catch up by themselves."""

import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.probe.cluster import wait_until
from tests.probe.objects import body_of, put_many, read, wait_for_bodies

CLIENTS = 8
DETECTION_SECONDS = 30.0
WRITING_SECONDS = 5.0
OBJECT_BYTES = 4 * 1024
PAUSE_SECONDS = 0.02


class Writers:
    """Clients that write without pause, and remember what was acknowledged and what failed."""

    def __init__(self, clients, bucket):
        self.acknowledged = {}
        self.failures = []
        self._stopping = threading.Event()
        self._bucket = bucket
        self._threads = [
            threading.Thread(target=self._write, args=(number, client), daemon=True)
            for number, client in enumerate(clients)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=60)

    def _write(self, number, client):
        count = 0
        while not self._stopping.wait(PAUSE_SECONDS):
            key, body = f"{number}/{count:05}", body_of(f"{number} {count}", OBJECT_BYTES)
            try:
                client.put_object(Bucket=self._bucket, Key=key, Body=body)
            except (ClientError, BotoCoreError) as error:
                self.failures.append((time.monotonic(), key, str(error)))
            else:
                self.acknowledged[key] = body
            count += 1

    def failures_after(self, moment):
        """Return what failed after a moment of the monotonic clock."""
        return [failure for failure in self.failures if failure[0] > moment]

    def write_more(self, count):
        """Wait until so many more writes were acknowledged."""
        wanted = len(self.acknowledged) + count
        wait_until(lambda: len(self.acknowledged) >= wanted, 60, f"{count} more writes")


@pytest.fixture(autouse=True)
def _mended(cluster):
    """Leave a whole cluster behind, whatever the test did."""
    yield
    for node in cluster.status()["nodes"]:
        if node["state"] != "running":
            cluster.restart(node["node_id"])
    cluster.wait_healthy()


def test_a_killed_node_fails_no_write_and_catches_up(cluster, east, bucket):
    victim, others = east[2], east[:2]
    clients = [cluster.s3(others[number % 2]) for number in range(CLIENTS)]
    with Writers(clients, bucket) as writers:
        writers.write_more(CLIENTS * 5)
        cluster.kill(victim["node_id"])
        for node in others:
            wait_until(
                lambda node=node: cluster.members_seen(node)[victim["node_id"]][1] != "alive",
                DETECTION_SECONDS,
                f"{node['node_id']} notices",
            )
        noticed = time.monotonic()
        writers.write_more(CLIENTS * 20)
        assert writers.failures_after(noticed) == []
        cluster.restart(victim["node_id"])
        writers.write_more(CLIENTS * 5)
    assert writers.failures_after(noticed) == []
    wait_for_bodies(cluster.s3(victim), bucket, writers.acknowledged, 60, victim["node_id"])


def test_a_killed_broker_comes_back_and_nothing_is_lost(cluster, east, bucket):
    node_id = east[0]["node_id"]
    clients = [cluster.s3(east[0]) for _ in range(4)]
    with Writers(clients, bucket) as writers:
        writers.write_more(20)
        old = cluster.kill_process(node_id, "broker")
        writers.write_more(40)
        wait_until(
            lambda: cluster.status_of(node_id)["pids"].get("broker", old) != old,
            30,
            "the worker starts another broker",
        )
        writers.write_more(20)
    assert writers.failures == []
    for node in east[1:]:
        wait_for_bodies(cluster.s3(node), bucket, writers.acknowledged, 60, node["node_id"])


def test_a_killed_worker_delays_but_loses_nothing(cluster, east, west, bucket):
    node_id = east[0]["node_id"]
    rule = {"name": f"{bucket}-west", "bucket": bucket, "region": "eu-west-1"}
    cluster.api(east[0], "POST", "/api/rules/", rule)
    s3 = cluster.s3(east[0])
    bodies = {f"{i:03}": body_of(f"{bucket} {i}", OBJECT_BYTES) for i in range(100)}
    first, second = dict(list(bodies.items())[:50]), dict(list(bodies.items())[50:])
    put_many(s3, bucket, first)
    cluster.kill_process(node_id, "worker")
    put_many(s3, bucket, second)
    assert read(s3, bucket, "099") == bodies["099"]

    cluster.restart(node_id)

    for node in (*east, west):
        wait_for_bodies(cluster.s3(node), bucket, bodies, 60, node["node_id"])


def test_a_majority_that_is_gone_refuses_writes_and_serves_reads(cluster, east, bucket):
    s3 = cluster.s3(east[0])
    s3.put_object(Bucket=bucket, Key="before", Body=b"kept")
    for node in east[1:]:
        cluster.kill(node["node_id"])
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="refused", Body=b"lost")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert read(s3, bucket, "before") == b"kept"


def test_what_a_majority_confirmed_reaches_the_rest_although_its_origin_is_gone(
    cluster, east, bucket
):
    origin, _, third = east
    cluster.command("pause", "--node", third["node_id"])
    cluster.s3(origin).put_object(Bucket=bucket, Key="confirmed", Body=b"by two of three")
    cluster.kill(origin["node_id"])
    cluster.command("resume", "--node", third["node_id"])
    s3 = cluster.s3(third)
    wait_until(
        lambda: [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])],
        90,
        "the third node has it",
    )
    assert read(s3, bucket, "confirmed") == b"by two of three"
