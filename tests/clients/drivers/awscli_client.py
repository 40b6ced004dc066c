"""aws-cli: `aws s3` where it has a word for the step, `aws s3api` otherwise."""

import json
import sys
from pathlib import Path

from tests.clients.protocol import Listing, Program


class AwsCli:
    """The one of PyPI, in this environment."""

    program = str(Path(sys.executable).parent / "aws")

    def __init__(self, endpoint):
        config = endpoint.directory / "aws-config"
        config.write_text(
            "[default]\ns3 =\n  addressing_style = path\n  signature_version = s3v4\n"
        )
        env = {
            "AWS_ACCESS_KEY_ID": endpoint.access_key,
            "AWS_SECRET_ACCESS_KEY": endpoint.secret_key,
            "AWS_DEFAULT_REGION": endpoint.region,
            "AWS_CONFIG_FILE": str(config),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
        }
        if endpoint.ca_file:
            env["AWS_CA_BUNDLE"] = endpoint.ca_file
        self._directory = endpoint.directory
        self._command = [self.program, "--endpoint-url", endpoint.url]
        self._program = Program(env)

    def _aws(self, *words, stdin=b""):
        return self._program.run([*self._command, *words], stdin)

    def version(self):
        return self._aws("--version").decode().split()[0].removeprefix("aws-cli/")

    def create_bucket(self, bucket):
        self._aws("s3", "mb", f"s3://{bucket}")

    def put(self, bucket, key, body, metadata):
        pairs = ",".join(f"{name}={text}" for name, text in metadata.items())
        self._aws("s3", "cp", "-", f"s3://{bucket}/{key}", "--metadata", pairs, stdin=body)

    def get(self, bucket, key):
        return self._aws("s3", "cp", f"s3://{bucket}/{key}", "-")

    def metadata(self, bucket, key):
        head = self._aws("s3api", "head-object", "--bucket", bucket, "--key", key)
        return json.loads(head)["Metadata"]

    def upload(self, bucket, key, path):
        self._aws("s3", "cp", "--no-progress", str(path), f"s3://{bucket}/{key}")

    def download(self, bucket, key, path):
        self._aws("s3", "cp", "--no-progress", f"s3://{bucket}/{key}", str(path))

    def read_range(self, bucket, key, first, last):
        target = self._directory / "range"
        place = ["--bucket", bucket, "--key", key, "--range", f"bytes={first}-{last}"]
        self._aws("s3api", "get-object", *place, str(target))
        return target.read_bytes()

    def list(self, bucket, prefix):
        lines = self._aws("s3", "ls", f"s3://{bucket}/{prefix}").decode().splitlines()
        names = [line.strip()[4:] for line in lines if line.strip().startswith("PRE ")]
        keys = [line.split(maxsplit=3)[3] for line in lines if not line.strip().startswith("PRE ")]
        return Listing(
            frozenset(prefix + key for key in keys), frozenset(prefix + name for name in names)
        )

    def copy(self, bucket, source, target):
        self._aws("s3", "cp", f"s3://{bucket}/{source}", f"s3://{bucket}/{target}")

    def presign(self, bucket, key):
        return (
            self._aws("s3", "presign", f"s3://{bucket}/{key}", "--expires-in", "60")
            .decode()
            .strip()
        )

    def delete(self, bucket, key):
        self._aws("s3", "rm", f"s3://{bucket}/{key}")

    def delete_bucket(self, bucket):
        self._aws("s3", "rb", f"s3://{bucket}")


class AwsCliDebian(AwsCli):
    """Version 2, as Debian packages it."""

    program = "/usr/bin/aws"
