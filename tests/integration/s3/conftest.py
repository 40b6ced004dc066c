"""One real node without a cluster, as a process, for S3 clients."""

import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from tests.servers import free_port, wait_until

ROOT = Path(__file__).resolve().parents[3]
ACCESS_KEY, SECRET_KEY = "RSTESTACCESSKEY", "test-secret-key-of-the-run"


class Node:
    """A node's web process; with a certificate, on HTTPS.

    One node of the run may use the database of the run's lane; any other has one of its own.
    """

    def __init__(self, certificate=None, *, uses_lane_database=False):
        self.directory = Path(tempfile.mkdtemp(prefix="rs3gw-s3-"))
        self.port = free_port()
        self.certificate = certificate
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        own = f"sqlite:///{self.directory}/rs3gw.sqlite3"
        self.database = {} if uses_lane_database else {"RS3GW_DATABASE_URL": own}
        self._trust = certificate and ssl.create_default_context(cafile=certificate.ca)
        self.process = None

    def start(self):
        env = os.environ | {
            "RS3GW_DATA_DIR": str(self.directory),
            "RS3GW_BIND_ADDR": f"127.0.0.1:{self.port}",
            "RS3GW_INIT_ACCESS_KEY": ACCESS_KEY,
            "RS3GW_INIT_SECRET_KEY": SECRET_KEY,
            "RS3GW_S3_DOMAIN": "s3.localhost",
            **self.database,
        }
        if self.certificate:
            env["RS3GW_TLS_CERT"] = str(self.certificate.cert)
            env["RS3GW_TLS_KEY"] = str(self.certificate.key)
        manage = [sys.executable, str(ROOT / "manage.py")]
        subprocess.run([*manage, "migrate", "-v0"], env=env, check=True, capture_output=True)
        with (self.directory / "web.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*manage, "serve", "--init"], env=env, stdout=log, stderr=subprocess.STDOUT
            )
        wait_until(self.is_live, seconds=60, what="the node answers")

    def is_live(self):
        assert self.process.poll() is None, (self.directory / "web.log").read_text()
        try:
            url = f"{self.url}/healthz/live"
            with urllib.request.urlopen(url, timeout=1, context=self._trust) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)
        shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture(scope="session")
def node():
    node = Node(uses_lane_database=True)
    node.start()
    yield node
    node.stop()


@pytest.fixture(scope="session")
def s3(node):
    config = Config(
        signature_version="s3v4",
        retries={"max_attempts": 1, "mode": "standard"},
        s3={"addressing_style": "path"},
    )
    return boto3.client(
        "s3",
        endpoint_url=node.url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
        config=config,
    )


@pytest.fixture
def bucket(s3, request):
    name = "b-" + request.node.name.replace("_", "-").split("[")[0][-50:].strip("-").lower()
    s3.create_bucket(Bucket=name)
    yield name
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=name)
    for page in pages:
        for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=name, Key=entry["Key"], VersionId=entry["VersionId"])
    s3.delete_bucket(Bucket=name)
