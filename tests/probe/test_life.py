"""Nodes that are restarted, replaced, removed and restored lose nothing and confuse nobody."""

import os
import signal
import time

import pytest
import requests

from tests.probe.balancer import Balancer
from tests.probe.cluster import DevCluster, is_running, wait_until
from tests.probe.objects import wait_for_bodies
from tests.probe.test_faults import Writers

CLIENTS = 6


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
