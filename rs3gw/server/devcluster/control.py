"""Starting, stopping and asking the nodes of a development cluster."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from rs3gw.common import clock, ids
from rs3gw.server.devcluster import certificates, postgres
from rs3gw.server.devcluster.plan import Options, PlannedNode, environment, plan_nodes
from rs3gw.server.devcluster.state import State, broker_pid, node_state, process_state, save

MANAGE = str(Path(__file__).resolve().parents[3] / "manage.py")
READY_SECONDS = 90.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.1
LOG_TAIL_BYTES = 3000
ADMIN_USER = "admin"


class StartError(RuntimeError):
    """A node did not start; the message holds the end of its log."""


def new_state(options: Options, directory: Path) -> State:
    """Plan a cluster, make its secrets, and return its state."""
    nodes = plan_nodes(options, directory)
    secrets_dir = directory / "secrets"
    secrets_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    names = [f"{node.node_id}.key" for node in nodes]
    for name in {*names, *(f"{node.region}.cluster" for node in nodes)}:
        _write_secret(secrets_dir / name, secrets.token_hex(32))
    state: State = {
        "access_key": ids.new_access_key_id(),
        "secret_key": ids.new_secret_key(),
        "admin_user": ADMIN_USER,
        "admin_password": secrets.token_urlsafe(12),
        "pairing_key": secrets.token_urlsafe(32),
        "database": options.database,
        "ca_file": str(certificates.make(secrets_dir).ca) if options.is_tls else "",
        "is_paired": False,
        "nodes": [],
    }
    inherited = {
        name: text
        for name, text in os.environ.items()
        if name.startswith("RS3GW_") and not name.startswith("RS3GW_TLS_")
    }
    for node in nodes:
        env = inherited | environment(node, nodes, options, secrets_dir)
        if options.database == "postgres":
            port = node.cluster_port + 1
            env["RS3GW_DATABASE_URL"] = postgres.url(port)
        state["nodes"].append(_record(node, env))
    return state


def _record(node: PlannedNode, env: Mapping[str, str]) -> dict[str, Any]:
    record = node.to_json()
    urls = {"s3_url": node.s3_url, "cluster_url": node.cluster_url, "admin_url": node.admin_url}
    return {**record, **urls, "env": dict(env), "pids": {}}


def _write_secret(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text)


def prepare_databases(state: State, directory: Path) -> None:
    """Give every new node a migrated database: one migration, copied, for SQLite."""
    if state["database"] == "postgres":
        return
    new = [n for n in state["nodes"] if not (Path(n["data_dir"]) / "rs3gw.sqlite3").exists()]
    if not new:
        return
    template = directory / "template.sqlite3"
    if not template.exists():
        _migrate({"RS3GW_DATABASE_URL": f"sqlite:///{template}"})
    for node in new:
        Path(node["data_dir"]).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(template, Path(node["data_dir"]) / "rs3gw.sqlite3")


def _migrate(env: Mapping[str, str]) -> None:
    done = subprocess.run(  # noqa: S603  (our own words)
        [sys.executable, MANAGE, "migrate", "--verbosity", "0"],
        env=_clean_environment() | dict(env),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StartError(f"the database cannot be migrated:\n{done.stderr[-LOG_TAIL_BYTES:]}")


def _clean_environment() -> dict[str, str]:
    return {n: v for n, v in os.environ.items() if not n.startswith("RS3GW_")}


def start_nodes(state: State, directory: Path, nodes: Sequence[dict[str, Any]]) -> None:
    """Start the processes of these nodes, all at once; does not wait for them to be ready."""
    if state["database"] == "postgres":
        _start_databases(nodes)
    for node in nodes:
        env = _clean_environment() | node["env"] | _first_start(state)
        node["pids"]["web"] = _spawn(node, "web", ["serve", "--init"], env)
        node["pids"]["worker"] = _spawn(node, "worker", ["worker"], env)
        save(directory, state)


def _first_start(state: State) -> dict[str, str]:
    return {
        "RS3GW_INIT_ADMIN_USER": state["admin_user"],
        "RS3GW_INIT_ADMIN_PASSWORD": state["admin_password"],
        "RS3GW_INIT_ACCESS_KEY": state["access_key"],
        "RS3GW_INIT_SECRET_KEY": state["secret_key"],
    }


def _start_databases(nodes: Sequence[dict[str, Any]]) -> None:
    for node in nodes:
        directory = Path(node["data_dir"]) / "postgres"
        postgres.initialise(directory)
        (directory / "postmaster.pid").unlink(missing_ok=True)
        port = int(node["env"]["RS3GW_DATABASE_URL"].rpartition(":")[2].partition("/")[0])
        words = postgres.command(directory, port)
        node["pids"] = {"postgres": _spawn(node, "postgres", words, dict(os.environ), raw=True)}
    for node in nodes:
        deadline = clock.monotonic() + READY_SECONDS
        while True:
            try:
                _migrate(node["env"])
                break
            except StartError:
                if clock.monotonic() > deadline:
                    raise
                clock.sleep(0.5)


def _spawn(
    node: dict[str, Any], name: str, words: list[str], env: dict[str, str], *, raw: bool = False
) -> int:
    """Start one process in its node's process group, which the first process founds."""
    log_path = Path(node["data_dir"]) / f"{name}.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    group = next((pid for pid in node["pids"].values() if process_state(pid)), 0)
    command = words if raw else [sys.executable, MANAGE, *words]
    with log_path.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  (our own words)
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=os.getpgid(group) if group else 0,
            cwd="/" if raw else None,
        )
    return process.pid


def wait_ready(state: State, nodes: Sequence[dict[str, Any]]) -> None:
    """Wait until these nodes serve, and all running nodes of their regions see each other active.

    Raises:
        StartError: One does not, or its process has ended.
    """
    deadline = clock.monotonic() + READY_SECONDS
    for node in nodes:
        while not (_is_ready(state, node) and _see_each_other(state, node["region"])):
            _reap()
            is_alive = process_state(node["pids"]["web"])
            if not is_alive or clock.monotonic() > deadline:
                raise StartError(f"{node['node_id']} does not become ready:\n{_log_tail(node)}")
            clock.sleep(POLL_SECONDS)


def _verify(state: State) -> str | bool:
    return state.get("ca_file") or True


def _is_ready(state: State, node: dict[str, Any]) -> bool:
    url = f"{node['s3_url']}/healthz/ready"
    try:
        return requests.head(url, timeout=2, verify=_verify(state)).status_code == 200
    except requests.RequestException:
        return False


def _see_each_other(state: State, region: str) -> bool:
    running = [n for n in state["nodes"] if node_state(n["pids"]) == "running"]
    return all(_sees_region(state, node) for node in running if node["region"] == region)


def _sees_region(state: State, node: dict[str, Any]) -> bool:
    wanted = {
        n["node_id"]
        for n in state["nodes"]
        if n["region"] == node["region"] and node_state(n["pids"]) == "running"
    }
    try:
        answer = _call(state, node, "GET", "/api/cluster/nodes")
    except requests.RequestException:
        return False
    active = {n["node_id"] for n in answer.json()["nodes"] if n["state"] == "active"}
    return wanted <= active


def _call(
    state: State, node: dict[str, Any], method: str, path: str, body: object = None
) -> requests.Response:
    response = requests.request(
        method,
        node["s3_url"] + path,
        json=body,
        auth=(state["admin_user"], state["admin_password"]),
        timeout=15,
        verify=_verify(state),
    )
    response.raise_for_status()
    return response


def pair_regions(state: State) -> None:
    """Make every region known to every other one, with one pairing key."""
    if state["is_paired"]:
        return
    by_region: dict[str, list[dict[str, Any]]] = {}
    for node in state["nodes"]:
        by_region.setdefault(node["region"], []).append(node)
    for region, nodes in by_region.items():
        for other, theirs in by_region.items():
            if other != region:
                body = {
                    "name": other,
                    "endpoints": [node["cluster_url"] for node in theirs],
                    "pairing_key": state["pairing_key"],
                }
                _call(state, nodes[0], "POST", "/api/regions/", body)
    state["is_paired"] = True


def _log_tail(node: dict[str, Any]) -> str:
    texts = []
    for name in ("web", "worker"):
        path = Path(node["data_dir"]) / f"{name}.log"
        if path.exists():
            texts.append(f"--- {name}\n" + path.read_text(errors="replace")[-LOG_TAIL_BYTES:])
    return "\n".join(texts)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _group(node: dict[str, Any]) -> int:
    for pid in node["pids"].values():
        with contextlib.suppress(ProcessLookupError):
            if process_state(pid):
                return os.getpgid(pid)
    return 0


def send_signal(node: dict[str, Any], number: signal.Signals) -> None:
    """Send a signal to the whole process group of a node."""
    group = _group(node)
    if group:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)


def _is_gone(node: dict[str, Any]) -> bool:
    _reap()
    return not any(process_state(pid) for pid in node["pids"].values())


def stop_node(node: dict[str, Any], *, gracefully: bool) -> None:
    """End a node's processes: asked first when `gracefully`, killed when it takes too long."""
    send_signal(node, signal.SIGCONT)
    broker = broker_pid(node["data_dir"])
    if gracefully:
        for name in ("web", "worker"):
            pid = node["pids"].get(name)
            if pid and process_state(pid):
                os.kill(pid, signal.SIGTERM)
        deadline = clock.monotonic() + STOP_SECONDS
        names = [pid for name, pid in node["pids"].items() if name != "postgres"]
        while any(map(process_state, names)) and clock.monotonic() < deadline:
            _reap()
            clock.sleep(POLL_SECONDS)
        database = node["pids"].get("postgres")
        if database and process_state(database):
            os.kill(database, signal.SIGINT)
            clock.sleep(POLL_SECONDS)
    send_signal(node, signal.SIGKILL)
    deadline = clock.monotonic() + STOP_SECONDS
    while not _is_gone(node) and clock.monotonic() < deadline:
        clock.sleep(POLL_SECONDS)
    if broker and process_state(broker):
        with contextlib.suppress(ProcessLookupError):
            os.kill(broker, signal.SIGKILL)


def report(state: State) -> dict[str, Any]:
    """Return the cluster as programs read it."""
    nodes = []
    for node in state["nodes"]:
        pids = {name: pid for name, pid in node["pids"].items() if process_state(pid)}
        broker = broker_pid(node["data_dir"])
        if broker and pids:
            pids["broker"] = broker
        shown = {key: node[key] for key in ("node_id", "region", "s3_url", "cluster_url")}
        shown |= {"admin_url": node["admin_url"], "data_dir": node["data_dir"]}
        shown |= {"state": node_state(node["pids"]), "pids": pids, "env": node["env"]}
        nodes.append(shown)
    names = ("access_key", "secret_key", "admin_user", "admin_password")
    shared = {name: state[name] for name in names} | {"ca_file": state.get("ca_file", "")}
    return {"nodes": nodes, **shared}
