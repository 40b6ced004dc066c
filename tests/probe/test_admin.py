"""The admin and the REST API of a real node, as a person and a program use them."""

import re

import pytest
import requests

from tests.probe.cluster import wait_until
from tests.probe.objects import read

PAGES = [
    "",
    "cluster/node/",
    "storage/bucket/",
    "storage/objectversion/",
    "replication/replicationregion/",
    "replication/bucketreplicationconfig/",
    "replication/replicationeventrecord/",
    "replication/lane/",
    "s3/accesskey/",
]


class AdminSession:
    """A browser without JavaScript: cookies, forms and their tokens."""

    def __init__(self, node, user, password):
        self.url = node["admin_url"]
        self._session = requests.Session()
        self.post("login/", {"username": user, "password": password, "next": "/admin/"})

    def get(self, path):
        """Open a page."""
        return self._session.get(self.url + path, timeout=15)

    def post(self, path, fields):
        """Fill in the form of a page and send it."""
        form = self.get(path).text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        assert token, f"no form at {path}"
        return self._session.post(
            self.url + path,
            data={**fields, "csrfmiddlewaretoken": token[1]},
            headers={"Referer": self.url + path},
            timeout=15,
        )


@pytest.fixture
def operators(cluster):
    """An operator logged in to every node of us-east-1."""
    user, password = cluster.report["admin_user"], cluster.report["admin_password"]
    return [AdminSession(node, user, password) for node in cluster.in_region("us-east-1")]


def test_every_node_shows_its_pages_after_login(operators):
    for operator in operators:
        for path in PAGES:
            answer = operator.get(path)
            assert answer.status_code == 200, f"{operator.url}{path}"
            assert 'name="password"' not in answer.text, "the login page again"


def test_a_wrong_password_is_refused(cluster, east):
    intruder = AdminSession(east[0], cluster.report["admin_user"], "wrong")
    assert 'name="password"' in intruder.get("storage/bucket/").text


def test_a_bucket_made_in_the_admin_is_on_the_other_nodes(cluster, east, operators):
    name = "made-in-the-admin"
    answer = operators[0].post("storage/bucket/add/", {"name": name, "owner": "root"})
    assert answer.status_code == 200, answer.text
    assert answer.history, f"the form was not accepted: {answer.text}"
    for operator, node in zip(operators, east, strict=True):
        s3 = cluster.s3(node)
        wait_until(
            lambda s3=s3: name in [b["Name"] for b in s3.list_buckets()["Buckets"]],
            10,
            f"{name} is listed on {node['node_id']}",
        )
        assert name in operator.get("storage/bucket/").text
    cluster.s3(east[2]).put_object(Bucket=name, Key="hello", Body=b"from node 3")
    first = cluster.s3(east[0])
    wait_until(lambda: read(first, name, "hello") == b"from node 3", 10, "the object")
    assert "hello" in operators[0].get("storage/objectversion/?q=hello").text


def test_the_api_reports_the_region(cluster, east):
    for node in east:
        status = cluster.api(node, "GET", "/api/cluster/status")
        assert status["region"] == "us-east-1"
        assert status["mode"] == "quorum"
        assert status["health"] == {"total_nodes": 3, "healthy_nodes": 3, "failed_nodes": 0}
        assert len(cluster.api(node, "GET", "/api/cluster/nodes")["nodes"]) == 3
        assert {"average", "max", "p95"} <= set(
            cluster.api(node, "GET", "/api/cluster/replication")["lag"]
        )


def test_the_api_describes_itself_and_asks_who_is_there(east):
    node = east[0]
    assert requests.get(f"{node['s3_url']}/api/cluster/status", timeout=10).status_code == 401
    for path in ("/healthz/live", "/healthz/ready"):
        assert requests.get(node["s3_url"] + path, timeout=10).status_code == 200


def test_metrics_and_schema_are_served(cluster, east):
    auth = (cluster.report["admin_user"], cluster.report["admin_password"])
    for node in east:
        metrics = requests.get(f"{node['s3_url']}/metrics", auth=auth, timeout=15)
        assert metrics.status_code == 200
        assert 'rs3gw_cluster_nodes_total{state="active"} 3.0' in metrics.text
    schema = requests.get(f"{east[0]['s3_url']}/api/schema/", auth=auth, timeout=30)
    assert schema.status_code == 200
    assert "/api/cluster/status" in schema.text


def test_an_access_key_made_by_rest_works_on_every_node(cluster, east):
    made = cluster.api(east[1], "POST", "/api/access-keys/", {"name": "probe"})
    for node in east:
        s3 = cluster.client_with(node, made["access_key_id"], made["secret_key"])
        wait_until(lambda s3=s3: _can_list(s3), 10, f"the key works on {node['node_id']}")


def _can_list(s3):
    try:
        s3.list_buckets()
    except s3.exceptions.ClientError:
        return False
    return True
