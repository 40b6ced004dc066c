"""Which requests of a port run, which wait for their turn, and which are turned away.

So many run at once; so many more wait, without a thread, in the order they came and not for long;
the rest hear at once that they should come back later. What a client waits is bounded by that,
however many there are, and the threads that are left over answer what is not limited.
"""

import enum
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rs3gw.common import clock
from rs3gw.server.protocol import Request, WsgiApp


class Door(enum.Enum):
    """What becomes of a request whose head has arrived.

    FREE is not limited and takes no place; IN has a place, which it must give back.
    """

    FREE = enum.auto()
    IN = enum.auto()
    WAIT = enum.auto()
    SHED = enum.auto()


class Waiter(Protocol):
    """A connection as it waits.

    Attributes:
        door: What was decided for its request while it waited; None when nothing was.
        waits_since: Since when, in monotonic seconds.
    """

    door: Door | None
    waits_since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionConfig:
    """What a port takes on.

    Attributes:
        running_max: Limited requests at once; below the port's threads, so that some are left.
        waiting_max: Requests that wait for a place.
        wait_seconds: A request that waited for longer is turned away.
        is_limited: Tells whether a request needs a place.
        shed_app: Answers those that are turned away.
        on_shed: Called with `full` or `waited` for each of them.
    """

    running_max: int
    waiting_max: int
    wait_seconds: float
    is_limited: Callable[[Request], bool]
    shed_app: WsgiApp
    on_shed: Callable[[str], None]


class Admission:
    """The places of one port."""

    def __init__(self, config: AdmissionConfig) -> None:
        self.config = config
        self._running = 0
        self._waiting: deque[Waiter] = deque()
        self._lock = threading.Lock()

    @property
    def running_count(self) -> int:
        """Return how many limited requests run."""
        return self._running

    @property
    def waiting_count(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def ask(self, waiter: Waiter, request: Request) -> Door:
        """Return what becomes of a request; after WAIT, `queue` must follow."""
        if not self.config.is_limited(request):
            return Door.FREE
        with self._lock:
            door, waiter.door = waiter.door, None
            return door or self._decide()

    def queue(self, waiter: Waiter) -> bool:
        """Let a connection wait; return False when it is decided what becomes of it meanwhile."""
        with self._lock:
            door = self._decide()
            if door is not Door.WAIT:
                waiter.door = door
                return False
            waiter.waits_since = clock.monotonic()
            self._waiting.append(waiter)
            return True

    def leave(self) -> Waiter | None:
        """Give a place back; return the connection that has it now, to be served."""
        with self._lock:
            if not self._waiting:
                self._running -= 1
                return None
            waiter = self._waiting.popleft()
            waiter.door = Door.IN
            return waiter

    def take_overdue(self) -> list[Waiter]:
        """Return the connections that waited for too long, to be served their refusal."""
        oldest = clock.monotonic() - self.config.wait_seconds
        overdue: list[Waiter] = []
        with self._lock:
            while self._waiting and self._waiting[0].waits_since < oldest:
                waiter = self._waiting.popleft()
                waiter.door = Door.SHED
                overdue.append(waiter)
        for _ in overdue:
            self.config.on_shed("waited")
        return overdue

    def _decide(self) -> Door:
        if self._running < self.config.running_max:
            self._running += 1
            return Door.IN
        if len(self._waiting) < self.config.waiting_max:
            return Door.WAIT
        self.config.on_shed("full")
        return Door.SHED
