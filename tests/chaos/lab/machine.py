"""The processes of one node as one machine: killed or frozen all in the same instant.

Each node has a control group. Nothing is ever found by name, so nothing else can be hit.
"""

import contextlib
import signal
import subprocess
import time
from pathlib import Path

from tests.servers import ENDS_WITH_US, wait_until

ROOT = Path(__file__).resolve().parents[3]
GROUP_ROOTS = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
STOP_SECONDS = 20


def group_root():
    """Return where control groups of the second kind are, None when there are none."""
    return next((root for root in GROUP_ROOTS if (root / "cgroup.procs").exists()), None)


class Machine:
    """A place for services: a network namespace and a control group."""

    def __init__(self, name, namespace, log_dir):
        self.name = name
        self._namespace = namespace
        self._log_dir = Path(log_dir)
        self._log_dir.mkdir(parents=True, exist_ok=True)
        self._group = group_root() / f"chaos-{name}"
        self._group.mkdir(exist_ok=True)
        self.services = {}

    def _write(self, file, text):
        (self._group / file).write_text(text)

    def pids(self):
        """Return the processes that run in this machine."""
        return [int(line) for line in (self._group / "cgroup.procs").read_text().split()]

    def start(self, service, words, env):
        """Start a service, whose output goes to a log of its name."""
        entry = self._group / "cgroup.procs"
        with (self._log_dir / f"{service}.log").open("ab") as log:
            self.services[service] = subprocess.Popen(
                [*ENDS_WITH_US, "nsenter", f"--net=/run/netns/{self._namespace}", *words],
                env=env,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: entry.write_text("0"),
            )

    def is_running(self, service):
        """Return whether a service runs."""
        process = self.services.get(service)
        return process is not None and process.poll() is None

    def kill_service(self, service):
        """Kill one process, the service's own, and wait until it is gone."""
        self.services[service].send_signal(signal.SIGKILL)
        self.services[service].wait(10)

    def kill(self):
        """Kill every process at the same instant."""
        self._write("cgroup.kill", "1")
        self._reap()

    def stop(self, *services):
        """Ask services to end, one after the other, and kill what is left after 20 s."""
        for service in services:
            process = self.services.get(service)
            if process is not None and process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_SECONDS)
        self.kill()

    def _reap(self):
        for process in self.services.values():
            process.wait(10)
        wait_until(lambda: not self.pids(), seconds=10, what=f"{self.name} is empty")

    def freeze(self):
        """Stop every process where it stands."""
        self._write("cgroup.freeze", "1")

    def thaw(self):
        """Let every process go on."""
        self._write("cgroup.freeze", "0")

    def destroy(self):
        """Kill everything and remove the group."""
        self.kill()
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                self._group.rmdir()
            except OSError:
                time.sleep(0.01)
            else:
                return

    def usage(self):
        """Return resident KiB, threads and open files of the whole machine."""
        total = {"rss_kib": 0, "threads": 0, "files": 0}
        for pid in self.pids():
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                status = dict(line.split(":", 1) for line in lines if ":" in line)
                total["rss_kib"] += int(status.get("VmRSS", "0").split()[0])
                total["threads"] += int(status.get("Threads", "0"))
                total["files"] += sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        return total
