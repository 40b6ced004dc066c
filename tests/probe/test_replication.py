"""What is written to one node is read from the others, byte for byte."""

import time

from tests.probe.cluster import wait_until
from tests.probe.objects import body_of, digest, put_many, read, wait_for_bodies

SMALL_OBJECTS = 1000
SMALL_BYTES = 4 * 1024
LARGE_BYTES = 64 * 2**20
REGION_SECONDS = 2.0


def _add_rule(cluster, node, bucket):
    cluster.api(
        node,
        "POST",
        "/api/rules/",
        {"name": f"{bucket}-to-eu-west-1", "bucket": bucket, "region": "eu-west-1"},
    )


def test_a_thousand_small_objects_and_a_large_one_arrive_everywhere(cluster, east, west, bucket):
    first = cluster.s3(east[0])
    bodies = {f"small/{i:04}": body_of(f"{bucket}-{i}", SMALL_BYTES) for i in range(SMALL_OBJECTS)}
    large = body_of(f"{bucket}-large", LARGE_BYTES)
    _add_rule(cluster, east[0], bucket)

    put_many(first, bucket, bodies)
    first.put_object(Bucket=bucket, Key="large", Body=large)

    for node in east[1:]:
        s3 = cluster.s3(node)
        wait_for_bodies(s3, bucket, bodies, 60, node["node_id"])
        assert digest(read(s3, bucket, "large")) == digest(large)
    s3 = cluster.s3(west)
    wait_for_bodies(s3, bucket, bodies, 120, west["node_id"])
    wait_until(lambda: read(s3, bucket, "large") == large, 60, "the large object is in eu-west-1")


def test_another_node_reads_a_write_within_two_seconds(cluster, east, bucket):
    body = body_of(bucket, SMALL_BYTES)
    for turn in range(5):
        key = f"turn-{turn}"
        cluster.s3(east[turn % 3]).put_object(Bucket=bucket, Key=key, Body=body)
        acknowledged = time.monotonic()
        for node in east:
            s3 = cluster.s3(node)
            wait_until(lambda s3=s3, key=key: read(s3, bucket, key) == body, 10, node["node_id"])
        assert time.monotonic() - acknowledged < REGION_SECONDS * 2, "others are slow to see it"


def test_an_overwrite_and_a_delete_arrive_everywhere(cluster, east, west, bucket):
    first, third = cluster.s3(east[0]), cluster.s3(east[2])
    _add_rule(cluster, east[0], bucket)
    for key in ("kept", "changed", "gone"):
        first.put_object(Bucket=bucket, Key=key, Body=f"{key} 1".encode())
    others = [cluster.s3(node) for node in (*east, west)]
    for s3 in others:
        wait_until(lambda s3=s3: read(s3, bucket, "gone") == b"gone 1", 30, "the first versions")

    third.put_object(Bucket=bucket, Key="changed", Body=b"changed 2")
    third.delete_object(Bucket=bucket, Key="gone")

    for s3 in others:
        wait_until(lambda s3=s3: read(s3, bucket, "changed") == b"changed 2", 30, "the overwrite")
        wait_until(lambda s3=s3: read(s3, bucket, "gone") is None, 30, "the delete")
        assert read(s3, bucket, "kept") == b"kept 1"


def test_a_rule_also_carries_what_was_there_before_it(cluster, east, west, bucket):
    cluster.s3(east[0]).put_object(Bucket=bucket, Key="before", Body=b"already here")
    _add_rule(cluster, east[0], bucket)
    s3 = cluster.s3(west)
    wait_until(lambda: read(s3, bucket, "before") == b"already here", 30, "the old object")


def test_concurrent_writes_of_one_key_end_the_same_everywhere(cluster, east, bucket):
    clients = [cluster.s3(node) for node in east]
    for s3 in clients:
        wait_until(lambda s3=s3: read(s3, bucket, "none") is None, 10, "the bucket")
    for turn in range(10):
        for number, s3 in enumerate(clients):
            s3.put_object(Bucket=bucket, Key="contested", Body=f"{turn} {number}".encode())

    def agree():
        return len({read(s3, bucket, "contested") for s3 in clients}) == 1

    wait_until(agree, 20, "all nodes hold one winner")
    assert read(clients[0], bucket, "contested") == b"9 2"


def test_nothing_is_left_waiting(cluster):
    for node in cluster.nodes:
        wait_until(
            lambda node=node: cluster.waiting_events(node) == 0, 60, f"{node['node_id']} is idle"
        )
