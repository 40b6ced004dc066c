"""What a run that was killed could not take down itself: `python -m tests.chaos.lab.leftovers`.

Everything is named by the process that made it, and goes only when that process is gone.
"""

import re
from pathlib import Path

from tests.chaos.lab.machine import group_root
from tests.chaos.lab.shell import sh
from tests.servers import wait_until

NAMED = re.compile(r"^(?:chaos-)?c([0-9a-f]+)-(?:\d+|n\d+|cl)$")
DIRECTORY_MARK = "rs3gw-chaos-"


def tag_of(pid):
    """Return what the names of everything begin with that a process makes."""
    return f"c{pid:x}"


def _is_orphan(name):
    match = NAMED.match(name)
    return bool(match) and not Path(f"/proc/{int(match[1], 16)}").exists()


def _end(group):
    (group / "cgroup.kill").write_text("1")
    wait_until(
        lambda: not (group / "cgroup.procs").read_text(), seconds=10, what=f"{group} is empty"
    )
    group.rmdir()


def _free_disks():
    """Unmount the disks whose owner is gone."""
    for line in Path("/proc/mounts").read_text().splitlines():
        device, place, *_ = line.split()
        owner = Path(place).parent.parent / "owner"
        is_ours = DIRECTORY_MARK in place and device.startswith("/dev/loop") and owner.exists()
        if is_ours and not Path("/proc", owner.read_text()).exists():
            sh("umount", "-l", place, check=False)
            sh("losetup", "-d", device, check=False)


def sweep():
    """Remove what nobody will."""
    for group in group_root().glob("chaos-c*"):
        if _is_orphan(group.name):
            _end(group)
    for namespace in Path("/run/netns").glob("c*"):
        if _is_orphan(namespace.name):
            sh("ip", "netns", "del", namespace.name, check=False)
    _free_disks()


if __name__ == "__main__":
    sweep()
