"""Handing bodies to the nodes that should hold them, and dropping what those confirmed."""

from collections.abc import Callable, Sequence

from django.conf import settings

from cluster.core.node import NodeInfo
from cluster.transport import PeerError
from replication.core.healing import may_drop
from replication.healing import peers
from replication.healing.jobs import Turn, count
from replication.healing.peers import NOTHING, Body, Holding
from replication.healing.throttle import Halted
from replication.models import DropMark
from replication.placement import holder_ids
from rs3gw.common import clock, identity
from rs3gw.storage import commit, upkeep

Targets = Callable[[str], Sequence[str]]


def hand_over(turn: Turn, found: Sequence[Body]) -> None:
    """Give bodies that lie in the wrong place to their holders, and drop what those have.

    Nothing is dropped of which fewer holders than `RS3GW_REPLICATION_FACTOR` say that they have
    it, nor what arrived within `RS3GW_BLOB_GRACE`, nor the parts of open uploads.
    """
    nodes = {node.node_id: node for node in peers.at_work()}
    if send_to(turn, found, nodes, holder_ids):
        drop_confirmed(turn, found)


def send_to(
    turn: Turn, found: Sequence[Body], nodes: dict[str, NodeInfo], targets: Targets
) -> bool:
    """Send each body to those of its targets that lack it; return whether all that was done.

    Args:
        turn: The job's turn.
        found: Bodies that lie on this node.
        nodes: The members that can be reached.
        targets: Who should have a body, by its name.
    """
    lacking = _lacking(found, nodes, targets)
    return all(
        _send(turn, nodes[node_id], body) for body, node_ids in lacking for node_id in node_ids
    )


def _lacking(
    found: Sequence[Body], nodes: dict[str, NodeInfo], targets: Targets
) -> list[tuple[Body, list[str]]]:
    answers = ask_targets(found, nodes, targets)
    own = identity.load().node_id
    lacking = []
    for body in found:
        wanting = [
            node_id
            for node_id in targets(body[0])
            if node_id != own
            and node_id in nodes
            and body[0] not in answers.get(node_id, NOTHING).present
        ]
        if wanting:
            lacking.append((body, wanting))
    return lacking


def ask_targets(
    found: Sequence[Body], nodes: dict[str, NodeInfo], targets: Targets
) -> dict[str, Holding]:
    """Ask the targets of each body whether they have it; only those in `nodes` are asked."""
    wanted: dict[str, list[Body]] = {}
    for body in found:
        for node_id in targets(body[0]):
            if node_id in nodes:
                wanted.setdefault(node_id, []).append(body)
    return {node_id: peers.ask(nodes[node_id], bodies) for node_id, bodies in wanted.items()}


def _send(turn: Turn, node: NodeInfo, body: Body) -> bool:
    if turn.is_halted():
        return False
    try:
        is_sent = peers.send(node, *body, turn.is_halted)
    except Halted:
        return False
    except PeerError as error:
        turn.say(f"{node.node_id} did not take {body[0][:16]}…: {error.message}")
        return False
    if is_sent:
        turn.moved("sent", 1, body[1])
    return True


def drop_confirmed(turn: Turn, found: Sequence[Body]) -> None:
    """Drop the bodies that enough holders say they have, since this node has marked them."""
    names = [sha256 for sha256, _ in found]
    DropMark.objects.all().delete()
    marks = [DropMark(sha256=sha256, marked_at=clock.utcnow()) for sha256 in names]
    commit.run(lambda: DropMark.objects.bulk_create(marks))
    try:
        nodes = {node.node_id: node for node in peers.at_work()}
        answers = ask_targets(found, nodes, holder_ids)
        if turn.is_halted():
            return
        for sha256, size_bytes in found:
            confirmed = [n for n, answer in answers.items() if sha256 in answer.held]
            if _drop(sha256, confirmed):
                count("dropped", 1, size_bytes)
                turn.add(dropped_bodies=1, dropped_bytes=size_bytes)
    finally:
        DropMark.objects.filter(sha256__in=names).delete()


def _drop(sha256: str, confirmed: Sequence[str]) -> bool:
    is_allowed = may_drop(
        own=identity.load().node_id,
        holder_ids=holder_ids(sha256),
        confirmed=confirmed,
        replication_factor=settings.RS3GW_REPLICATION_FACTOR,
    )
    grace_seconds = settings.RS3GW_BLOB_GRACE_SECONDS
    return is_allowed and upkeep.drop(sha256, older_than=clock.now() - grace_seconds)
