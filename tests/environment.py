"""Early pytest plugin: the environment that the settings are read from.

Django's settings are read before any conftest is, so this module is loaded with `-p`. It gives
the run a data directory and secrets of its own and, with `--database postgres`, a PostgreSQL
server of its own; nothing of the caller's configuration is used.
"""

import atexit
import os
import secrets
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.servers import PostgresServer

DATA_DIR = Path(tempfile.mkdtemp(prefix="rs3gw-tests-"))
# How many schedules the simulator runs: of this run, not of the product.
KEPT = {"RS3GW_SIM_SCHEDULES"}
_servers: list[PostgresServer] = []


def _wants_postgres(arguments):
    joined = " ".join(arguments)
    return "--database postgres" in joined or "--database=postgres" in joined


def prepare():
    """Set the environment of this run."""
    for name in list(os.environ):
        if name.startswith("RS3GW_") and name not in KEPT:
            del os.environ[name]
    os.environ["RS3GW_DATA_DIR"] = str(DATA_DIR)
    os.environ["RS3GW_SECRET_KEY"] = secrets.token_hex(32)
    os.environ["RS3GW_CLUSTER_SECRET"] = secrets.token_hex(32)
    os.environ["RS3GW_CLUSTER_NODE_ID"] = "node-1"
    os.environ["RS3GW_BROKER_URL"] = "memory://"
    if _wants_postgres(sys.argv):
        server = PostgresServer()
        server.start()
        _servers.append(server)
        os.environ["RS3GW_DATABASE_URL"] = server.url


def _interrupt(number, frame):
    raise KeyboardInterrupt(f"signal {number}")


def pytest_configure(config):
    # A run that is asked to end stops its servers and nodes, as with Ctrl-C.
    signal.signal(signal.SIGTERM, _interrupt)


def pytest_addoption(parser):
    parser.addoption(
        "--database",
        choices=["sqlite", "postgres"],
        default="sqlite",
        help="where tests with a database run; postgres starts a server for the run",
    )


def pytest_report_header(config):
    return f"database: {config.getoption('--database')}"


@atexit.register
def clean_up():
    """Stop this run's servers and remove its data, however it ends."""
    for server in _servers:
        server.stop()
    shutil.rmtree(DATA_DIR, ignore_errors=True)


prepare()
