"""Whether this machine can run the lab; `python -m tests.chaos.lab.able` says what is missing."""

import os
import shutil
import sys
from pathlib import Path

from tests.chaos.lab.machine import group_root

PROGRAMS = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "losetup": "mount",
    "mkfs.ext4": "e2fsprogs",
    "gcc": "gcc",
}
# What test runners take for "skipped".
CANNOT = 77


def missing():
    """Return what the lab needs and does not find, as sentences."""
    found = []
    if os.geteuid() != 0:
        found.append("it must run as root: namespaces and mounts are made")
    found += [
        f"{name} is not installed (Debian package {package})"
        for name, package in PROGRAMS.items()
        if not shutil.which(name)
    ]
    if not os.access("/dev/net/tun", os.W_OK):
        found.append("/dev/net/tun cannot be opened: the kernel has no TUN, or it is not passed in")
    root = group_root()
    if root is None or not os.access(root, os.W_OK):
        found.append("there is no writable cgroup2 hierarchy below /sys/fs/cgroup")
    if not Path("/dev/loop-control").exists():
        found.append("there are no loop devices")
    return found


if __name__ == "__main__":
    reasons = missing()
    sys.stdout.writelines(f"chaos: skipped, {reason}\n" for reason in reasons)
    sys.exit(CANNOT if reasons else 0)
