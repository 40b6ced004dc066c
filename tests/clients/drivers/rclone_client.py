"""rclone."""

import json
import sys
from pathlib import Path

from tests.clients.protocol import CannotDo, Listing, Program


class Rclone:
    """The one of PyPI, in this environment."""

    program = str(Path(sys.executable).parent / "rclone")

    def __init__(self, endpoint):
        config = endpoint.directory / "rclone.conf"
        config.write_text(
            "[node]\ntype = s3\nprovider = Other\nforce_path_style = true\n"
            f"access_key_id = {endpoint.access_key}\n"
            f"secret_access_key = {endpoint.secret_key}\n"
            f"endpoint = {endpoint.url}\nregion = {endpoint.region}\n"
        )
        self._command = [self.program, "--config", str(config), "--retries", "1"]
        self._command += ["--low-level-retries", "2"]
        # Above this size rclone sends parts.
        self._command += ["--s3-upload-cutoff", "8M", "--s3-chunk-size", "8M"]
        if endpoint.ca_file:
            self._command += ["--ca-cert", endpoint.ca_file]
        self._program = Program()

    def _rclone(self, *words, stdin=b""):
        return self._program.run([*self._command, *words], stdin)

    def version(self):
        return self._rclone("version").decode().split()[1].removeprefix("v")

    def create_bucket(self, bucket):
        self._rclone("mkdir", f"node:{bucket}")

    def put(self, bucket, key, body, metadata):
        pairs = [word for pair in metadata.items() for word in ("--metadata-set", "=".join(pair))]
        self._rclone("rcat", "--metadata", *pairs, f"node:{bucket}/{key}", stdin=body)

    def get(self, bucket, key):
        return self._rclone("cat", f"node:{bucket}/{key}")

    def metadata(self, bucket, key):
        shown = self._rclone("lsjson", "--stat", "--metadata", f"node:{bucket}/{key}")
        return json.loads(shown)["Metadata"]

    def upload(self, bucket, key, path):
        self._rclone("copyto", str(path), f"node:{bucket}/{key}")

    def download(self, bucket, key, path):
        self._rclone("copyto", f"node:{bucket}/{key}", str(path))

    def read_range(self, bucket, key, first, last):
        count = str(last - first + 1)
        return self._rclone("cat", "--offset", str(first), "--count", count, f"node:{bucket}/{key}")

    def list(self, bucket, prefix):
        names = self._rclone("lsf", f"node:{bucket}/{prefix}").decode().splitlines()
        return Listing(
            frozenset(prefix + name for name in names if not name.endswith("/")),
            frozenset(prefix + name for name in names if name.endswith("/")),
        )

    def copy(self, bucket, source, target):
        self._rclone("copyto", f"node:{bucket}/{source}", f"node:{bucket}/{target}")

    def presign(self, bucket, key):
        return self._rclone("link", "--expire", "60s", f"node:{bucket}/{key}").decode().strip()

    def delete(self, bucket, key):
        self._rclone("deletefile", f"node:{bucket}/{key}")

    def delete_bucket(self, bucket):
        self._rclone("rmdir", f"node:{bucket}")


class RcloneDebian(Rclone):
    """The older one of Debian, on the AWS SDK for Go version 1."""

    program = "/usr/bin/rclone"

    def put(self, bucket, key, body, metadata):
        self._rclone("rcat", f"node:{bucket}/{key}", stdin=body)

    def metadata(self, bucket, key):
        raise CannotDo("rcat of this version takes none")
