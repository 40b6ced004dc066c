"""The state file of a development cluster, and what its processes are doing."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE_NAME = "devcluster.json"
State = dict[str, Any]


class NoClusterError(RuntimeError):
    """There is no development cluster in the directory."""


def load(directory: Path) -> State:
    """Return the state of the cluster in a directory.

    Raises:
        NoClusterError: There is none.
    """
    try:
        state: State = json.loads((directory / FILE_NAME).read_text())
    except FileNotFoundError:
        raise NoClusterError(f"{directory} holds no development cluster") from None
    return state


def save(directory: Path, state: State) -> None:
    """Write the state; only its owner may read it, for it holds the demo's credentials."""
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / FILE_NAME
    temporary = target.with_suffix(".new")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as file:
        json.dump(state, file, indent=1)
    temporary.replace(target)


def process_state(pid: int) -> str:
    """Return the kernel's letter for a process, "" when it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    letter = text.rpartition(")")[2].split()[0]
    return "" if letter in "ZX" else letter


def node_state(pids: Mapping[str, int]) -> str:
    """Return what a node's processes are doing together."""
    letters = [process_state(pids[name]) for name in ("web", "worker") if pids.get(name)]
    if not any(letters):
        return "stopped"
    if all(letter == "T" for letter in letters if letter):
        return "paused"
    return "running" if all(letters) and len(letters) == 2 else "degraded"


def broker_pid(data_dir: str) -> int:
    """Return the embedded broker's process, 0 when there is none."""
    try:
        pid = int((Path(data_dir) / "run" / "broker.pid").read_text())
    except (OSError, ValueError):
        return 0
    return pid if process_state(pid) else 0
