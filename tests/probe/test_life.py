"""Nodes that are restarted, replaced, removed and restored lose nothing and confuse nobody."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest
import requests
from botocore.exceptions import ClientError

from tests.probe.balancer import Balancer
from tests.probe.cluster import DevCluster, is_running, wait_until
from tests.probe.objects import body_of, put_many, wait_for_bodies
from tests.probe.test_faults import Writers

CLIENTS = 6
LARGE_BYTES = 40 * 1024


@pytest.fixture(scope="module")
def region():
    with DevCluster(topology="us-east-1:3", words=("--replication-factor", "2")) as running:
        yield running


@pytest.fixture
def nodes(region):
    yield region.nodes
    stopped = [n for n in region.status()["nodes"] if n["state"] != "running"]
    for node in stopped:
        region.restart(node["node_id"])
    region.wait_healthy()


def test_a_rolling_restart_fails_no_request(region, nodes):
    region.s3(nodes[0]).create_bucket(Bucket="rolling")
    keys = region.report["access_key"], region.report["secret_key"]
    with Balancer(nodes) as balancer:
        front = {**nodes[0], "s3_url": balancer.url}
        clients = [region.client_with(front, *keys) for _ in range(CLIENTS)]
        with Writers(clients, "rolling") as writers:
            writers.write_more(CLIENTS * 5)
            region.command("restart")
            writers.write_more(CLIENTS * 5)
    assert writers.failures == []
    assert min(balancer.served.values()) > 0
    for node in nodes:
        wait_for_bodies(region.s3(node), "rolling", writers.acknowledged, 60, node["node_id"])


def test_a_node_that_is_asked_to_stop_is_unready_first_and_serves_on(region, nodes):
    node = nodes[2]
    web = region.status_of(node["node_id"])["pids"]["web"]
    os.kill(web, signal.SIGTERM)

    answer = wait_until(lambda: _unready(node), 5, "the node is unready")
    assert answer == (503, "stopping")
    assert region.s3(node).list_buckets()["Buckets"] is not None
    wait_until(lambda: not is_running(web), 15, "the web process ends")


def test_a_second_signal_stops_at_once(region, nodes):
    pid = region.status_of(nodes[2]["node_id"])["pids"]["web"]
    started = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: _unready(nodes[2]), 5, "the node is unready")
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not is_running(pid), 15, "the web process ends")
    assert time.monotonic() - started < 2.9


def _unready(node):
    answer = requests.get(node["s3_url"] + "/healthz/ready", timeout=2)
    return (answer.status_code, answer.text) if answer.status_code == 503 else None


def test_a_node_with_an_empty_disk_is_filled_before_it_counts(region, nodes):
    other, victim = nodes[0], nodes[2]
    region.s3(other).create_bucket(Bucket="replaced")
    bodies = {f"{i:02}": body_of(f"replaced {i}", LARGE_BYTES) for i in range(20)}
    put_many(region.s3(victim), "replaced", bodies)
    wait_for_bodies(region.s3(other), "replaced", bodies, 30, other["node_id"])

    region.kill(victim["node_id"])
    shutil.rmtree(victim["data_dir"])
    region.restart(victim["node_id"])

    bodies["first"] = b"the first write of the new disk"
    region.s3(victim).put_object(Bucket="replaced", Key="first", Body=bodies["first"])
    for node in nodes:
        wait_for_bodies(region.s3(node), "replaced", bodies, 30, node["node_id"])
    region.wait_healthy()
    assert _member_ids(region, other) == {node["node_id"] for node in nodes}


def test_an_old_copy_of_the_data_is_noticed_and_loses_nothing(region, nodes):
    other, victim = nodes[0], nodes[2]
    bucket, node_id, home = "restored", victim["node_id"], Path(victim["data_dir"])
    region.s3(victim).create_bucket(Bucket=bucket)
    bodies = {"before": b"in the copy"}
    region.s3(victim).put_object(Bucket=bucket, Key="before", Body=b"in the copy")
    region.command("down", "--node", node_id)
    copy = home.with_name("old-copy")
    shutil.copytree(home, copy, ignore=shutil.ignore_patterns("*.sock", "run"))
    region.restart(node_id)
    bodies |= {f"lost-{i}": body_of(f"lost {i}", LARGE_BYTES) for i in range(10)}
    put_many(region.s3(victim), bucket, {k: v for k, v in bodies.items() if k != "before"})

    region.command("down", "--node", node_id)
    shutil.rmtree(home)
    copy.rename(home)
    region.restart(node_id)

    for i in range(10):
        bodies[f"new-{i}"] = f"written after the old copy was put back {i}".encode()
        region.s3(victim).put_object(Bucket=bucket, Key=f"new-{i}", Body=bodies[f"new-{i}"])
    for node in nodes:
        wait_for_bodies(region.s3(node), bucket, bodies, 30, node["node_id"])
    steps = region.api(victim, "GET", f"/api/cluster/nodes/{node_id}")["transitions"]
    assert "an old copy of its data was put back" in [step["reason"] for step in steps]
    assert region.api(other, "GET", "/api/cluster/replication")["stats"]["events_parked"] == 0


def test_a_removed_node_takes_no_writes_until_it_joins_and_brings_what_it_had(region, nodes):
    other, victim = nodes[0], nodes[2]
    node_id = victim["node_id"]
    region.s3(other).create_bucket(Bucket="removed")
    wait_until(lambda: _knows_bucket(region, victim, "removed"), 10, "the bucket is known")
    for node in region.status()["nodes"][:2]:
        os.kill(node["pids"]["web"], signal.SIGKILL)
    # Nobody has noticed yet, so the write is taken, stored, and cannot be confirmed.
    with pytest.raises(ClientError) as caught:
        region.s3(victim).put_object(Bucket="removed", Key="unsent", Body=b"only here")
    assert _outcome(caught.value).startswith("indeterminate")
    region.kill(node_id)
    for node in nodes[:2]:
        region.restart(node["node_id"])
    wait_until(lambda: region.members_seen(other)[node_id][1] == "failed", 40, "the node is failed")
    region.api(other, "POST", f"/api/cluster/nodes/{node_id}/leave", {})
    region.start_alone(node_id)

    wait_until(lambda: _unready(victim) == (503, "removed"), 30, "the node knows it is out")
    with pytest.raises(ClientError) as caught:
        region.s3(victim).put_object(Bucket="removed", Key="refused", Body=b"x")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert "was removed from the cluster by admin" in caught.value.response["Error"]["Message"]

    region.manage(node_id, "join")
    region.wait_healthy()
    region.s3(victim).put_object(Bucket="removed", Key="back", Body=b"again")
    # Nobody else had it: it may be a write, or what everybody else has deleted. A person decides.
    [held] = region.api(victim, "GET", "/api/quarantine/?outcome=open")["results"]
    assert (held["bucket"], held["key"]) == ("removed", "unsent")
    region.api(victim, "POST", f"/api/quarantine/{held['id']}/accept/")
    bodies = {"back": b"again", "unsent": b"only here"}
    for node in nodes:
        wait_for_bodies(region.s3(node), "removed", bodies, 30, node["node_id"])


def _outcome(error):
    headers = error.response["ResponseMetadata"]["HTTPHeaders"]
    return headers.get("x-rs3gw-write-outcome", "none")


def _knows_bucket(region, node, name):
    return name in [bucket["Name"] for bucket in region.s3(node).list_buckets()["Buckets"]]


def _member_ids(region, node):
    found = region.api(node, "GET", "/api/cluster/nodes")["nodes"]
    return {entry["node_id"] for entry in found if entry["is_member"]}
