"""Accounts, users, their policies and keys by REST."""

import json

import pytest
from django.test import Client
from rest_framework.authtoken.models import Token

from replication.models import Register
from rs3gw.s3 import directory
from rs3gw.s3 import services as s3
from rs3gw.s3.models import AccessKey, S3User

POLICY = '{ "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}] }\n'


@pytest.fixture(autouse=True)
def _nobody_is_remembered():
    directory.forget()
    yield
    directory.forget()


@pytest.fixture
def api(operator):
    token = Token.objects.create(user=operator)
    return Client(headers={"Authorization": f"Token {token.key}"})


@pytest.fixture
def alice(node):
    return s3.create_user(user_id="alice", email="alice@example.com")


def send(api, method, path, body=None):
    data = "" if body is None else json.dumps(body)
    return getattr(api, method)(path, data, content_type="application/json")


@pytest.mark.parametrize("slash", ["", "/"])
def test_users_are_listed_with_and_without_a_slash(api, alice, slash):
    s3.create_user(user_id="bob", account_id="alice")
    found = api.get(f"/api/s3-users{slash}").json()["results"]
    of_alice = api.get(f"/api/s3-users{slash}?account_id=alice").json()["results"]

    assert [row["user_id"] for row in found] == ["alice", "bob", "root"]
    assert [row["user_id"] for row in of_alice] == ["alice", "bob"]
    assert set(found[0]) == {
        "user_id",
        "account_id",
        "display_name",
        "email",
        "is_enabled",
        "policies",
        "created_at",
    }


@pytest.mark.parametrize("path", ["s3-users/", "s3-users/root/", "s3-users/root/policies/"])
def test_nothing_is_told_to_strangers(client, node, path):
    assert client.get(f"/api/{path}").status_code == 401


def test_an_account_is_made_changed_disabled_and_deleted(api):
    given = {"user_id": "a+b@c=d.e", "display_name": "A", "email": "A@example.com"}
    made = send(api, "post", "/api/s3-users", given)
    path = "/api/s3-users/a+b@c=d.e"
    renamed = send(api, "patch", path, {"display_name": "B"})
    disabled = send(api, "patch", path, {"is_enabled": False, "email": ""})

    assert made.status_code == 201
    assert made.json()["account_id"] == "a+b@c=d.e"
    assert made.json()["email"] == "a@example.com"
    assert (renamed.json()["display_name"], renamed.json()["email"]) == ("B", "a@example.com")
    assert (disabled.json()["is_enabled"], disabled.json()["email"]) == (False, "")
    assert set(Register.objects.filter(scope="s3_user").values_list("author", flat=True)) == {
        "olga"
    }
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404


def test_an_id_is_made_when_none_is_given(api):
    made = send(api, "post", "/api/s3-users/", {}).json()

    assert len(made["user_id"]) == 64
    assert S3User.objects.filter(user_id=made["user_id"]).exists()


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"user_id": "alice"}, 409, "Conflict"),
        ({"user_id": "carol", "email": "alice@example.com"}, 409, "Conflict"),
        ({"user_id": "carol", "email": "nobody"}, 400, "InvalidRequest"),
        ({"user_id": "a/b"}, 400, "InvalidRequest"),
        ({"user_id": "carol", "account_id": "nobody"}, 404, "NoSuchUser"),
        ({"user_id": ["carol"]}, 400, "Invalid"),
        ({"user_id": "carol", "display_name": "\ud800"}, 400, "Invalid"),
    ],
)
def test_a_user_that_cannot_be_is_refused(api, alice, fields, status, code):
    answer = send(api, "post", "/api/s3-users/", fields)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not S3User.objects.filter(user_id="carol").exists()


def test_a_user_with_keys_is_not_deleted(api, alice):
    s3.create_access_key(owner="alice", access_key_id="ALICEKEY")
    answer = api.delete("/api/s3-users/alice/")

    assert answer.status_code == 409
    assert "ALICEKEY" in answer.json()["message"]
    assert api.delete("/api/s3-users/root/").status_code == 409


def test_policies_are_put_listed_and_deleted(api, alice):
    path = "/api/s3-users/alice/policies"
    put = send(api, "put", f"{path}/read.only", {"policy": POLICY})

    assert (put.status_code, put.json()) == (200, {"name": "read.only", "policy": POLICY})
    assert api.get(path).json() == [{"name": "read.only", "policy": POLICY}]
    assert api.get("/api/s3-users/alice").json()["policies"] == ["read.only"]
    assert directory.user("alice").policies == (("read.only", POLICY),)
    assert api.delete(f"{path}/read.only/").status_code == 204
    assert api.delete(f"{path}/read.only").status_code == 404
    assert api.get(f"{path}/").json() == []
    assert api.get("/api/s3-users/nobody/policies").status_code == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"policy": "no json"}, "MalformedPolicy"),
        ({"policy": json.dumps({"Statement": [{"Sid": "x" * 21_000}]})}, "MalformedPolicy"),
        ({"policy": '{"Statement": [{}], "Id": "\ud800"}'}, "Invalid"),
        ({"policy": {"Statement": []}}, "Invalid"),
        ({}, "Invalid"),
    ],
)
def test_a_policy_that_is_none_is_refused(api, alice, body, code):
    answer = send(api, "put", "/api/s3-users/alice/policies/p/", body)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert directory.user("alice").policies == ()


def test_a_key_is_made_for_a_user_with_a_given_id_and_secret(api, alice):
    given = {"owner": "alice", "access_key_id": "ALICE.KEY-1", "secret_key": " s e c r e t "}
    made = send(api, "post", "/api/access-keys/", given)
    again = send(api, "post", "/api/access-keys/", given)
    orphan = send(api, "post", "/api/access-keys/", {"owner": "nobody"})
    short = send(api, "post", "/api/access-keys/", {"secret_key": "short"})

    assert made.status_code == 201
    assert made.json()["secret_key"] == " s e c r e t "
    assert made.json()["access_key_id"] == "ALICE.KEY-1"
    assert (again.status_code, orphan.status_code, short.status_code) == (400, 404, 400)
    assert "exists already" in again.json()["message"]
    assert AccessKey.objects.get().owner == "alice"
