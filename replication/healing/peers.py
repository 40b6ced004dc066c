"""What this node asks its peers about bodies, and what it hands to them."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cluster import selectors as cluster_selectors
from cluster import transport
from cluster.core.node import NodeInfo
from replication.bodies import BLOB_PATH, blob_path
from replication.body_sources import memory
from replication.healing.throttle import paced
from rs3gw.common import clock
from rs3gw.storage import blobs

HELD_PATH = "/_cluster/blobs/held"
HELD_MAX = 500
ASK_SECONDS = 10.0
SILENCE_SECONDS_MAX = 10.0
# The hash of a body and its size in bytes.
Body = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Holding:
    """What a peer says about bodies that it was asked for.

    Attributes:
        held: It has them durably, needs them, and is not about to drop them.
        present: They lie on its disk; it may know of no object yet that needs them.
    """

    held: frozenset[str]
    present: frozenset[str]


NOTHING = Holding(frozenset(), frozenset())


def at_work() -> list[NodeInfo]:
    """Return the other members that are heard and at work."""
    return [node for node in cluster_selectors.routable() if not node.is_self]


def ask(node: NodeInfo, bodies: Iterable[Body]) -> Holding:
    """Ask one peer which of these bodies it holds; nothing when it does not answer."""
    wanted = list(bodies)
    held: set[str] = set()
    present: set[str] = set()
    for start in range(0, len(wanted), HELD_MAX):
        body = json.dumps({"bodies": wanted[start : start + HELD_MAX]}).encode()
        try:
            answer = transport.client(node).request(
                "POST", HELD_PATH, body=body, timeout_seconds=ASK_SECONDS
            )
            found = json.loads(answer.body)
            held |= set(map(str, found["held"]))
            present |= set(map(str, found["present"]))
        except (transport.PeerError, ValueError, KeyError, TypeError):
            memory.failed(node.node_id)
            return NOTHING
    return Holding(frozenset(held), frozenset(present))


def ask_all(nodes: Sequence[NodeInfo], bodies: Sequence[Body]) -> dict[str, Holding]:
    """Ask several peers the same; every one has an entry in the answer."""
    return {node.node_id: ask(node, bodies) if bodies else NOTHING for node in nodes}


def fetch(
    node: NodeInfo, sha256: str, size_bytes: int, is_halted: Callable[[], bool]
) -> blobs.StagedBody | None:
    """Read a body from a peer; None when what it gives is not that body.

    Raises:
        PeerError: The peer does not answer, or does not have it.
        StorageFull: The disk does not take it.
        Halted: The job is not to go on.
    """
    asked_at = clock.monotonic()
    with transport.client(node).open_stream(
        blob_path(sha256, size_bytes), timeout_seconds=SILENCE_SECONDS_MAX
    ) as chunks:
        memory.answered(node.node_id, clock.monotonic() - asked_at)
        staged = blobs.stage_stored(paced(chunks, is_halted))
    if staged.sha256_hex == sha256:
        return staged
    staged.discard()
    return None


def send(node: NodeInfo, sha256: str, size_bytes: int, is_halted: Callable[[], bool]) -> bool:
    """Hand a body of this node to a peer; return whether there was one to hand over.

    Raises:
        PeerError: The peer does not answer, or refuses it.
        Halted: The job is not to go on.
    """
    file, _ = blobs.open_whole(sha256, size_bytes)
    if file is None:
        return False
    with file:
        chunks = paced(blobs.read_range(file, 0, size_bytes), is_halted)
        transport.client(node).send_stream("PUT", BLOB_PATH + sha256, chunks, size_bytes)
    return True
