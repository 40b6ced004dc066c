"""A development cluster as a test drives it: start, look, break, mend, stop."""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3
import requests
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[2]
MANAGE = ROOT / "manage.py"
PORTS_PER_NODE = 10
# Below the ports that the kernel hands out to clients.
BASE_PORT_MIN = 20_000
BASE_PORT_MAX = 30_000
COMMAND_SECONDS = 150
# For a person who wants to read the nodes' logs afterwards.
KEEP = bool(os.environ.get("PROBE_KEEP"))


def wait_until(predicate, deadline_seconds, what):
    """Wait until `predicate()` is true and return its value; fail when it takes too long.

    An answer that does not come counts as false: while nodes are down, requests fail.
    """
    deadline = time.monotonic() + deadline_seconds
    last = None
    while time.monotonic() < deadline:
        try:
            last = predicate()
        except requests.RequestException as error:
            last = error
        else:
            if last:
                return last
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {deadline_seconds} s; last answer {last!r}")


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_base_port(nodes):
    """Return a port from which the ports of so many nodes are free."""
    rng = random.SystemRandom()
    for _ in range(200):
        base = rng.randrange(BASE_PORT_MIN, BASE_PORT_MAX, PORTS_PER_NODE)
        wanted = [base + PORTS_PER_NODE * i + j for i in range(nodes) for j in range(3)]
        if all(map(_is_free, wanted)):
            return base
    raise AssertionError("no free ports")


def is_running(pid):
    """Return whether a process is there and not a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


class DevCluster:
    """`manage.py devcluster` in a directory of its own; a context manager that always cleans up."""

    def __init__(
        self,
        *,
        topology="us-east-1:3,eu-west-1:1",
        mode="quorum",
        database="sqlite",
        words=(),
        environment=None,
    ):
        self.environment = dict(environment or {})
        self.directory = Path(tempfile.mkdtemp(prefix="rs3gw-probe-"))
        self.options = ["--topology", topology, "--mode", mode, "--database", database]
        self.options += words
        self.node_count = sum(int(part.rpartition(":")[2]) for part in topology.split(","))
        self.ready_seconds = 0.0
        self._report = None

    def __enter__(self):
        started = time.monotonic()
        base = str(free_base_port(self.node_count))
        try:
            self.command("up", *self.options, "--base-port", base, "--detach")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self.ready_seconds = time.monotonic() - started
        return self

    def __exit__(self, *_):
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            self.command("kill")
        if not KEEP:
            shutil.rmtree(self.directory, ignore_errors=True)

    def command(self, action, *words):
        """Run a devcluster action and return what it printed."""
        env = {name: text for name, text in os.environ.items() if not name.startswith("RS3GW_")}
        env |= self.environment
        # A file, not a pipe: the nodes inherit nothing that would keep this call waiting.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [
                    sys.executable,
                    str(MANAGE),
                    "devcluster",
                    action,
                    "--dir",
                    self.directory,
                    *words,
                ],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=COMMAND_SECONDS,
                check=False,
            )
            output.seek(0)
            text = output.read()
        self._report = None
        assert done.returncode == 0, f"devcluster {action} failed:\n{text}"
        return text

    def status(self):
        """Return what `devcluster status --json` reports now."""
        return json.loads(self.command("status", "--json"))

    @property
    def report(self):
        """The report of the last command on; addresses and credentials do not change."""
        if self._report is None:
            self._report = self.status()
        return self._report

    @property
    def verify(self):
        """File of the authority to trust, None without TLS."""
        return self.report["ca_file"] or None

    @property
    def nodes(self):
        """All nodes in the order they were planned."""
        return self.report["nodes"]

    def node(self, node_id):
        """Return the report of one node."""
        return next(node for node in self.nodes if node["node_id"] == node_id)

    def in_region(self, region):
        """Return the nodes of a region."""
        return [node for node in self.nodes if node["region"] == region]

    def kill(self, node_id):
        """Kill every process of a node."""
        self.command("kill", "--node", node_id)

    def restart(self, node_id):
        """Start a node again and wait until it is a member."""
        self.command("restart", "--node", node_id)

    def kill_process(self, node_id, name):
        """Kill one process of a node ("web", "worker", "broker") and return its id."""
        pid = self.status_of(node_id)["pids"][name]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not is_running(pid), 10, f"{name} of {node_id} ends")
        return pid

    def status_of(self, node_id):
        """Return the report of one node as of now."""
        self._report = None
        return self.node(node_id)

    def s3(self, node, **config):
        """Return a boto3 client of a node's S3 port, with the demo's key."""
        keys = self.report["access_key"], self.report["secret_key"]
        return self.client_with(node, *keys, verify=self.verify, **config)

    @staticmethod
    def client_with(node, access_key, secret_key, *, verify=None, **config):
        """Return a boto3 client with some other key; it does not try twice."""
        return boto3.client(
            "s3",
            endpoint_url=node["s3_url"],
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            region_name=node["region"],
            verify=verify,
            config=Config(
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
                connect_timeout=5,
                **{"read_timeout": 30, "max_pool_connections": 16, **config},
            ),
        )

    def api(self, node, method, path, body=None):
        """Call the REST API of a node as the admin."""
        answer = requests.request(
            method,
            node["s3_url"] + path,
            json=body,
            auth=(self.report["admin_user"], self.report["admin_password"]),
            timeout=15,
            verify=self.verify or True,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def members_seen(self, node):
        """Return {node id: (state, liveness)} as a node sees its region."""
        found = self.api(node, "GET", "/api/cluster/nodes")["nodes"]
        return {entry["node_id"]: (entry["state"], entry["liveness"]) for entry in found}

    def wait_healthy(self, region="us-east-1", deadline_seconds=60):
        """Wait until every node of a region sees all of them active and alive."""
        nodes = self.in_region(region)
        wanted = {node["node_id"]: ("active", "alive") for node in nodes}
        for node in nodes:
            wait_until(
                lambda node=node: self.members_seen(node) == wanted,
                deadline_seconds,
                f"{node['node_id']} sees its region healthy",
            )

    def waiting_events(self, node):
        """Return how many events wait on a node, for any destination."""
        return self.api(node, "GET", "/api/cluster/replication")["stats"]["events_pending"]
