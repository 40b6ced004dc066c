"""restic: a backup in a repository, in which every step is something else than an object."""

import json
import shutil

from tests.clients.protocol import CannotDo, Program

REPOSITORY = "restic"


class Restic:
    """Puts files into snapshots; the repository is made in a bucket that it makes itself."""

    opaque = True

    def __init__(self, endpoint):
        self._endpoint = endpoint
        env = {
            "AWS_ACCESS_KEY_ID": endpoint.access_key,
            "AWS_SECRET_ACCESS_KEY": endpoint.secret_key,
            "AWS_DEFAULT_REGION": endpoint.region,
            "RESTIC_PASSWORD": "not-a-secret",
        }
        self._command = ["restic", "--no-cache", "-o", "s3.bucket-lookup=path"]
        if endpoint.ca_file:
            self._command += ["--cacert", endpoint.ca_file]
        self._program = Program(env)

    def _restic(self, bucket, *words, stdin=b""):
        repository = ["--repo", f"s3:{self._endpoint.url}/{bucket}/{REPOSITORY}"]
        return self._program.run([*self._command, *repository, *words], stdin)

    def version(self):
        return self._program.run(["restic", "version"]).decode().split()[1]

    def create_bucket(self, bucket):
        self._restic(bucket, "init")

    def put(self, bucket, key, body, metadata):
        self._restic(bucket, "backup", "--stdin", "--stdin-filename", key, stdin=body)

    def get(self, bucket, key):
        return self._restic(bucket, "dump", "--path", f"/{key}", "latest", f"/{key}")

    def metadata(self, bucket, key):
        raise CannotDo("it stores snapshots, not objects")

    def upload(self, bucket, key, path):
        with path.open("rb") as source:
            self.put(bucket, key, source.read(), {})

    def download(self, bucket, key, path):
        place = self._endpoint.directory / "restored"
        self._restic(bucket, "restore", "latest", "--path", f"/{key}", "--target", str(place))
        shutil.move(place / key, path)

    def read_range(self, bucket, key, first, last):
        raise CannotDo("it restores whole files, though from ranges of its packs")

    def list(self, bucket, prefix):
        raise CannotDo("it lists snapshots")

    def copy(self, bucket, source, target):
        raise CannotDo("it copies between repositories only, and through itself")

    def presign(self, bucket, key):
        raise CannotDo("its objects are for itself")

    def delete(self, bucket, key):
        shown = json.loads(self._restic(bucket, "snapshots", "--json", "--path", f"/{key}"))
        self._restic(bucket, "forget", "--prune", *(each["id"] for each in shown))
        self._restic(bucket, "check", "--read-data")

    def delete_bucket(self, bucket):
        raise CannotDo("it makes buckets and removes none")
