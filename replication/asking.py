"""Asking all members at once, in a bounded time.

Who does not answer in time is silent, which is never taken for "has nothing". Each call has
threads of its own, so that a member that hangs holds up no other question.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

from cluster import selectors as cluster_selectors
from cluster.core.node import NodeInfo
from cluster.transport import PeerError

logger = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answers(Generic[T]):
    """What members said, by their names, and the names of those who said nothing."""

    said: dict[str, T]
    silent: frozenset[str]


def ask_members(question: Callable[[NodeInfo], T], *, timeout_seconds: float) -> Answers[T]:
    """Put a question to every other member that is at work.

    Args:
        question: Asks one member, without touching the database; raises PeerError or ValueError
            when there is no proper answer.
        timeout_seconds: Longest time to wait for all of them, > 0.

    Returns:
        The answers. Members that are registered but cannot be reached are silent.
    """
    registered = {node.node_id for node in cluster_selectors.registered_peers()}
    asked = [node for node in cluster_selectors.routable() if not node.is_self]
    said = ask(question, asked, timeout_seconds=timeout_seconds)
    return Answers(said, frozenset(registered - said.keys()))


def ask(
    question: Callable[[NodeInfo], T], nodes: Sequence[NodeInfo], *, timeout_seconds: float
) -> dict[str, T]:
    """Put a question to some members; return the answers that came in time, by their names."""
    if not nodes:
        return {}
    pool = ThreadPoolExecutor(len(nodes), thread_name_prefix="ask")
    futures: dict[Future[T], str] = {pool.submit(question, n): n.node_id for n in nodes}
    done, _ = wait(futures, timeout=timeout_seconds)
    pool.shutdown(wait=False, cancel_futures=True)
    said: dict[str, T] = {}
    for future in done:
        try:
            said[futures[future]] = future.result()
        except (PeerError, ValueError) as error:
            logger.info("%s does not answer a question: %s", futures[future], error)
    return said
