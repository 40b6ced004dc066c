"""Hosts on one machine: a network namespace for each node, one for the clients, and a switch."""

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.chaos.lab.shell import sh
from tests.chaos.lab.switch import open_tap
from tests.servers import ENDS_WITH_US

ROOT = Path(__file__).resolve().parents[3]
SUBNET = "10.77.0"
CLIENT_ADDRESS = f"{SUBNET}.254"
CLONE_NEWNET = 0x40000000
FRESH = {"delay_ms": 0, "jitter_ms": 0, "loss": 0, "copies": 0, "is_cut": False, "kbit": 0}
_libc = ctypes.CDLL(None, use_errno=True)


def enter(namespace):
    """Move the calling thread, and it alone, into a network namespace."""
    fd = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if _libc.setns(fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
    finally:
        os.close(fd)


class Network:
    """Nodes 0 to n-1 at ports of the same number, and the clients at port n."""

    def __init__(self, nodes, tag):
        self.nodes = nodes
        self.namespaces = [f"{tag}-n{i}" for i in range(nodes)]
        self.client = f"{tag}-cl"
        self._tag = tag
        self._switch = None

    @staticmethod
    def address(node):
        """Return the IP address of a node."""
        return f"{SUBNET}.{node + 1}"

    def up(self):
        """Make namespaces, interfaces and the switch."""
        fds = [
            self._plug(port, namespace)
            for port, namespace in enumerate([*self.namespaces, self.client])
        ]
        self._switch = subprocess.Popen(
            [*ENDS_WITH_US, sys.executable, "-m", "tests.chaos.lab.switch", *map(str, fds)],
            stdin=subprocess.PIPE,
            pass_fds=fds,
            cwd=ROOT,
        )
        for fd in fds:
            os.close(fd)

    def _plug(self, port, namespace):
        address = self.address(port) if port < self.nodes else CLIENT_ADDRESS
        tap = f"{self._tag[:12]}{port}"
        sh("ip", "netns", "add", namespace)
        fd = open_tap(tap)
        mac = f"02:00:00:00:00:{port + 1:02x}"
        sh("ip", "link", "set", tap, "netns", namespace, "name", "eth0")
        sh("ip", "-n", namespace, "link", "set", "eth0", "address", mac)
        sh("ip", "-n", namespace, "addr", "add", f"{address}/24", "dev", "eth0")
        sh("ip", "-n", namespace, "link", "set", "eth0", "up")
        sh("ip", "-n", namespace, "link", "set", "lo", "up")
        return fd

    def down(self):
        """Remove everything."""
        if self._switch is not None:
            self._switch.stdin.close()
            self._switch.wait(5)
        for namespace in [*self.namespaces, self.client]:
            sh("ip", "netns", "del", namespace, check=False)

    def link(self, source, target, **values):
        """Change one way of a link, or of all with "*"; the words are those of the switch."""
        self._switch.stdin.write((json.dumps({"link": [source, target], **values}) + "\n").encode())
        self._switch.stdin.flush()

    def between(self, nodes, others, **values):
        """Change both ways of all links between two groups of nodes."""
        for a in nodes:
            for b in others:
                if a != b:
                    self.link(a, b, **values)
                    self.link(b, a, **values)

    def partition(self, *groups):
        """Let only nodes of the same group hear each other; clients reach all of them."""
        home = {node: number for number, group in enumerate(groups) for node in group}
        for a in range(self.nodes):
            for b in range(self.nodes):
                if a != b:
                    self.link(a, b, is_cut=home[a] != home[b])

    def heal(self):
        """Make all links whole again."""
        self.link("*", "*", **FRESH)
