"""Whether this process was asked to stop: what takes long looks here between two steps."""

import signal
import threading
from types import FrameType

_asked = threading.Event()


def begin() -> None:
    """Let everything that asks `is_stopping` come to its end."""
    _asked.set()


def is_stopping() -> bool:
    """Return whether this process was asked to stop."""
    return _asked.is_set()


def forget() -> None:
    """Go on as if nobody had asked; for tests, which share one process."""
    _asked.clear()


class StopSignals:
    """SIGTERM and SIGINT as two events: the first one asks, the second one insists.

    Attributes:
        asked: Set by the first signal.
        insisted: Set by the second: what is under way is given up.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.insisted = threading.Event()

    def install(self) -> None:
        """Take the signals from now on; call it in the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.receive)

    def receive(self, number: int = signal.SIGTERM, frame: FrameType | None = None) -> None:
        """Note one signal."""
        (self.insisted if self.asked.is_set() else self.asked).set()

    def wait(self) -> None:
        """Wait until the process is asked to stop."""
        while not self.asked.wait(3600):
            pass
