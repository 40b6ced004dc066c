"""A region of real nodes, each a machine of its own, and what can be done to them."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rs3gw.common.broker_url import socket_path
from rs3gw.server.devcluster import postgres
from tests.chaos.client import ACCESS_KEY, PORT, SECRET_KEY, Client
from tests.chaos.lab import leftovers
from tests.chaos.lab.disk import Disk
from tests.chaos.lab.leftovers import tag_of
from tests.chaos.lab.machine import ROOT, Machine
from tests.chaos.lab.network import Network, enter
from tests.chaos.lab.shell import sh
from tests.chaos.lab.shim import Shim, build
from tests.probe.cluster import KEEP, wait_until

REGION = "us-east-1"
PEER_PORT = 9001
POSTGRES_PORT = 5432
METRICS_TOKEN = "chaos-metrics-token"
ADMIN = ("admin", "chaos-admin-password")
READY_SECONDS = 90
HEARTBEAT_SECONDS, TIMEOUT_SECONDS = 0.5, 2.0
INTERVALS = {
    "RS3GW_HEARTBEAT_INTERVAL": f"{HEARTBEAT_SECONDS}s",
    "RS3GW_HEARTBEAT_TIMEOUT": f"{TIMEOUT_SECONDS}s",
    "RS3GW_GOSSIP_INTERVAL": "200ms",
    "RS3GW_SWEEP_INTERVAL": "500ms",
    "RS3GW_WRITE_TIMEOUT": "3s",
}
MUTANTS = Path(__file__).with_name("broken_manage.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a cluster is made of.

    Attributes:
        nodes: How many.
        mode: Their write mode.
        database: `sqlite` or `postgres`, on every node.
        mutant: Name of a deliberate fault from `broken_manage`, or "".
        settings: More variables of every node, as (name, text).
    """

    nodes: int = 3
    mode: str = "quorum"
    database: str = "sqlite"
    mutant: str = ""
    settings: tuple[tuple[str, str], ...] = ()


class ChaosCluster:
    """A context manager: the nodes run inside, and nothing is left of them afterwards."""

    def __init__(self, plan):
        self.plan = plan
        self.names = [f"node-{i + 1}" for i in range(plan.nodes)]
        self.all = range(plan.nodes)
        self._tag = tag_of(os.getpid())
        self.directory = Path(tempfile.mkdtemp(prefix="rs3gw-chaos-"))
        self.directory.chmod(0o755)
        (self.directory / "owner").write_text(str(os.getpid()))
        self.network = Network(plan.nodes, self._tag)
        self.machines, self.disks, self.shims = [], [], []
        self._secrets = {"cluster": os.urandom(32).hex(), "node": os.urandom(32).hex()}
        self._asking = None
        self._tokens = {}

    def __enter__(self):
        try:
            self._set_up()
            for node in self.all:
                self.start(node)
            self.wait_whole()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        steps = [machine.destroy for machine in self.machines]
        if KEEP:
            steps += [partial(self._keep, node) for node in range(len(self.disks))]
        steps += [disk.destroy for disk in self.disks]
        steps += [shim.close for shim in self.shims]
        steps.append(self.network.down)
        for step in steps:
            with contextlib.suppress(OSError, RuntimeError, AssertionError):
                step()
        if self._asking is not None:
            self._asking.shutdown(wait=False, cancel_futures=True)
        if not KEEP:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _keep(self, node):
        shutil.copytree(self.data_dir(node), self.directory / self.names[node] / "kept")

    def _set_up(self):
        leftovers.sweep()
        self.network.up()
        self._asking = ThreadPoolExecutor(16, initializer=enter, initargs=(self.network.client,))
        library = build(self.directory)
        for node in self.all:
            home = self.directory / self.names[node]
            home.mkdir(mode=0o755)
            machine = Machine(f"{self._tag}-{node}", self.network.namespaces[node], self.logs(node))
            self.machines.append(machine)
            disk = Disk(home / "disk.img", self.data_dir(node))
            self.disks.append(disk)
            disk.create()
            self.shims.append(Shim(home / "control", library))
            self._install(node)

    def data_dir(self, node):
        """Return where a node keeps its data; its disk is mounted there."""
        return self.directory / self.names[node] / "data"

    def logs(self, node):
        """Return where the output of a node's processes is."""
        return self.directory / self.names[node] / "log"

    # --- starting and ending

    def env(self, node):
        """Return the whole environment of a node's processes."""
        address = self.network.address(node)
        seeds = [f"{self.network.address(n)}:{PEER_PORT}" for n in self.all if n != node]
        given = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        env = given | INTERVALS | self.shims[node].env()
        env |= {
            "DJANGO_SETTINGS_MODULE": "rs3gw.settings",
            "PYTHONPATH": str(ROOT),
            "RS3GW_DATA_DIR": str(self.data_dir(node)),
            "RS3GW_BIND_ADDR": f"{address}:{PORT}",
            "RS3GW_REGION": REGION,
            "RS3GW_CLUSTER_ENABLED": "true",
            "RS3GW_CLUSTER_NODE_ID": self.names[node],
            "RS3GW_CLUSTER_ADVERTISE_ADDR": f"{address}:{PEER_PORT}",
            "RS3GW_CLUSTER_PORT": str(PEER_PORT),
            "RS3GW_CLUSTER_SEED_NODES": ",".join(seeds),
            "RS3GW_CLUSTER_SECRET": self._secrets["cluster"],
            "RS3GW_SECRET_KEY": self._secrets["node"],
            "RS3GW_REPLICATION_MODE": self.plan.mode,
            "RS3GW_METRICS_TOKEN": METRICS_TOKEN,
            "RS3GW_INIT_ACCESS_KEY": ACCESS_KEY,
            "RS3GW_INIT_SECRET_KEY": SECRET_KEY,
            "RS3GW_INIT_ADMIN_USER": ADMIN[0],
            "RS3GW_INIT_ADMIN_PASSWORD": ADMIN[1],
        }
        if self.plan.database == "postgres":
            env["RS3GW_DATABASE_URL"] = postgres.url(POSTGRES_PORT)
        return env | dict(self.plan.settings)

    def _install(self, node):
        """Give an empty disk its database: one migration, copied, for SQLite."""
        if self.plan.database == "postgres":
            postgres.initialise(self.data_dir(node) / "postgres")
            return
        template = self.directory / "template.sqlite3"
        if not template.exists():
            url = f"sqlite:///{template}"
            words = [sys.executable, str(ROOT / "manage.py"), "migrate", "-v0"]
            env = self.env(node) | {"RS3GW_DATABASE_URL": url}
            env.pop("LD_PRELOAD")
            self._run(words, env)
        shutil.copyfile(template, self.data_dir(node) / "rs3gw.sqlite3")
        # The copy is ours and not the product's: no loss of power may take it.
        sh("sync", "-f", str(self.data_dir(node)))

    @staticmethod
    def _run(words, env):
        done = subprocess.run(words, env=env, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]

    def _manage(self, *words):
        script = [str(MUTANTS), self.plan.mutant] if self.plan.mutant else [str(ROOT / "manage.py")]
        return [sys.executable, *script, *words]

    def start(self, node):
        """Start the processes of a node without waiting for them."""
        if self.plan.database == "postgres":
            self.start_database(node)
        self.machines[node].start("web", self._manage("serve", "--init"), self.env(node))
        self.start_worker(node)

    def start_worker(self, node):
        """Start a node's worker."""
        self.machines[node].start("worker", self._manage("worker"), self.env(node))

    def start_database(self, node):
        """Start a node's PostgreSQL and give it its tables."""
        directory = self.data_dir(node) / "postgres"
        (directory / "postmaster.pid").unlink(missing_ok=True)
        env = {name: text for name, text in self.env(node).items() if name != "LD_PRELOAD"}
        self.machines[node].start("postgres", postgres.command(directory, POSTGRES_PORT), env)
        space = f"--net=/run/netns/{self.network.namespaces[node]}"
        words = ["nsenter", space, sys.executable, str(ROOT / "manage.py"), "migrate", "-v0"]

        def migrate():
            with contextlib.suppress(AssertionError):
                self._run(words, env)
                return True

        wait_until(migrate, READY_SECONDS, f"{self.names[node]} has its tables")

    def kill(self, node):
        """Kill every process of a node at once."""
        self.machines[node].kill()

    def restart(self, node):
        """Start a killed node and wait until it answers."""
        self.start(node)
        self.wait_ready(node)

    def freeze(self, node):
        """Stop a node where it stands; `thaw` lets it go on."""
        self.machines[node].freeze()

    def thaw(self, node):
        """Let a frozen node go on."""
        self.machines[node].thaw()

    def power_loss(self, node):
        """Cut the power: what was not synced is gone. The node is down afterwards."""
        self.disks[node].cut_power()
        self.machines[node].kill()
        self.disks[node].unmount()
        self.disks[node].mount()

    def replace_disk(self, node):
        """Give a node an empty disk; it is down afterwards and keeps its name and settings."""
        self.machines[node].kill()
        self.disks[node].wipe()
        self._install(node)

    def kill_broker(self, node):
        """Kill a node's Redis, with all that it holds; the worker starts another."""
        pid = self.broker_pid(node)
        assert pid, f"node {node} has no broker"
        os.kill(pid, signal.SIGKILL)
        return pid

    def broker_pid(self, node):
        """Return the process of a node's Redis, 0 when it is down."""
        file = self.data_dir(node) / "run" / "broker.pid"
        pid = int(file.read_text() or 0) if file.exists() else 0
        return pid if pid in self.machines[node].pids() else 0

    def flush_broker(self, node):
        """Let a node's Redis forget everything."""
        sh("redis-cli", "-s", str(socket_path(self.data_dir(node))), "flushall")

    # --- asking

    def ask(self, function, *args):
        """Run a function on a thread that is in the clients' network; returns its future."""
        return self._asking.submit(function, *args)

    def http(self, node, path, *, headers=None, body=None, timeout_seconds=5.0):
        """Return (status, text) of an HTTP request; status 0 when there is no answer."""
        url = f"http://{self.network.address(node)}:{PORT}{path}"
        request = urllib.request.Request(url, data=body, headers=headers or {})

        def fetch():
            try:
                with urllib.request.urlopen(request, timeout=timeout_seconds) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()
            except OSError:
                return 0, ""

        return self.ask(fetch).result()

    def metrics(self, node):
        """Return the samples of a node's own families, {name and labels: value}; {} when down."""
        headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
        _, text = self.http(node, "/metrics", headers=headers)
        lines = [line.rpartition(" ") for line in text.splitlines() if line.startswith("rs3gw_")]
        return {name: float(value) for name, _, value in lines}

    def api(self, node, path):
        """Return what a node's REST API answers to a GET, None when there is no answer."""
        if node not in self._tokens:
            words = json.dumps({"username": ADMIN[0], "password": ADMIN[1]}).encode()
            headers = {"Content-Type": "application/json"}
            status, text = self.http(node, "/api/token/", headers=headers, body=words)
            if status != 200:
                return None
            self._tokens[node] = json.loads(text)["token"]
        headers = {"Authorization": f"Token {self._tokens[node]}"}
        status, text = self.http(node, path, headers=headers)
        if status == 401:
            del self._tokens[node]
        return json.loads(text) if status == 200 else None

    def liveness(self, node):
        """Return {node's number: liveness} as one node sees the others; {} when it is down."""
        answer = self.api(node, "/api/cluster/nodes") or {"nodes": []}
        seen = {entry["node_id"]: entry["liveness"] for entry in answer["nodes"]}
        return {self.names.index(name): word for name, word in seen.items()}

    def is_ready(self, node):
        """Return whether a node serves."""
        return self.http(node, "/healthz/ready", timeout_seconds=2.0)[0] == 200

    def wait_ready(self, node):
        """Wait until a node serves."""
        wait_until(lambda: self.is_ready(node), READY_SECONDS, f"{self.names[node]} serves")

    def wait_whole(self):
        """Wait until all nodes serve and see all others alive."""
        for node in self.all:
            self.wait_ready(node)
        wanted = dict.fromkeys(self.all, "alive")
        for node in self.all:
            what = f"{self.names[node]} sees all nodes alive"
            wait_until(lambda node=node: self.liveness(node) == wanted, READY_SECONDS, what)

    def client(self, node, **words):
        """Return an S3 client of a node; only for threads that are in the clients' network."""
        address = self.network.address(node)
        return Client(address, lambda: self.shims[node].offset_seconds, **words)

    def send(self, node, *words, **named):
        """Send one S3 request from anywhere and return its answer."""

        def go():
            client = self.client(node)
            try:
                return client.send(*words, **named)
            finally:
                client.close()

        return self.ask(go).result()

    def mend(self):
        """Undo every fault and start what is down; returns when the region is whole again."""
        self.network.heal()
        down = []
        for node in self.all:
            self.shims[node].clear()
            self.disks[node].free()
            self.thaw(node)
            running = all(self.machines[node].is_running(name) for name in ("web", "worker"))
            if not running:
                self.kill(node)
                self.start(node)
                down.append(node)
        self.wait_whole()
        return down


def thread_in(cluster, target, *args):
    """Start a thread in the clients' network."""

    def run():
        enter(cluster.network.client)
        target(*args)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
