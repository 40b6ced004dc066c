"""The REST API: everything the admin can do, for programs."""

import base64
import json

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from rest_framework.authtoken.models import Token

from replication.models import (
    BucketReplicationConfig,
    Comparison,
    DeliveryState,
    Register,
    ReplicationEventRecord,
    ReplicationRegion,
)
from rs3gw.common import clock, secretbox
from rs3gw.s3.models import AccessKey
from rs3gw.storage.models import Bucket, BucketState
from tests.integration.console.conftest import PASSWORD

READS = ["regions", "rules", "lanes", "deliveries", "events", "buckets", "access-keys"]


@pytest.fixture
def api(operator):
    token = Token.objects.create(user=operator)
    return Client(headers={"Authorization": f"Token {token.key}"})


@pytest.fixture(autouse=True)
def _nobody_is_throttled():
    cache.clear()
    yield
    cache.clear()


def send(api, method, path, body=None):
    data = "" if body is None else json.dumps(body)
    return getattr(api, method)(path, data, content_type="application/json")


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("name", READS)
def test_lists_answer_with_and_without_a_slash(api, name, slash):
    answer = api.get(f"/api/{name}{slash}")

    assert answer.status_code == 200
    assert answer.json()["results"] == []


@pytest.mark.parametrize(
    "path",
    [*[f"/api/{name}/" for name in READS], "/api/cluster/status", "/api/cluster/replication"],
)
def test_nothing_is_told_to_strangers(client, node, path):
    answer = client.get(path)

    assert answer.status_code == 401
    assert "token" in answer.json()["message"].lower()


def test_the_description_is_for_staff(client, node):
    assert client.get("/api/schema/").status_code == 401
    assert "/admin/login/" in client.get("/api/docs/")["Location"]


def test_a_token_is_given_for_name_and_password(operator):
    answer = Client().post("/api/token", {"username": "olga", "password": PASSWORD})
    user = Client(headers={"Authorization": f"Token {answer.json()['token']}"})

    assert user.get("/api/cluster/status").status_code == 200


def test_guessing_passwords_is_slowed_down(operator):
    guess = {"username": "olga", "password": "wrong"}
    codes = [Client().post("/api/token/", guess).status_code for _ in range(21)]

    assert codes[0] == 403
    assert codes[-1] == 429


def test_a_user_who_is_not_staff_gets_neither_token_nor_answer(node, django_user_model):
    django_user_model.objects.create_user("nobody", password=PASSWORD)
    given = base64.b64encode(f"nobody:{PASSWORD}".encode()).decode()
    stranger = Client(headers={"Authorization": f"Basic {given}"})

    assert Client().post(
        "/api/token/", {"username": "nobody", "password": PASSWORD}
    ).status_code in {401, 403}
    assert stranger.get("/api/regions/").status_code == 403


def test_basic_and_session_work_too(operator):
    given = base64.b64encode(f"olga:{PASSWORD}".encode()).decode()
    basic = Client(headers={"Authorization": f"Basic {given}"})
    session = Client()
    session.force_login(operator)

    assert basic.get("/api/regions/").status_code == 200
    assert session.get("/api/regions/").status_code == 200


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_status_has_the_fields_of_the_specification(api, slash):
    answer = api.get(f"/api/cluster/status{slash}").json()

    assert answer["node_id"] == "node-1"
    assert answer["region"] == "us-east-1"
    assert answer["mode"] == "async"
    assert answer["replication_factor"] == 2
    assert answer["quorum_available"] is True
    assert answer["health"] == {"total_nodes": 1, "healthy_nodes": 1, "failed_nodes": 0}


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_nodes_have_the_fields_of_the_specification(api, slash):
    (found,) = api.get(f"/api/cluster/nodes{slash}").json()["nodes"]

    assert found["node_id"] == "node-1"
    assert {"address", "state", "last_seen", "version", "metadata"} <= set(found)


@pytest.mark.parametrize("slash", ["", "/"])
def test_replication_has_the_fields_of_the_specification(
    api, lane, make_events, park, bucket, slash
):
    events = make_events(3, age_seconds=20)
    park(events[:1])
    answer = api.get(f"/api/cluster/replication{slash}").json()

    assert set(answer["stats"]) >= {"events_replicated", "events_pending", "events_parked"}
    assert answer["stats"]["events_parked"] == 1
    assert answer["stats"]["bytes_pending"] >= 3 * 1024
    assert set(answer["lag"]) == {"average", "max", "p95"}
    assert answer["lag"]["max"] >= 19
    assert answer["lanes"][0]["destination"] == "node-2"
    assert answer["lanes"][0]["pending"] >= 3
    assert answer["frontiers"]


def test_a_region_is_created_changed_and_deleted(api):
    made = send(api, "post", "/api/regions/", {"name": "eu-west-1", "endpoints": ["10.0.0.5:9001"]})
    key = made.json()["pairing_key"]
    changed = send(api, "patch", "/api/regions/eu-west-1/", {"label": "Dublin"})
    renamed = send(api, "patch", "/api/regions/eu-west-1/", {"name": "other"})
    stored = ReplicationRegion.objects.get()

    assert made.status_code == 201
    assert secretbox.unseal(stored.sealed_pairing_key, purpose="pairing").decode() == key
    assert changed.json()["label"] == "Dublin"
    assert changed.json()["endpoints"] == ["10.0.0.5:9001"]
    assert "pairing_key" not in changed.json()
    assert renamed.status_code == 400
    assert "cannot be renamed" in renamed.json()["message"]
    assert api.delete("/api/regions/eu-west-1/").status_code == 204
    assert not ReplicationRegion.objects.exists()
    assert set(Register.objects.values_list("author", flat=True)) == {"olga"}


def test_a_bad_region_is_refused_field_by_field(api):
    answer = send(api, "post", "/api/regions/", {"name": "EU", "endpoints": ["x"]})

    assert answer.status_code == 400
    assert answer.json()["code"] == "Invalid"
    assert set(answer.json()["fields"]) == {"name", "endpoints"}


def test_a_rule_is_created_changed_and_deleted(api, bucket, region):
    rule = {"name": "out", "bucket": "photos", "region": "eu-west-1", "filter": {"prefix": "a/"}}
    made = send(api, "post", "/api/rules/", rule)
    changed = send(api, "patch", "/api/rules/out/", {"is_enabled": False})

    assert made.status_code == 201
    assert changed.json()["is_enabled"] is False
    assert changed.json()["filter"] == {"prefix": "a/"}
    blocked = api.delete("/api/regions/eu-west-1/")
    assert blocked.status_code == 400
    assert "out" in blocked.json()["message"]
    assert api.delete("/api/rules/out/").status_code == 204
    assert not BucketReplicationConfig.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"), [("bucket", "nope"), ("region", "nope"), ("filter", {"size": 3})]
)
def test_a_rule_about_what_is_not_there_is_refused(api, bucket, region, field, value):
    rule = {"name": "out", "bucket": "photos", "region": "eu-west-1", field: value}
    answer = send(api, "post", "/api/rules/", rule)

    assert answer.status_code == 400
    assert set(answer.json()["fields"]) == {field}


def test_a_bucket_is_created_listed_and_deleted(api, put_object):
    made = send(api, "post", "/api/buckets/", {"name": "my.photos"})
    again = send(api, "post", "/api/buckets/", {"name": "my.photos"})
    bucket = Bucket.objects.get()
    for key in ("a/1", "a/2", "b"):
        put_object(bucket, key)
    listed = api.get("/api/buckets/my.photos/objects?prefix=a/&limit=1").json()
    grouped = api.get("/api/buckets/my.photos/objects/?delimiter=/").json()
    full = api.delete("/api/buckets/my.photos/")

    assert made.status_code == 201
    assert made.json()["owner"] == "root"
    assert (again.status_code, again.json()["code"]) == (409, "BucketAlreadyOwnedByYou")
    assert [row["key"] for row in listed["objects"]] == ["a/1"]
    assert listed["is_truncated"]
    assert listed["next_start_after"] == "a/1"
    assert grouped["common_prefixes"] == ["a/"]
    assert (full.status_code, full.json()["code"]) == (409, "BucketNotEmpty")
    assert api.get("/api/buckets/nope/").status_code == 404


def test_an_empty_bucket_is_deleted(api, bucket):
    assert api.delete("/api/buckets/photos/").status_code == 204
    bucket.refresh_from_db()
    assert bucket.state == BucketState.DELETED
    assert api.get("/api/buckets/").json()["results"] == []


def test_an_access_key_tells_its_secret_once(api):
    made = send(api, "post", "/api/access-keys/", {"name": "backup"})
    key = made.json()
    path = f"/api/access-keys/{key['access_key_id']}/"
    disabled = send(api, "patch", path, {"is_enabled": False})
    enabled = send(api, "patch", path, {"is_enabled": True})

    assert made.status_code == 201
    assert len(key["secret_key"]) >= 32
    assert "secret_key" not in api.get(path).json()
    assert disabled.json()["is_enabled"] is False
    assert enabled.json()["is_enabled"] is True
    assert api.delete(path).status_code == 204
    assert not AccessKey.objects.exists()


def test_lanes_are_paused_resumed_and_retried(api, lane):
    for action, state in (("pause", "paused"), ("resume", "running"), ("retry", "running")):
        answer = api.post(f"/api/lanes/{lane.pk}/{action}/")
        assert answer.json()["state"] == state


def test_deliveries_are_retried_and_skipped(api, make_events, park):
    first, second = park(make_events(2))
    retried = api.post(f"/api/deliveries/{first.pk}/retry/")
    twice = api.post(f"/api/deliveries/{first.pk}/retry/")
    silent = send(api, "post", f"/api/deliveries/{second.pk}/skip/", {})
    skipped = send(api, "post", f"/api/deliveries/{second.pk}/skip/", {"reason": "by hand"})

    assert retried.json()["state"] == DeliveryState.RETRY
    assert (twice.status_code, twice.json()["code"]) == (400, "InvalidRequest")
    assert silent.status_code == 400
    assert skipped.json()["reason"] == "olga: by hand"
    assert api.get("/api/deliveries/?state=skipped").json()["results"][0]["id"] == second.pk


def test_events_can_be_read_and_not_written(api, make_events, region):
    make_events(3)
    page = api.get("/api/events/?limit=2&bucket=photos").json()
    register = api.get("/api/events/?kind=put_register").json()["results"][0]

    assert [row["key"] for row in page["results"]] == ["a/2", "a/1"]
    assert page["next"]
    assert "value" not in register["payload"]
    assert send(api, "post", "/api/events/", {}).status_code == 405
    assert ReplicationEventRecord.objects.count() == 4


def test_the_schema_is_valid_and_complete(tmp_path):
    target = tmp_path / "schema.yml"
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(target))
    text = target.read_text()

    for name in (*READS, "s3-users", "s3-users/{user_id}/policies"):
        assert f"/api/{name}/:" in text
    for name in ("status", "nodes", "replication"):
        assert f"/api/cluster/{name}:" in text


def test_the_documentation_page_has_no_inline_script(console):
    page = console.get("/api/docs/").content.decode()

    assert "<script>" not in page
    assert "swagger-ui" in page


def test_the_consistency_of_a_bucket_is_set_and_shown(api, bucket):
    path = "/api/buckets/photos/consistency/"
    assert api.get(path).json() == {
        "write": "",
        "read": "local",
        "degrade_after_seconds": 0,
        "effective_write": "async",
    }
    wanted = {"write": "sync", "read": "quorum", "degrade_after_seconds": 60}
    answer = send(api, "put", path, wanted)
    assert answer.status_code == 200
    assert answer.json() == {**wanted, "effective_write": "sync"}
    assert api.get(path).json() == answer.json()


@pytest.mark.parametrize(
    "wanted",
    [{"write": "two"}, {"read": "near"}, {"write": "quorum", "degrade_after_seconds": 5}],
)
def test_a_consistency_that_there_is_not_is_refused(api, bucket, wanted):
    answer = send(api, "put", "/api/buckets/photos/consistency/", wanted)
    assert answer.status_code == 400


def test_comparisons_are_asked_for_and_shown(api):
    refused = send(api, "post", "/api/comparisons/", {"peer": "nobody"})
    assert refused.status_code == 400
    assert "no other node" in refused.json()["message"]
    run = Comparison.objects.create(peer="east-2", created_at=clock.utcnow())
    listed = api.get("/api/comparisons/").json()["results"]
    assert [(row["peer"], row["state"]) for row in listed] == [("east-2", "waiting")]
    cancelled = send(api, "post", f"/api/comparisons/{run.pk}/cancel/")
    assert cancelled.json()["state"] == "cancelled"
