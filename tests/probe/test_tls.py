"""A cluster whose S3 ports speak TLS."""

import pytest
import requests

from tests.probe.cluster import DevCluster, wait_until


@pytest.fixture(scope="module")
def encrypted():
    with DevCluster(topology="us-east-1:2,eu-west-1:1", words=["--tls"]) as running:
        yield running


def test_nodes_answer_by_https_only(encrypted):
    for node in encrypted.nodes:
        assert node["s3_url"].startswith("https://127.0.0.1:")
        assert node["admin_url"].startswith(node["s3_url"])
        url = node["s3_url"] + "/healthz/ready"
        assert requests.get(url, timeout=10, verify=encrypted.verify).status_code == 200
        by_name = url.replace("127.0.0.1", "localhost")
        assert requests.get(by_name, timeout=10, verify=encrypted.verify).status_code == 200
        assert requests.get(url.replace("https", "http"), timeout=10).status_code == 400
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(url, timeout=10)


def test_objects_reach_the_other_nodes(encrypted):
    first, second = encrypted.in_region("us-east-1")
    body = b"encrypted on its way" * 10_000
    encrypted.s3(first).create_bucket(Bucket="tls")
    encrypted.s3(first).put_object(Bucket="tls", Key="a", Body=body)
    assert encrypted.s3(second).get_object(Bucket="tls", Key="a")["Body"].read() == body


def test_nodes_tell_each_other_their_https_addresses(encrypted):
    nodes = encrypted.in_region("us-east-1")
    wanted = {node["s3_url"] for node in nodes}

    def told(node):
        found = encrypted.api(node, "GET", "/api/cluster/nodes")["nodes"]
        return {entry["s3_url"] for entry in found}

    for node in nodes:
        wait_until(lambda node=node: told(node) == wanted, 30, "the addresses are known")


def test_a_restarted_node_keeps_its_certificate(encrypted):
    node = encrypted.in_region("us-east-1")[1]
    encrypted.restart(node["node_id"])
    answer = requests.get(node["s3_url"] + "/healthz/ready", timeout=10, verify=encrypted.verify)
    assert answer.status_code == 200
