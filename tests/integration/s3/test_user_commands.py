"""`manage.py create_user` and `list_users`, in this process and beside a running node."""

import io
import json
import os
import subprocess
import sys

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from django.core.management import CommandError, call_command

from cluster import selectors as cluster
from replication.doorbell import Doorbell
from rs3gw.common import identity
from rs3gw.s3 import directory
from rs3gw.s3.models import AccessKey, S3User
from rs3gw.storage import services as storage
from tests.integration.s3.conftest import ROOT
from tests.servers import wait_until

ALICE = {
    "id": "alice",
    "display_name": "Alice",
    "email": "Alice@example.com",
    "access_key": "ALICEKEY",
    "secret_key": "alice's secret",
}


@pytest.fixture
def quiet_node(db, monkeypatch):
    monkeypatch.setattr(Doorbell, "ring", lambda *_, **__: None)
    identity.ensure()
    storage.init_clock()
    cluster.forget()
    directory.forget()
    yield
    directory.forget()
    cluster.forget()


def run(command, **options):
    out = io.StringIO()
    call_command(command, stdout=out, **options)
    return out.getvalue()


def create(**options):
    return json.loads(run("create_user", json=True, **options))


def test_a_user_and_its_key_are_made(quiet_node):
    made = create(**ALICE)

    assert made == {
        "user_id": "alice",
        "account_id": "alice",
        "display_name": "Alice",
        "email": "alice@example.com",
        "access_key": "ALICEKEY",
        "secret_key": "alice's secret",
        "user_created": True,
        "key_created": True,
    }
    assert AccessKey.objects.get().owner == "alice"


def test_nothing_is_done_twice_and_no_secret_shown_again(quiet_node):
    create(**ALICE)
    again = create(**ALICE)
    text = run("create_user", **ALICE)

    assert (again["user_created"], again["key_created"]) == (False, False)
    assert again["secret_key"] is None
    assert text.count("existed already") == 2
    assert "secret" not in text
    assert AccessKey.objects.count() == 1


def test_a_user_that_exists_gets_another_key(quiet_node):
    create(**ALICE)
    more = create(id="alice")

    assert not more["user_created"]
    assert len(more["secret_key"]) == 40
    assert AccessKey.objects.filter(owner="alice").count() == 2


def test_everything_is_random_when_nothing_is_given(quiet_node):
    text = run("create_user")

    user = S3User.objects.exclude(user_id="root").get()
    key = AccessKey.objects.get()
    assert user.user_id in text
    assert key.access_key_id in text
    assert "shown this once" in text


def test_a_user_of_an_account_is_made(quiet_node):
    create(**ALICE)
    made = create(id="bob", account="alice")

    assert made["account_id"] == "alice"
    assert "account     alice" in run("create_user", id="bob", access_key=made["access_key"])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"display_name": "Bob"}, "display name 'Alice'"),
        ({"email": "bob@example.com"}, "e-mail address 'alice@example.com'"),
        ({"account": "root"}, "account 'alice'"),
        ({"secret_key": "another secret"}, "another secret"),
        ({"id": "bob", "email": ""}, "another user's"),
        ({"id": "bob", "access_key": None, "secret_key": None}, "alice's"),
        ({"access_key": None}, "--access-key"),
        ({"id": "b/b"}, "A user id"),
        ({"access_key": "x y z"}, "An access key id"),
    ],
)
def test_a_conflict_is_told(quiet_node, options, reason):
    create(**ALICE)
    with pytest.raises(CommandError, match=reason):
        create(**{**ALICE, **options})

    assert AccessKey.objects.count() == 1


def test_a_node_that_was_never_started_is_told(quiet_node):
    identity.path().unlink()
    identity.load.cache_clear()

    with pytest.raises(CommandError, match="init_node"):
        create(**ALICE)


def test_users_are_listed(quiet_node):
    create(**ALICE)
    create(id="bob", account="alice")

    found = json.loads(run("list_users", json=True))
    assert [row["user_id"] for row in found] == ["alice", "bob", "root"]
    assert found[1]["account_id"] == "alice"
    assert found[1]["access_keys"] == 1
    assert "bob  alice  enabled  1 keys  bob" in run("list_users")


def test_a_user_made_beside_a_running_node_can_use_it(node, s3):
    env = os.environ | {"RS3GW_DATA_DIR": str(node.directory)}
    command = [sys.executable, str(ROOT / "manage.py"), "create_user", "--id", "carol"]
    command += ["--display-name", "Carol & Co", "--email", "carol@example.com", "--json"]
    made = json.loads(subprocess.run(command, env=env, check=True, capture_output=True).stdout)
    carol = boto3.client(
        "s3",
        endpoint_url=node.url,
        aws_access_key_id=made["access_key"],
        aws_secret_access_key=made["secret_key"],
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
    )
    owner = {"ID": "carol", "DisplayName": "Carol & Co"}
    wait_until(lambda: _may_list(carol), seconds=5, what="the key is known")
    carol.create_bucket(Bucket="carols-bucket")
    carol.put_object(Bucket="carols-bucket", Key="k", Body=b"x")
    upload = carol.create_multipart_upload(Bucket="carols-bucket", Key="u")["UploadId"]
    asked = {"Bucket": "carols-bucket", "Key": "u", "UploadId": upload}

    assert carol.list_buckets()["Owner"] == owner
    assert [bucket["Name"] for bucket in carol.list_buckets()["Buckets"]] == ["carols-bucket"]
    assert "carols-bucket" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    listed = carol.list_objects_v2(Bucket="carols-bucket", FetchOwner=True)["Contents"]
    assert listed[0]["Owner"] == owner
    assert carol.list_parts(**asked)["Owner"] == owner
    assert carol.list_parts(**asked)["Initiator"] == owner
    assert carol.list_multipart_uploads(Bucket="carols-bucket")["Uploads"][0]["Owner"] == owner
    acl = carol.get_bucket_acl(Bucket="carols-bucket")
    assert acl["Owner"] == owner
    assert acl["Grants"][0]["Grantee"] == {**owner, "Type": "CanonicalUser"}
    carol.abort_multipart_upload(**asked)
    carol.delete_object(Bucket="carols-bucket", Key="k")
    carol.delete_bucket(Bucket="carols-bucket")


def _may_list(client):
    try:
        client.list_buckets()
    except ClientError:
        return False
    return True


def test_a_user_that_was_disabled_beside_a_running_node_is_refused(node):
    env = os.environ | {"RS3GW_DATA_DIR": str(node.directory)}
    manage = [sys.executable, str(ROOT / "manage.py")]
    command = [*manage, "create_user", "--id", "dora", "--json"]
    made = json.loads(subprocess.run(command, env=env, check=True, capture_output=True).stdout)
    dora = boto3.client(
        "s3",
        endpoint_url=node.url,
        aws_access_key_id=made["access_key"],
        aws_secret_access_key=made["secret_key"],
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
    )
    wait_until(lambda: _may_list(dora), seconds=5, what="the key is known")
    disable = (
        "from rs3gw.s3 import services;"
        "services.update_user(services.get_user('dora'), is_enabled=False)"
    )
    subprocess.run([*manage, "shell", "-c", disable], env=env, check=True, capture_output=True)

    wait_until(lambda: not _may_list(dora), seconds=5, what="the user is refused")
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        dora.list_buckets()
