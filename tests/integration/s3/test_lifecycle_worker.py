"""A node and its worker, with days of one second: what is due goes by itself."""

import os
import subprocess
import sys

import boto3
import pytest
from botocore.config import Config

from tests.integration.s3.conftest import ACCESS_KEY, ROOT, SECRET_KEY, Node
from tests.servers import wait_until

DUE_SECONDS = 40
RULES = [
    {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 1}},
    {
        "ID": "uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    },
]


@pytest.fixture
def fast_node(monkeypatch):
    monkeypatch.setenv("RS3GW_LIFECYCLE_DAY_SECONDS", "1")
    node = Node()
    node.start()
    env = os.environ | {
        "RS3GW_DATA_DIR": str(node.directory),
        "RS3GW_BIND_ADDR": f"127.0.0.1:{node.port}",
        "RS3GW_BROKER_URL": "",
        **node.database,
    }
    with (node.directory / "worker.log").open("ab") as log:
        worker = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "worker"],
            env=env,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    yield node
    worker.terminate()
    worker.wait(timeout=30)
    node.stop()


def test_the_worker_expires_objects_and_aborts_uploads(fast_node):
    s3 = boto3.client(
        "s3",
        endpoint_url=fast_node.url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )
    s3.create_bucket(Bucket="photos")
    for key in ("logs/a", "logs/b", "kept"):
        s3.put_object(Bucket="photos", Key=key, Body=b"x")
    s3.create_multipart_upload(Bucket="photos", Key="u")
    s3.put_bucket_lifecycle_configuration(Bucket="photos", LifecycleConfiguration={"Rules": RULES})

    def is_tidy():
        found = [e["Key"] for e in s3.list_objects_v2(Bucket="photos").get("Contents", [])]
        assert "kept" in found, (fast_node.directory / "worker.log").read_text()
        uploads = s3.list_multipart_uploads(Bucket="photos").get("Uploads", [])
        return found == ["kept"] and not uploads

    wait_until(is_tidy, seconds=DUE_SECONDS, what="the rules are carried out")
