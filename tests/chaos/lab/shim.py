"""Wall-clock skew and faults of file operations in a node's processes, changed while they run.

`shim.c` says what is intercepted. A rule names operations, a part of the path, and what happens.
"""

import errno
import mmap
import struct
import subprocess
import time
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
MAGIC = 0x43484153484D31
PAGE_BYTES = 4096
HEAD = struct.Struct("<QqdqQQQQ")
RULE = struct.Struct("<IIIIIIIIQQ80s")
RULES = 8
OPERATIONS = {
    name: 1 << bit
    for bit, name in enumerate(
        ("write", "fsync", "rename", "unlink", "open", "truncate", "mkdir", "read", "link")
    )
}
ACTIONS = {"count": 0, "errno": 1, "kill": 2, "delay": 3, "short": 4, "short_kill": 5, "lie": 6}


def build(directory):
    """Compile the library into a directory and return its path."""
    library = Path(directory) / "shim.so"
    words = ["gcc", "-O2", "-w", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(words, check=True)
    return library


class Shim:
    """The control page of one node."""

    def __init__(self, control, library):
        self._control, self._library = Path(control), Path(library)
        self._control.write_bytes(bytes(PAGE_BYTES))
        # Services may drop their privileges.
        self._control.chmod(0o666)
        with self._control.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), PAGE_BYTES)
        self.offset_seconds = 0.0
        self.set_clock(0.0)

    def env(self):
        """Return what a process needs in its environment."""
        return {"LD_PRELOAD": str(self._library), "CHAOS_CTL": str(self._control)}

    def set_clock(self, offset_seconds, rate=1.0):
        """Show a wall clock that is so far off and runs so fast; monotonic clocks stay right."""
        self.offset_seconds = offset_seconds
        offset_ns = int(offset_seconds * 1e9)
        HEAD.pack_into(self._page, 0, MAGIC, offset_ns, rate, time.time_ns(), 0, 0, 0, 0)

    def rule(self, operations, action="errno", *, path="", slot=0, error="EIO", share=0.0):
        """Let operations (space-separated) on paths that contain `path` fail.

        Args:
            operations: Names from OPERATIONS.
            action: A name from ACTIONS.
            path: Part of the path; all paths when empty.
            slot: Which of the eight rules to set.
            error: Name of the error.
            share: Share of the calls that fail, 0 for all of them.
        """
        mask = sum(OPERATIONS[name] for name in operations.split())
        number = getattr(errno, error)
        millionths = int(share * 1e6)
        place = HEAD.size + slot * RULE.size
        values = (0, mask, ACTIONS[action], number, 0, 0, 0, millionths, 0, 0, path.encode())
        RULE.pack_into(self._page, place, *values)
        struct.pack_into("<I", self._page, place, 1)

    def fired(self, slot=0):
        """Return how often a rule was carried out."""
        return RULE.unpack_from(self._page, HEAD.size + slot * RULE.size)[9]

    def clear(self):
        """Remove all rules and set the clock right."""
        for slot in range(RULES):
            RULE.pack_into(self._page, HEAD.size + slot * RULE.size, *([0] * 10), b"")
        self.set_clock(0.0)

    def close(self):
        """Remove the control page; the node's processes must be gone."""
        self._page.close()
        self._control.unlink(missing_ok=True)
