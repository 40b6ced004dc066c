"""Clients in JavaScript: node runs one call, named in its argument, and prints JSON."""

import base64
import json
import os
import subprocess
from pathlib import Path

from tests.clients.protocol import COMMAND_SECONDS, Listing

SCRIPTS = Path(__file__).resolve().parents[1] / "js"
MODULES = Path(__file__).resolve().parents[3] / ".clients" / "node_modules"


class _Node:
    """Every method is one run of `script`."""

    script = ""
    virtual = False

    def __init__(self, endpoint):
        self._env = os.environ | {"CLIENT_MODULES": f"{MODULES}/"}
        if endpoint.ca_file:
            self._env["NODE_EXTRA_CA_CERTS"] = endpoint.ca_file
        self._endpoint = {
            "url": endpoint.virtual_url if self.virtual else endpoint.url,
            "accessKey": endpoint.access_key,
            "secretKey": endpoint.secret_key,
            "region": endpoint.region,
            "virtual": self.virtual,
        }

    def _call(self, method, *arguments):
        task = json.dumps({"endpoint": self._endpoint, "method": method, "arguments": arguments})
        done = subprocess.run(
            ["node", str(SCRIPTS / self.script), task],
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr.strip()[-800:])
        return json.loads(done.stdout)["result"]

    def version(self):
        return self._call("version")

    def create_bucket(self, bucket):
        self._call("createBucket", bucket)

    def put(self, bucket, key, body, metadata):
        self._call("put", bucket, key, base64.b64encode(body).decode(), metadata)

    def get(self, bucket, key):
        return base64.b64decode(self._call("get", bucket, key))

    def metadata(self, bucket, key):
        return self._call("metadata", bucket, key)

    def upload(self, bucket, key, path):
        self._call("upload", bucket, key, str(path))

    def download(self, bucket, key, path):
        self._call("download", bucket, key, str(path))

    def read_range(self, bucket, key, first, last):
        return base64.b64decode(self._call("readRange", bucket, key, first, last))

    def list(self, bucket, prefix):
        found = self._call("list", bucket, prefix)
        return Listing(frozenset(found["keys"]), frozenset(found["prefixes"]))

    def copy(self, bucket, source, target):
        self._call("copy", bucket, source, target)

    def presign(self, bucket, key):
        return self._call("presign", bucket, key)

    def delete(self, bucket, key):
        self._call("delete", bucket, key)

    def delete_bucket(self, bucket):
        self._call("deleteBucket", bucket)


class AwsSdkJs(_Node):
    """Version 3 of the AWS SDK, path-style."""

    script = "aws_sdk.mjs"


class AwsSdkJsVirtual(AwsSdkJs):
    """The same with the bucket in the host name, which is its default."""

    virtual = True


class MinioJs(_Node):
    """The npm package `minio`."""

    script = "minio.mjs"
