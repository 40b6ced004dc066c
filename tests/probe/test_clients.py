"""The S3 programs that people have: boto3, aws-cli, rclone and s3cmd, against every S3 port."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from boto3.s3.transfer import TransferConfig

from tests.probe.cluster import DevCluster, wait_until
from tests.probe.objects import body_of, list_all, read

pytestmark = pytest.mark.clients

SMALL = {"a.txt": 11, "docs/read me.txt": 4096, "docs/größe.bin": 70_000}
# Above the size from which every client sends an object in parts.
LARGE_BYTES = 24 * 2**20
COMMAND_SECONDS = 120


def _program(name):
    """Return a program's path: beside this Python, or installed on the machine."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, f"{name} is not installed: run `make setup apt`"
    return found


def _run(command, env=None):
    # Whatever the caller's shell says of AWS is for another store.
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        command,
        env={**inherited, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _tree(directory):
    paths = [path for path in directory.rglob("*") if path.is_file()]
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


def _fill(directory):
    for name, size in {**SMALL, "large.bin": LARGE_BYTES}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body_of(name, size))
    return _tree(directory)


class AwsCli:
    """aws-cli."""

    def __init__(self, node, report, directory):
        config = directory / "aws-config"
        config.write_text("[default]\ns3 =\n  addressing_style = path\n")
        self._command = [_program("aws"), "--endpoint-url", node["s3_url"], "s3"]
        self._env = {
            "AWS_ACCESS_KEY_ID": report["access_key"],
            "AWS_SECRET_ACCESS_KEY": report["secret_key"],
            "AWS_DEFAULT_REGION": node["region"],
            "AWS_CONFIG_FILE": str(config),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
        }

    def _aws(self, *words):
        return _run([*self._command, *words], self._env)

    def make_bucket(self, bucket):
        self._aws("mb", f"s3://{bucket}")

    def upload(self, directory, bucket):
        self._aws("sync", "--no-progress", str(directory), f"s3://{bucket}/up")

    def download(self, bucket, directory):
        self._aws("cp", "--recursive", "--no-progress", f"s3://{bucket}/up", str(directory))

    def listing(self, bucket):
        return self._aws("ls", "--recursive", f"s3://{bucket}/up")

    def remove(self, bucket):
        self._aws("rm", "--recursive", f"s3://{bucket}/up")
        self._aws("rb", f"s3://{bucket}")


class Rclone:
    """rclone."""

    def __init__(self, node, report, directory):
        config = directory / "rclone.conf"
        config.write_text(
            "[node]\ntype = s3\nprovider = Other\nforce_path_style = true\n"
            f"access_key_id = {report['access_key']}\n"
            f"secret_access_key = {report['secret_key']}\n"
            f"endpoint = {node['s3_url']}\nregion = {node['region']}\n"
        )
        self._command = [_program("rclone"), "--config", str(config), "--retries", "1"]
        # Above this size rclone sends parts.
        self._command += ["--s3-upload-cutoff", "8M", "--s3-chunk-size", "8M"]

    def _rclone(self, *words):
        return _run([*self._command, *words])

    def make_bucket(self, bucket):
        self._rclone("mkdir", f"node:{bucket}")

    def upload(self, directory, bucket):
        self._rclone("sync", str(directory), f"node:{bucket}/up")
        self._rclone("check", "--download", str(directory), f"node:{bucket}/up")

    def download(self, bucket, directory):
        self._rclone("copy", f"node:{bucket}/up", str(directory))

    def listing(self, bucket):
        return self._rclone("lsf", "-R", f"node:{bucket}/up")

    def remove(self, bucket):
        self._rclone("purge", f"node:{bucket}")


class S3cmd:
    """s3cmd."""

    def __init__(self, node, report, directory):
        host = node["s3_url"].removeprefix("http://")
        config = directory / "s3cfg"
        config.write_text(
            "[default]\nuse_https = False\nmultipart_chunk_size_mb = 8\nprogress_meter = False\n"
            f"access_key = {report['access_key']}\nsecret_key = {report['secret_key']}\n"
            f"host_base = {host}\nhost_bucket = {host}\nbucket_location = {node['region']}\n"
        )
        self._command = [_program("s3cmd"), "-c", str(config), "--no-progress"]

    def _s3cmd(self, *words):
        return _run([*self._command, *words])

    def make_bucket(self, bucket):
        self._s3cmd("mb", f"s3://{bucket}")

    def upload(self, directory, bucket):
        self._s3cmd("sync", f"{directory}/", f"s3://{bucket}/up/")

    def download(self, bucket, directory):
        self._s3cmd("sync", f"s3://{bucket}/up/", f"{directory}/")

    def listing(self, bucket):
        return self._s3cmd("ls", "--recursive", f"s3://{bucket}/up/")

    def remove(self, bucket):
        self._s3cmd("del", "--recursive", "--force", f"s3://{bucket}/up/")
        self._s3cmd("rb", f"s3://{bucket}")


class Boto3:
    """boto3, with its transfer manager."""

    def __init__(self, node, report, directory):
        self._s3 = DevCluster.client_with(node, report["access_key"], report["secret_key"])
        self._transfer = TransferConfig(multipart_threshold=8 * 2**20)

    def make_bucket(self, bucket):
        self._s3.create_bucket(Bucket=bucket)

    def upload(self, directory, bucket):
        for name in _tree(directory):
            self._s3.upload_file(str(directory / name), bucket, f"up/{name}", Config=self._transfer)

    def download(self, bucket, directory):
        for key in list_all(self._s3, bucket, "up/"):
            target = directory / key.removeprefix("up/")
            target.parent.mkdir(parents=True, exist_ok=True)
            self._s3.download_file(bucket, key, str(target), Config=self._transfer)

    def listing(self, bucket):
        return "\n".join(list_all(self._s3, bucket, "up/"))

    def remove(self, bucket):
        keys = [{"Key": key} for key in list_all(self._s3, bucket)]
        answer = self._s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})
        assert "Errors" not in answer, answer
        self._s3.delete_bucket(Bucket=bucket)


@pytest.mark.parametrize("program", [Boto3, AwsCli, Rclone, S3cmd])
def test_a_program_writes_lists_reads_and_deletes(program, cluster, east, tmp_path):
    node, other = east[0], cluster.s3(east[1])
    client = program(node, cluster.report, tmp_path)
    bucket = f"client-{program.__name__.lower()}"
    source, target = tmp_path / "source", tmp_path / "target"
    files = _fill(source)
    target.mkdir()

    client.make_bucket(bucket)
    client.upload(source, bucket)
    listing = client.listing(bucket)
    client.download(bucket, target)

    assert all(name in listing for name in files)
    assert _tree(target) == files
    for name, body in files.items():
        wait_until(
            lambda name=name, body=body: read(other, bucket, f"up/{name}") == body,
            20,
            f"{name} is on the next node",
        )
    client.remove(bucket)
    names = [entry["Name"] for entry in cluster.s3(node).list_buckets()["Buckets"]]
    assert bucket not in names


@pytest.mark.parametrize("program", [Boto3, AwsCli, Rclone])
def test_every_s3_port_takes_a_program(program, cluster, tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "hello.txt").write_bytes(b"hello from anywhere")
    for node in cluster.nodes:
        bucket = f"{program.__name__.lower()}-{node['node_id']}"
        place = tmp_path / node["node_id"]
        place.mkdir()
        client = program(node, cluster.report, place)
        client.make_bucket(bucket)
        client.upload(tmp_path / "source", bucket)
        client.download(bucket, place / "target")
        assert _tree(place / "target") == {"hello.txt": b"hello from anywhere"}


def test_a_presigned_address_works_without_credentials(cluster, east, bucket):
    s3 = cluster.s3(east[0], signature_version="s3v4")
    names = {"Bucket": bucket, "Key": "shared/größe 1.bin"}
    put = s3.generate_presigned_url("put_object", Params=names, ExpiresIn=60)
    assert requests.put(put, data=b"signed", timeout=10).status_code == 200
    get = s3.generate_presigned_url("get_object", Params=names, ExpiresIn=60)
    assert requests.get(get, timeout=10).content == b"signed"
    assert requests.get(get.partition("?")[0], timeout=10).status_code == 403
