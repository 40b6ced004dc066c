"""A PostgreSQL server for one node of a development cluster."""

import os
import shutil
import subprocess
from pathlib import Path

HOST = "127.0.0.1"


class PostgresMissingError(RuntimeError):
    """No PostgreSQL server is installed."""


def _program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not found:
        raise PostgresMissingError("PostgreSQL is not installed: apt-get install postgresql")
    return str(found[-1])


def _as_ordinary_user() -> list[str]:
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def initialise(directory: Path) -> None:
    """Make a database directory, unless there is one."""
    if (directory / "PG_VERSION").exists():
        return
    directory.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(directory, "postgres", "postgres")
        for parent in directory.parents:
            # The server's user must be able to reach its directory.
            if not parent.stat().st_mode & 0o001:
                parent.chmod(0o711)
    words = [_program("initdb"), "-D", str(directory), "-U", "rs3gw", "-A", "trust"]
    subprocess.run(  # noqa: S603  (our own words)
        [*_as_ordinary_user(), *words, "-E", "UTF8", "--locale=C.UTF-8"],
        check=True,
        capture_output=True,
        cwd="/",
    )


def command(directory: Path, port: int) -> list[str]:
    """Return the words that run the server; a TCP port on loopback, no socket."""
    words = [_program("postgres"), "-D", str(directory), "-c", f"port={port}"]
    words += ["-c", f"listen_addresses={HOST}", "-c", "unix_socket_directories="]
    return [*_as_ordinary_user(), *words]


def url(port: int) -> str:
    """Return the node's RS3GW_DATABASE_URL."""
    return f"postgres://rs3gw@{HOST}:{port}/postgres"
