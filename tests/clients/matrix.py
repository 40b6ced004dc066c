"""Every client through every step: `python -m tests.clients.matrix [--client NAME] [--tls]`.

Exits 1 when a step failed or a client is not installed, 0 otherwise.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import astuple, dataclass, field
from pathlib import Path

from rs3gw.server.devcluster import certificates
from tests.clients import report
from tests.clients.node import ACCESS_KEY, SECRET_KEY, Node
from tests.clients.roster import ROOT, ROSTER
from tests.clients.step_names import STEP_NAMES

CLIENT_SECONDS = 150
RUN_SECONDS = 540
REGION = "us-east-1"


def say(text):
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@dataclass
class Result:
    """What one client did over one transport."""

    name: str
    transport: str
    version: str = ""
    steps: dict[str, tuple[str, str]] = field(default_factory=dict)
    seconds: float = 0.0
    error: str = ""
    remark: str = ""

    @property
    def failed(self):
        """Whether a step failed, or the client did not come to its end."""
        outcomes = [outcome for outcome, _ in self.steps.values()]
        return bool(self.error) or "fail" in outcomes or len(outcomes) < len(STEP_NAMES)


def _task(entry, node, directory):
    bucket = "m-" + re.sub(r"[^a-z0-9]+", "-", entry.name.lower())
    endpoint = {
        "url": node.url,
        "access_key": ACCESS_KEY,
        "secret_key": SECRET_KEY,
        "region": REGION,
        "ca_file": node.ca_file,
        "directory": str(directory),
    }
    return {"module": entry.module, "class": entry.kind, "bucket": bucket, "endpoint": endpoint}


def _environment(directory):
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
    # No credentials, settings or proxies of the caller; nothing asks for a cloud's metadata.
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        inherited.pop(name, None)
        inherited.pop(name.lower(), None)
    return inherited | {
        "HOME": str(directory),
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
    }


def take(result, line):
    """Add one line of a client's process to its result."""
    said = json.loads(line)
    if "version" in said:
        result.version = said["version"]
    else:
        result.steps[said["step"]] = said["outcome"], said["detail"]


def run_client(entry, node, transport, deadline, verbose=False):
    """Run one client in a process of its own, with a time limit."""
    result = Result(entry.name, transport)
    if missing := entry.missing():
        result.error = f"not installed here: {missing}"
        return result
    seconds = min(CLIENT_SECONDS, deadline - time.monotonic())
    if seconds <= 0:
        result.error = f"the run's {RUN_SECONDS} s were over before this client"
        return result
    with tempfile.TemporaryDirectory(prefix="rs3gw-client-") as name:
        directory = Path(name)
        task = json.dumps(_task(entry, node, directory))
        before = time.monotonic()
        with subprocess.Popen(
            [str(entry.python), "-m", "tests.clients.one", task],
            cwd=ROOT,
            env=_environment(directory),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            try:
                out, err = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                out, err = process.communicate()
                result.error = f"not done within {seconds:.0f} s"
        result.seconds = time.monotonic() - before
        for line in out.splitlines():
            take(result, line)
        said = err.decode(errors="replace")
        if process.returncode and not result.error:
            result.error = said.strip()[-600:]
        if verbose:
            sys.stderr.write(said)
    return result


def _speaks_tls():
    # Until the server reads this setting, there is nothing to be tried.
    return "RS3GW_TLS_CERT" in (ROOT / "rs3gw" / "settings.py").read_text()


def note_server_errors(result, counts):
    """Fail the client for answers 5xx that it may have hidden; 501 is only remarked on."""
    if unbuilt := counts.pop(501, 0):
        result.remark = f"{unbuilt} requests for what the server does not have (501)"
    if counts:
        told = ", ".join(f"{count} times {status}" for status, count in sorted(counts.items()))
        result.error = f"{result.error} The server answered {told}.".strip()


def run_transport(entries, transport, options, deadline):
    """Start a node and run the clients one after another."""
    if transport == "TLS" and not _speaks_tls():
        say("TLS: left out, the server of this version does not speak it")
        return []
    with tempfile.TemporaryDirectory(prefix="rs3gw-tls-") as name:
        pems = astuple(certificates.make(Path(name))) if transport == "TLS" else None
        node = Node(options.server_python, pems)
        results = []
        try:
            node.start()
            for entry in entries:
                before = node.server_errors()
                result = run_client(entry, node, transport, deadline, verbose=options.verbose)
                note_server_errors(result, node.server_errors() - before)
                results.append(result)
                say(report.line(result))
        finally:
            if options.verbose:
                sys.stderr.write(node.log()[-20_000:])
            node.stop()
        return results


def parse(arguments):
    """Return the options."""
    parser = argparse.ArgumentParser(prog="tests.clients.matrix")
    parser.add_argument("--client", action="append", help="only this one; may be repeated")
    parser.add_argument("--tls", action="store_true", help="only over TLS")
    parser.add_argument("--plain", action="store_true", help="only over plain HTTP")
    parser.add_argument("--write-docs", action="store_true", help="write docs/s3-clients.md")
    parser.add_argument("--verbose", action="store_true", help="show tracebacks and server log")
    parser.add_argument("--server-python", default=sys.executable, help="Python of the server")
    options = parser.parse_args(arguments)
    known = [entry.name for entry in ROSTER]
    if unknown := set(options.client or []) - set(known):
        parser.error(f"no client {sorted(unknown)}; there are {', '.join(known)}")
    return options


def main():
    """Run what was asked for; return the exit status."""
    options = parse(sys.argv[1:])
    entries = [entry for entry in ROSTER if not options.client or entry.name in options.client]
    transports = ["HTTP"] * (not options.tls) + ["TLS"] * (not options.plain)
    results, deadline = [], time.monotonic() + RUN_SECONDS
    for transport in transports:
        results += run_transport(entries, transport, options, deadline)
    say("\n" + report.table(results))
    if options.write_docs:
        (ROOT / "docs" / "s3-clients.md").write_text(report.document(results), encoding="utf-8")
    failed = [f"{each.name} ({each.transport})" for each in results if each.failed]
    say(f"\nFailed: {', '.join(failed)}" if failed else "\nNothing failed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
