"""`manage.py devcluster`: several nodes on this machine, to try things and to test them."""

import json
import signal
import threading
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rs3gw.common import clock
from rs3gw.server.devcluster import control
from rs3gw.server.devcluster.plan import Options, PlanError, parse_topology
from rs3gw.server.devcluster.postgres import PostgresMissingError
from rs3gw.server.devcluster.state import NoClusterError, State, load, node_state, save

ACTIONS = ("up", "down", "status", "kill", "pause", "resume", "restart")
ERRORS = (PlanError, PostgresMissingError, NoClusterError, control.StartError, OSError)


class Command(BaseCommand):
    """Run and control a development cluster. Not for production: everything is on loopback."""

    help = "Start, stop and watch a cluster of several nodes on this machine."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("action", choices=ACTIONS)
        parser.add_argument("--dir", required=True, type=Path, help="where the cluster lives")
        parser.add_argument("--node", default="", help="one node; all of them without it")
        parser.add_argument("--json", action="store_true", help="status for programs")
        parser.add_argument("--topology", default="us-east-1:3,eu-west-1:1")
        parser.add_argument("--base-port", type=int, default=9000)
        parser.add_argument("--mode", choices=["async", "quorum", "sync"], default="quorum")
        parser.add_argument("--replication-factor", type=int, default=3)
        parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
        parser.add_argument("--tls", action="store_true", help="S3 ports speak HTTPS")
        parser.add_argument("--no-wait", action="store_true", help="restart: do not wait for it")
        parser.add_argument("--detach", action="store_true", help="return once it is ready")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run one action."""
        directory = options["dir"].resolve()
        try:
            getattr(self, f"_{options['action']}")(directory, options)
        except ERRORS as error:
            raise CommandError(str(error)) from error

    def _chosen(self, state: State, options: dict[str, Any]) -> list[dict[str, Any]]:
        name = options["node"]
        nodes = [node for node in state["nodes"] if name in ("", node["node_id"])]
        if not nodes:
            known = ", ".join(node["node_id"] for node in state["nodes"])
            raise CommandError(f"there is no node {name!r}; there are {known}")
        return nodes

    def _up(self, directory: Path, options: dict[str, Any]) -> None:
        started = clock.monotonic()
        try:
            state = load(directory)
        except NoClusterError:
            wanted = Options(
                topology=parse_topology(options["topology"]),
                base_port=options["base_port"],
                mode=options["mode"],
                replication_factor=options["replication_factor"],
                database=options["database"],
                is_tls=options["tls"],
            )
            state = control.new_state(wanted, directory)
            save(directory, state)
        stopped = [n for n in state["nodes"] if node_state(n["pids"]) == "stopped"]
        control.prepare_databases(state, directory)
        control.start_nodes(state, directory, stopped)
        try:
            control.wait_ready(state, stopped)
            control.pair_regions(state)
        except control.StartError:
            for node in stopped:
                control.stop_node(node, gracefully=False)
            raise
        save(directory, state)
        self._print_summary(state, clock.monotonic() - started)
        if not options["detach"]:
            self._stay(directory, options)

    def _print_summary(self, state: State, seconds: float) -> None:
        write = self.stdout.write
        write(f"\nrs3gw is ready after {seconds:.1f} s.\n")
        write(f"Admin       {state['nodes'][0]['admin_url']}")
        write(f"  user      {state['admin_user']}")
        write(f"  password  {state['admin_password']}\n")
        if state.get("ca_file"):
            write(f"CA          {state['ca_file']}\n")
        for node in state["nodes"]:
            write(f"S3          {node['s3_url']}   {node['node_id']}")
        write(f"  access key  {state['access_key']}")
        write(f"  secret key  {state['secret_key']}\n")
        self.stdout.flush()

    def _stay(self, directory: Path, options: dict[str, Any]) -> None:
        self.stdout.write("Ctrl-C stops it; the data stays.")
        self.stdout.flush()
        stopping = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopping.set())
        while not stopping.wait(3600):
            pass
        self._down(directory, options)

    def _down(self, directory: Path, options: dict[str, Any]) -> None:
        state = load(directory)
        threads = [
            threading.Thread(target=control.stop_node, args=(node,), kwargs={"gracefully": True})
            for node in self._chosen(state, options)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _status(self, directory: Path, options: dict[str, Any]) -> None:
        report = control.report(load(directory))
        if options["json"]:
            self.stdout.write(json.dumps(report, indent=2))
            return
        for node in report["nodes"]:
            pids = " ".join(f"{name}={pid}" for name, pid in node["pids"].items())
            self.stdout.write(f"{node['node_id']:<20} {node['state']:<9} {node['s3_url']}  {pids}")

    def _kill(self, directory: Path, options: dict[str, Any]) -> None:
        for node in self._chosen(load(directory), options):
            control.stop_node(node, gracefully=False)

    def _pause(self, directory: Path, options: dict[str, Any]) -> None:
        for node in self._chosen(load(directory), options):
            control.send_signal(node, signal.SIGSTOP)

    def _resume(self, directory: Path, options: dict[str, Any]) -> None:
        for node in self._chosen(load(directory), options):
            control.send_signal(node, signal.SIGCONT)

    def _restart(self, directory: Path, options: dict[str, Any]) -> None:
        state = load(directory)
        # One after the other, so that the others answer meanwhile.
        for node in self._chosen(state, options):
            control.stop_node(node, gracefully=True)
            node["pids"] = {}
            control.prepare_databases(state, directory)
            control.start_nodes(state, directory, [node])
            if not options["no_wait"]:
                control.wait_ready(state, [node])
            save(directory, state)
