"""Deletes stay deleted, and who was away for too long brings nothing back unasked."""

import re

import pytest
import requests

from tests.probe.cluster import DevCluster, wait_until
from tests.probe.objects import read

# Everything that takes a day takes a moment here.
HASTE = {
    "RS3GW_EVENT_RETENTION": "0s",
    "RS3GW_TOMBSTONE_MIN_AGE_SECONDS": "0s",
    "RS3GW_TRIM_INTERVAL": "500ms",
    "RS3GW_HEARTBEAT_INTERVAL": "500ms",
    "RS3GW_HEARTBEAT_TIMEOUT": "3s",
    "RS3GW_OUTBOX_MAX_EVENTS": "20",
}
BUCKET = "forgetting"
MANY = 30


@pytest.fixture(scope="module")
def hasty():
    with DevCluster(topology="us-east-1:3", mode="async", environment=HASTE) as running:
        running.s3(running.nodes[0]).create_bucket(Bucket=BUCKET)
        for node in running.nodes:
            s3 = running.s3(node)
            wait_until(lambda s3=s3: BUCKET in buckets(s3), 30, "the bucket")
        yield running


def buckets(s3):
    return [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


def gauge(cluster, node, name):
    answer = requests.get(
        node["s3_url"] + "/metrics",
        auth=(cluster.report["admin_user"], cluster.report["admin_password"]),
        timeout=15,
    )
    return float(re.search(rf"^{name} (\S+)$", answer.text, re.MULTILINE)[1])


def test_a_delete_outlives_the_absence_of_a_node_and_is_then_forgotten(hasty):
    first, second, third = hasty.nodes
    hasty.s3(first).put_object(Bucket=BUCKET, Key="gone", Body=b"x")
    for node in hasty.nodes:
        s3 = hasty.s3(node)
        wait_until(lambda s3=s3: read(s3, BUCKET, "gone") == b"x", 30, "the object")
    hasty.kill(third["node_id"])
    hasty.s3(first).delete_object(Bucket=BUCKET, Key="gone")
    wait_until(lambda: read(hasty.s3(second), BUCKET, "gone") is None, 30, "the delete")
    wait_until(
        lambda: hasty.members_seen(first)[third["node_id"]][0] == "failed", 30, "it has failed"
    )
    assert gauge(hasty, first, "rs3gw_tombstones") == 1

    hasty.restart(third["node_id"])

    wait_until(lambda: read(hasty.s3(third), BUCKET, "gone") is None, 30, "the delete arrives")
    for node in hasty.nodes:
        wait_until(
            lambda node=node: gauge(hasty, node, "rs3gw_tombstones") == 0, 60, "it is forgotten"
        )
        assert read(hasty.s3(node), BUCKET, "gone") is None


def test_what_an_evicted_node_wrote_alone_waits_for_a_decision(hasty):
    first, second, third = hasty.nodes
    for node in (first, second):
        hasty.kill(node["node_id"])
    hasty.s3(third).put_object(Bucket=BUCKET, Key="alone", Body=b"alone")
    hasty.kill(third["node_id"])
    for node in (first, second):
        hasty.restart(node["node_id"])
    for number in range(MANY):
        hasty.s3(first).put_object(Bucket=BUCKET, Key=f"many-{number}", Body=b"x")
    wait_until(lambda: gauge(hasty, second, "rs3gw_cluster_evicted") == 1, 60, "it is evicted")

    hasty.restart(third["node_id"])

    wait_until(
        lambda: gauge(hasty, third, "rs3gw_quarantined_objects") == 1, 60, "it is in quarantine"
    )
    wait_until(lambda: gauge(hasty, first, "rs3gw_cluster_evicted") == 0, 60, "it is back")
    wait_until(lambda: read(hasty.s3(third), BUCKET, f"many-{MANY - 1}") == b"x", 60, "it has all")
    for node in hasty.nodes:
        assert read(hasty.s3(node), BUCKET, "alone") is None
    (row,) = hasty.api(third, "GET", "/api/quarantine/?outcome=open")["results"]
    hasty.api(third, "POST", f"/api/quarantine/{row['id']}/accept/")
    for node in hasty.nodes:
        s3 = hasty.s3(node)
        wait_until(lambda s3=s3: read(s3, BUCKET, "alone") == b"alone", 30, "it is accepted")
