"""What one request has written, so that its client can ask any node to wait for it.

A request is served by one thread. Its token names the newest change of each writer; a node that
has applied all up to them serves what the client wrote.
"""

import threading

from replication.core.tokens import Token

_local = threading.local()


def begin() -> None:
    """Forget what the thread wrote for an earlier request."""
    _local.written = {}


def note(actor: int, seq: int) -> None:
    """Note a change of this request."""
    written: dict[int, int] = getattr(_local, "written", {})
    written[actor] = max(seq, written.get(actor, 0))
    _local.written = written


def token() -> Token:
    """Return what this request has written so far."""
    return Token(tuple(sorted(getattr(_local, "written", {}).items())))
