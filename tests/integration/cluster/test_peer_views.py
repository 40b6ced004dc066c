"""The cluster port: who may speak, and what a member is answered."""

import json
import secrets

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cluster import conf, selectors, services
from cluster.core.membership import Membership, records_from_json
from cluster.core.node import Lifecycle, NodeState
from cluster.models import Node
from cluster.peer import auth
from cluster.services import table
from rs3gw.common import clock
from rs3gw.common.signing import WINDOW_SECONDS, PeerRequest, body_sha256, sign
from tests.unit.cluster.nodes import record


class PeerCaller:
    """Signs as a peer does, or almost."""

    def __init__(self, node_id, secret):
        self.node_id = node_id
        self.secret = secret

    def headers(self, http_method, path, body=b"", **changes):
        values = {
            "method": http_method,
            "target": path,
            "body_sha256": body_sha256(body),
            "node_id": self.node_id,
            "scope": conf.cluster_id(),
            "unix_seconds": int(clock.now()),
            "nonce": secrets.token_hex(12),
            **changes,
        }
        return sign(PeerRequest(**values), self.secret)

    def send(self, method, path, body=b"", headers=None):
        headers = headers or self.headers(method, path, body)
        return Client().generic(
            method, path, body, content_type="application/json", headers=headers
        )

    def post(self, name, data):
        return self.send("POST", f"/_cluster/{name}", json.dumps(data).encode())


@pytest.fixture
def caller(settings):
    return PeerCaller("node-2", settings.RS3GW_CLUSTER_SECRET)


@pytest.fixture
def active():
    services.start()


def test_a_signed_ping_is_answered(caller):
    answer = caller.send("GET", "/_cluster/ping")

    assert answer.status_code == 200
    assert answer.json() == {"node_id": "node-1"}


@pytest.mark.parametrize("path", ["ping", "heartbeat", "gossip", "join", "leave"])
def test_an_unsigned_request_is_refused(path):
    method = Client().get if path == "ping" else Client().post
    answer = method(f"/_cluster/{path}")

    assert answer.status_code == 401
    assert set(answer.json()) == {"code", "message"}


def test_a_request_is_accepted_once(caller):
    headers = caller.headers("GET", "/_cluster/ping")

    assert caller.send("GET", "/_cluster/ping", headers=headers).status_code == 200
    again = caller.send("GET", "/_cluster/ping", headers=headers)
    assert again.status_code == 401
    assert "before" in again.json()["message"]


@pytest.mark.parametrize(
    "change",
    [
        {"method": "GET"},
        {"target": "/_cluster/leave"},
        {"body_sha256": body_sha256(b"other")},
        {"body_sha256": "UNSIGNED"},
        {"node_id": "node-3"},
        {"scope": "another cluster"},
        {"scope": "pair:eu-west-1"},
        {"unix_seconds": 0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_was_changed_after_signing_is_refused(caller, active, change):
    body = b'{"incarnation": 1}'
    headers = caller.headers("POST", "/_cluster/heartbeat", body, **change)
    if "node_id" in change:
        headers["X-Rs3gw-Node"] = "node-2"

    assert caller.send("POST", "/_cluster/heartbeat", body, headers).status_code == 401


def test_a_signature_outside_the_window_is_refused(caller):
    late = int(clock.now()) - WINDOW_SECONDS - 2
    headers = caller.headers("GET", "/_cluster/ping", unix_seconds=late)

    assert caller.send("GET", "/_cluster/ping", headers=headers).status_code == 401


def test_another_secret_or_region_is_another_cluster(caller, settings):
    stranger = PeerCaller("node-2", "s" * 40)
    assert stranger.send("GET", "/_cluster/ping").status_code == 401

    headers = caller.headers("GET", "/_cluster/ping")
    settings.RS3GW_REGION = "eu-west-1"
    assert caller.send("GET", "/_cluster/ping", headers=headers).status_code == 401


def test_a_body_over_the_limit_is_refused(caller, active, monkeypatch):
    monkeypatch.setattr(auth, "BODY_BYTES_MAX", 10)

    assert caller.post("heartbeat", {"incarnation": 1}).status_code == 413


def test_a_paired_region_may_ping_and_no_more(settings, active):
    auth.register_scope_secret("pair", {"eu-west-1": "p" * 40}.get)
    try:
        paired = PeerCaller("far-1", "p" * 40)
        scope = {"scope": "pair:eu-west-1"}
        ping = paired.headers("GET", "/_cluster/ping", **scope)
        gossip = paired.headers("POST", "/_cluster/gossip", b"{}", **scope)
        unknown = paired.headers("GET", "/_cluster/ping", scope="pair:")

        assert paired.send("GET", "/_cluster/ping", headers=ping).status_code == 200
        assert paired.send("POST", "/_cluster/gossip", b"{}", gossip).status_code == 401
        assert paired.send("GET", "/_cluster/ping", headers=unknown).status_code == 401
    finally:
        auth._resolvers.pop("pair")


def test_the_wrong_method_is_refused(caller):
    assert caller.send("GET", "/_cluster/gossip").status_code == 405


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"records": 1}', b"[" * 100_000])
def test_nonsense_is_refused(caller, active, body):
    answer = caller.send("POST", "/_cluster/gossip", body)

    assert answer.status_code == 400
    assert answer.json()["code"] == "MalformedMessage"


def test_a_join_is_answered_with_the_whole_table(caller, active, state_of):
    answer = caller.post(
        "join", {"record": record("node-2", 1, lifecycle=Lifecycle.JOINING).to_json()}
    )

    records = records_from_json(answer.json()["records"])
    assert answer.json()["node_id"] == "node-1"
    assert {r.node_id for r in records} == {"node-1", "node-2"}
    assert state_of("node-2") is NodeState.JOINING
    assert selectors.quorum_size() == 1


def test_nobody_joins_in_the_name_of_another(caller, active):
    answer = caller.post("join", {"record": record("node-3").to_json()})

    assert answer.status_code == 400
    assert "speaks for" in answer.json()["message"]


def test_nobody_joins_from_another_region(caller, active):
    assert (
        caller.post("join", {"record": record("node-2", region="x").to_json()}).status_code == 400
    )


def test_the_name_of_a_living_node_is_not_given_away(caller, active):
    caller.post("join", {"record": record("node-2", actor=256).to_json()})

    other = record("node-2", 9, actor=512, address="elsewhere:9001")
    answer = caller.post("join", {"record": other.to_json()})
    assert answer.status_code == 409
    assert answer.json()["code"] == "NodeIdTaken"

    same_place = record("node-2", 9, actor=512)
    assert caller.post("join", {"record": same_place.to_json()}).status_code == 200


def test_own_name_is_not_given_away(settings, active):
    impostor = PeerCaller("node-1", settings.RS3GW_CLUSTER_SECRET)
    other = record("node-1", 99, actor=512, address="elsewhere:9001")
    answer = impostor.post("join", {"record": other.to_json()})

    assert answer.status_code == 409
    assert table.own_row().address == "node-1:9001"


def test_a_lost_disk_is_told_what_is_remembered_and_stays_failed_until_it_caught_up(
    caller, active, state_of
):
    table.absorb([record("node-2", 7, actor=256)])
    Node.objects.filter(node_id="node-2").update(liveness="failed")
    fresh = record("node-2", 1, actor=512, lifecycle=Lifecycle.STARTING)

    answer = caller.post("join", {"record": fresh.to_json()})

    told = Membership(records_from_json(answer.json()["records"])).get("node-2")
    assert told.incarnation == 7
    assert state_of("node-2") is NodeState.FAILED
    caller.post("join", {"record": record("node-2", 8, actor=512).to_json()})
    assert state_of("node-2") is NodeState.ACTIVE


def test_a_heartbeat_between_two_that_agree_touches_no_table(caller, active):
    caller.post("join", {"record": record("node-2", 3).to_json()})
    selectors.read()

    with CaptureQueriesContext(connection) as queries:
        answer = caller.post("heartbeat", {"incarnation": 3})

    assert answer.json()["agrees"] is True
    assert len(queries) == 0


def test_gossip_between_two_that_agree_touches_no_table(caller, active):
    caller.post("join", {"record": record("node-2", 3).to_json()})
    digest = selectors.read().table.digest()

    with CaptureQueriesContext(connection) as queries:
        answer = caller.post("gossip", {"incarnation": 3, "digest": digest})

    assert "records" not in answer.json()
    assert len(queries) == 0


def test_a_heartbeat_from_a_stranger_says_so(caller, active):
    answer = caller.post("heartbeat", {"incarnation": 3})

    said = answer.json()
    assert len(said.pop("digest")) == 32
    assert said == {"node_id": "node-1", "incarnation": 2, "agrees": False}


def test_gossip_from_one_that_knows_less_is_answered_with_the_table(caller, active):
    answer = caller.post("gossip", {"incarnation": 1, "digest": "other"})

    assert [r["node_id"] for r in answer.json()["records"]] == ["node-1"]


def test_sections_reach_who_asked_for_them(caller, active, hooks):
    taken = []
    hooks.gossip_sections["frontiers"] = (
        dict,
        lambda node_id, value: taken.append((node_id, value)),
    )

    caller.post("gossip", {"incarnation": 1, "sections": {"frontiers": {"1": 2}, "later": 1}})

    assert taken == [("node-2", {"1": 2})]


def test_a_node_that_left_takes_nobody_in(caller, active):
    services.leave()

    answer = caller.post("join", {"record": record("node-2").to_json()})

    assert answer.status_code == 409


def test_a_node_without_a_cluster_takes_nobody_in(caller, settings):
    settings.RS3GW_CLUSTER_ENABLED = False

    assert caller.post("heartbeat", {"incarnation": 1}).status_code == 409
