"""s3cmd."""

import sys
from pathlib import Path

from tests.clients.protocol import Listing, Program


class S3cmd:
    """Path-style addresses, by a host template without the bucket."""

    program = str(Path(sys.executable).parent / "s3cmd")

    def __init__(self, endpoint):
        config = endpoint.directory / "s3cfg"
        config.write_text(
            f"[default]\nuse_https = {endpoint.is_tls}\nmultipart_chunk_size_mb = 8\n"
            f"access_key = {endpoint.access_key}\nsecret_key = {endpoint.secret_key}\n"
            f"host_base = {endpoint.host}\nhost_bucket = {endpoint.host}\n"
            f"bucket_location = {endpoint.region}\nsignurl_use_https = {endpoint.is_tls}\n"
            f"ca_certs_file = {endpoint.ca_file or ''}\nprogress_meter = False\n"
        )
        self._directory = endpoint.directory
        self._command = [sys.executable, self.program, "-c", str(config), "--no-progress"]
        self._program = Program({"LC_ALL": "C.UTF-8"})

    def _s3cmd(self, *words, stdin=b""):
        return self._program.run([*self._command, *words], stdin)

    def version(self):
        return self._s3cmd("--version").decode().split()[-1]

    def create_bucket(self, bucket):
        self._s3cmd("mb", f"s3://{bucket}")

    def put(self, bucket, key, body, metadata):
        headers = [f"--add-header=x-amz-meta-{name}:{text}" for name, text in metadata.items()]
        source = self._directory / "small"
        source.write_bytes(body)
        self._s3cmd("put", *headers, str(source), f"s3://{bucket}/{key}")

    def get(self, bucket, key):
        return self._s3cmd("get", "--quiet", f"s3://{bucket}/{key}", "-")

    def metadata(self, bucket, key):
        shown = self._s3cmd("info", f"s3://{bucket}/{key}").decode().splitlines()
        pairs = [line.partition("x-amz-meta-")[2].split(":", 1) for line in shown]
        return {pair[0]: pair[1].strip() for pair in pairs if len(pair) == 2}

    def upload(self, bucket, key, path):
        self._s3cmd("put", str(path), f"s3://{bucket}/{key}")

    def download(self, bucket, key, path):
        self._s3cmd("get", f"s3://{bucket}/{key}", str(path))

    def read_range(self, bucket, key, first, last):
        # The one thing it has is to go on with a file that is there in part.
        target = self._directory / "range"
        target.write_bytes(b"\0" * first)
        self._s3cmd("get", "--continue", f"s3://{bucket}/{key}", str(target))
        return target.read_bytes()[first : last + 1]

    def list(self, bucket, prefix):
        lines = self._s3cmd("ls", f"s3://{bucket}/{prefix}").decode().splitlines()
        names = [line.partition(f"s3://{bucket}/")[2] for line in lines]
        return Listing(
            frozenset(name for name in names if not name.endswith("/")),
            frozenset(name for name in names if name.endswith("/")),
        )

    def copy(self, bucket, source, target):
        self._s3cmd("cp", f"s3://{bucket}/{source}", f"s3://{bucket}/{target}")

    def presign(self, bucket, key):
        return self._s3cmd("signurl", f"s3://{bucket}/{key}", "+60").decode().strip()

    def delete(self, bucket, key):
        self._s3cmd("del", f"s3://{bucket}/{key}")

    def delete_bucket(self, bucket):
        self._s3cmd("rb", f"s3://{bucket}")
