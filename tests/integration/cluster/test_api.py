"""The REST API of the membership."""

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from cluster import selectors, services
from cluster.core.node import Lifecycle
from cluster.models import Node
from cluster.services import table


@pytest.fixture
def administrator():
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("root"))
    return client


def test_the_nodes_have_the_fields_of_the_specification(seeded, administrator):
    seeded("node-2")

    answer = administrator.get("/api/cluster/nodes")

    assert answer.status_code == 200
    assert set(answer.json()) == {"nodes"}
    first, second = answer.json()["nodes"]
    assert first["node_id"] == "node-1"
    assert first["is_self"] is True
    assert second["state"] == "active"
    assert {"address", "state", "last_seen", "version", "metadata"} <= set(second)
    assert {"region", "liveness", "incarnation", "s3_url", "admin_url"} <= set(second)


def test_a_failed_node_shows_as_failed(seeded, administrator):
    seeded("node-2")
    Node.objects.filter(node_id="node-2").update(liveness="failed")
    selectors.forget()
    nodes = administrator.get("/api/cluster/nodes").json()["nodes"]

    assert {n["node_id"]: n["state"] for n in nodes} == {"node-1": "active", "node-2": "failed"}


def test_one_node_with_its_history(seeded, administrator):
    seeded("node-2")

    node = administrator.get("/api/cluster/nodes/node-1").json()

    assert [step["new"] for step in node["transitions"]] == ["active", "joining", "starting"]
    assert administrator.get("/api/cluster/nodes/nobody").status_code == 404


def test_only_an_administrator_sees_nodes_and_lets_one_leave(seeded, administrator, ticker):
    seeded("node-2")
    user = APIClient()
    user.force_authenticate(User.objects.create_user("someone"))

    assert APIClient().get("/api/cluster/nodes").status_code in {401, 403}
    assert APIClient().post("/api/cluster/nodes/node-1/leave").status_code in {401, 403}
    assert user.post("/api/cluster/nodes/node-1/leave").status_code == 403
    assert table.own_row().state == Lifecycle.ACTIVE

    answer = administrator.post("/api/cluster/nodes/node-1/leave")
    assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
    ticker.run(1)
    answer = administrator.get("/api/cluster/nodes/node-1/leave")
    assert (answer.json()["state"], answer.json()["told"]) == ("done", ["node-2"])
    assert answer.json()["requested_by"] == "root"
    assert table.own_row().state == Lifecycle.LEFT
    assert administrator.delete("/api/cluster/nodes/node-1/leave").status_code == 409


def test_a_leave_can_be_called_off_until_the_node_has_left(seeded, administrator, ticker):
    seeded("node-2")
    path = "/api/cluster/nodes/node-1/leave"
    assert administrator.get(path).status_code == 404
    assert administrator.get("/api/cluster/nodes/node-2/leave").status_code == 404
    administrator.post(path)

    assert administrator.delete(path).json()["is_cancelled"] is True
    ticker.run(1)

    assert administrator.get(path).json()["state"] == "cancelled"
    assert table.own_row().state == Lifecycle.ACTIVE
    assert administrator.delete(path).status_code == 409


def test_another_node_is_removed_only_when_it_failed(seeded, administrator, ticker):
    two, three = seeded("node-2", "node-3")
    path = "/api/cluster/nodes/node-2/leave"

    refused = administrator.post(path)
    assert refused.status_code == 409
    assert "only a failed node" in refused.content.decode()

    two.is_down = True
    ticker.run(20)
    assert administrator.post(path, {"is_forced": "perhaps"}).status_code == 400
    assert administrator.post(path).json() == {"node_id": "node-2", "told": ["node-3"]}
    assert administrator.get("/api/cluster/nodes/node-2").status_code == 404


def test_a_node_alone_has_an_api_too(settings, administrator):
    settings.RS3GW_CLUSTER_ENABLED = False
    services.start()

    nodes = administrator.get("/api/cluster/nodes").json()["nodes"]
    assert [(n["node_id"], n["state"]) for n in nodes] == [("node-1", "active")]
