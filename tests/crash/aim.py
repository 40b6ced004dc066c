"""When to kill: at random, or at a moment that something on disk or on the wire gives away."""

import ctypes
import os
import select
import struct
import threading
import time

# From <sys/inotify.h>.
IN_MODIFY, IN_CLOSE_WRITE, IN_MOVED_FROM, IN_CREATE = 0x2, 0x8, 0x40, 0x100
_EVENT = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)

# Moments on disk: directory or file below the data directory, what happens to it, least wait.
ON_DISK = {
    "a body begins": ("incoming", IN_CREATE),
    "a body grows": ("incoming", IN_MODIFY),
    "a body is whole": ("incoming", IN_CLOSE_WRITE),
    "a body is installed": ("incoming", IN_MOVED_FROM),
    "the log is written": ("rs3gw.sqlite3-wal", IN_MODIFY),
}
ON_THE_WIRE = ("a request was sent", "a complete was sent", "an answer came")
AIMS = (*ON_DISK, *ON_THE_WIRE, "any time", "any time", "the start")
WAIT_SECONDS_MAX = 4.0


class Trigger:
    """Kills once, at the `count`-th time that the moment comes, or when the time is up."""

    def __init__(self, node, aim, rng):
        self._node = node
        self.aim = aim
        self._lock = threading.Lock()
        self._left = rng.randint(1, 25)
        self._delay_seconds = rng.choice([0.0, 0.0, rng.uniform(0, 0.004)])
        self._limit_seconds = (
            rng.uniform(0.02, 1.2) if aim not in (*ON_DISK, *ON_THE_WIRE) else WAIT_SECONDS_MAX
        )
        self.has_fired = threading.Event()
        self.was_hit = False

    def happened(self, moment):
        """Tell that a moment on the wire came."""
        if moment == self.aim:
            self._count()

    def run(self):
        """Watch until the kill was sent; returns then."""
        deadline = time.monotonic() + self._limit_seconds
        if self.aim in ON_DISK:
            self._watch_disk(deadline)
        self.has_fired.wait(max(0.0, deadline - time.monotonic()))
        with self._lock:
            if not self.has_fired.is_set():
                self._fire()

    def _count(self):
        with self._lock:
            self._left -= 1
            if self._left == 0 and not self.has_fired.is_set():
                self.was_hit = True
                if self._delay_seconds:
                    time.sleep(self._delay_seconds)
                self._fire()

    def _fire(self):
        self._node.kill()
        self.has_fired.set()

    def _watch_disk(self, deadline):
        name, mask = ON_DISK[self.aim]
        fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert fd >= 0, os.strerror(ctypes.get_errno())
        try:
            path = os.fsencode(self._node.directory / name)
            if _libc.inotify_add_watch(fd, path, mask) < 0:
                return
            while not self.has_fired.is_set() and time.monotonic() < deadline:
                if not select.select([fd], [], [], 0.05)[0]:
                    continue
                for _ in range(_events_in(os.read(fd, 65536))):
                    self._count()
        finally:
            os.close(fd)


def _events_in(data):
    count = offset = 0
    while offset < len(data):
        offset += _EVENT.size + _EVENT.unpack_from(data, offset)[3]
        count += 1
    return count
