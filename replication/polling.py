"""Asking the members of the region all at once, until enough of them have answered.

Nobody waits for a dead or slow member: the answers that come first count. A member that failed a
moment ago is not asked. The threads are shared by all requests; each request to a peer is bounded.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from django.db import connection

from cluster import transport
from cluster.core.node import NodeInfo
from replication.pusher import pusher
from rs3gw.common import clock

logger = logging.getLogger(__name__)
THREADS_MAX = 32
ASK_TIMEOUT_SECONDS = 2.0

Ask = Callable[[transport.PeerClient], bytes]
Enough = Callable[[Mapping[str, bytes]], bool]

_pool = ThreadPoolExecutor(max_workers=THREADS_MAX, thread_name_prefix="poll")


class _Poll:
    """The answers to one question so far."""

    def __init__(self, asked: int) -> None:
        self.answers: dict[str, bytes] = {}
        self._open = asked
        self._changed = threading.Condition()

    def settle(self, node_id: str, answer: bytes | None) -> None:
        with self._changed:
            self._open -= 1
            if answer is not None:
                self.answers[node_id] = answer
            self._changed.notify_all()

    def wait(self, is_enough: Enough, timeout_seconds: float) -> dict[str, bytes]:
        with self._changed:
            self._changed.wait_for(
                lambda: is_enough(self.answers) or not self._open, timeout_seconds
            )
            return dict(self.answers)


def ask(
    members: Sequence[NodeInfo],
    question: Ask,
    *,
    is_enough: Enough,
    timeout_seconds: float = ASK_TIMEOUT_SECONDS,
) -> Mapping[str, bytes]:
    """Ask members and return the answers by node id, once there are enough or no more come.

    Args:
        members: Whom to ask; those that failed a moment ago are left out.
        question: Sends one request and returns its answer; raises `PeerError`.
        is_enough: Tells from the answers so far whether to wait no longer; where none are
            needed nobody is asked.
        timeout_seconds: Longest wait, > 0.
    """
    if is_enough({}):
        return {}
    asked = [node for node in members if not pusher.peer(node.node_id).is_cooling()]
    poll = _Poll(len(asked))
    for node in asked:
        _pool.submit(_ask_one, poll, node, question, clock.monotonic() + timeout_seconds)
    return poll.wait(is_enough, timeout_seconds)


def tell(members: Sequence[NodeInfo], message: Ask) -> None:
    """Send a message to members without waiting for any; failures do not matter."""
    poll = _Poll(len(members))
    for node in members:
        if not pusher.peer(node.node_id).is_cooling():
            deadline = clock.monotonic() + ASK_TIMEOUT_SECONDS
            _pool.submit(_ask_one, poll, node, message, deadline)


def _ask_one(poll: _Poll, node: NodeInfo, question: Ask, deadline: float) -> None:
    answer = None
    try:
        if clock.monotonic() < deadline:
            answer = question(transport.client(node))
    except transport.PeerError as error:
        logger.info("%s was asked in vain: %s", node.node_id, error)
    except Exception:
        logger.exception("asking %s failed", node.node_id)
    finally:
        poll.settle(node.node_id, answer)
        connection.close()
