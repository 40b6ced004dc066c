"""An Ethernet switch in user space: each way of each link has its own delay, loss and speed.

It runs as a process of its own, `python -m tests.chaos.lab.switch FD...`, with one open TAP device
for each port, and reads one JSON object a line from its standard input:

    {"link": [from, to], "delay_ms": 40, "jitter_ms": 5, "loss": 0.1, "copies": 0.02,
     "is_cut": false, "kbit": 0}

where `from` and `to` are ports or "*". A value that is not named stays as it is.
"""

import fcntl
import heapq
import json
import os
import random
import select
import struct
import sys
import time
from dataclasses import dataclass

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
FRAME_BYTES_MAX = 65_536
FRAMES_A_TURN = 64
QUEUE_SECONDS_MAX = 0.5
WAIT_SECONDS = 1.0


def open_tap(name):
    """Return the descriptor of a new TAP device; its other end is an interface of that name."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


@dataclass(slots=True)
class Link:
    """One way between two ports; `loss` and `copies` are shares of the frames, 0 to 1."""

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0
    copies: float = 0.0
    is_cut: bool = False
    kbit: float = 0.0
    free_at: float = 0.0

    def departures(self, size_bytes, now, rng):
        """Return at what moments a frame leaves: none when it is lost, two when it is doubled."""
        if self.is_cut or (self.loss and rng.random() < self.loss):
            return []
        at = now
        if self.kbit:
            at = max(self.free_at, now) + size_bytes / (self.kbit * 125)
            if at - now > QUEUE_SECONDS_MAX:
                return []
            self.free_at = at
        at += (self.delay_ms + (rng.uniform(0, self.jitter_ms) if self.jitter_ms else 0)) / 1000
        return [at] * (2 if self.copies and rng.random() < self.copies else 1)


class Switch:
    """All ports, what lies between them, and the frames on their way."""

    def __init__(self, fds, seed=1):
        self.fds = fds
        self.links = [[Link() for _ in fds] for _ in fds]
        self._port_of = {fd: port for port, fd in enumerate(fds)}
        self._places = {}
        self._waiting = []
        self._count = 0
        self._rng = random.Random(seed)
        self._words = b""

    def serve(self):
        """Pass frames on until standard input ends."""
        poll = select.epoll()
        for fd in self.fds:
            poll.register(fd, select.EPOLLIN)
        os.set_blocking(0, False)
        poll.register(0, select.EPOLLIN)
        while True:
            for fd, _ in poll.poll(self._send_due()):
                if fd == 0:
                    if not self._listen():
                        return
                else:
                    self._receive(fd)

    def _send_due(self):
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            _, _, port, frame = heapq.heappop(self._waiting)
            self._write(port, frame)
        return max(0.0, self._waiting[0][0] - now) if self._waiting else WAIT_SECONDS

    def _write(self, port, frame):
        try:
            os.write(self.fds[port], frame)
        except OSError:
            return

    def _listen(self):
        data = os.read(0, FRAME_BYTES_MAX)
        *lines, self._words = (self._words + data).split(b"\n")
        for line in lines:
            self._change(json.loads(line))
        return bool(data)

    def _change(self, words):
        ports = range(len(self.fds))
        source, target = words.pop("link")
        for a in ports if source == "*" else [source]:
            for b in ports if target == "*" else [target]:
                for name, value in words.items():
                    setattr(self.links[a][b], name, value)

    def _receive(self, fd):
        source = self._port_of[fd]
        for _ in range(FRAMES_A_TURN):
            try:
                frame = os.read(fd, FRAME_BYTES_MAX)
            except BlockingIOError:
                return
            self._places[frame[6:12]] = source
            # The lowest bit of the first byte marks frames for everybody.
            known = None if frame[0] & 1 else self._places.get(frame[:6])
            for port in range(len(self.fds)) if known is None else [known]:
                if port != source:
                    self._pass_on(source, port, frame)

    def _pass_on(self, source, port, frame):
        now = time.monotonic()
        for at in self.links[source][port].departures(len(frame), now, self._rng):
            if at <= now:
                self._write(port, frame)
            else:
                self._count += 1
                heapq.heappush(self._waiting, (at, self._count, port, frame))


if __name__ == "__main__":
    Switch([int(word) for word in sys.argv[1:]]).serve()
