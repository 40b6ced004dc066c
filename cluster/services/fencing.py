"""Removed nodes: who they are, and what a node does that learns that it is one of them.

A removal names a node and its writer id and is kept for ever. Its requests are answered 421 under
that writer id. A node that learns of its own removal, from such an answer or from gossip, takes
itself out: it refuses writes, is not ready, and keeps its data, until it joins with a new id.
"""

import json
import logging
from collections.abc import Mapping

from django.db import transaction

from cluster import selectors
from cluster.core.membership import MalformedMessage
from cluster.core.removal import Removal, Removals, removal_from_json, removals_from_json
from cluster.models import Node, RemovedNode
from cluster.services import table
from rs3gw.common import clock, identity

logger = logging.getLogger(__name__)
SECTION = "removals"


def remove(row: Node, *, removed_by: str, is_forced: bool = False) -> bool:
    """Remove a node's row under a new epoch; return whether nobody was faster.

    Args:
        row: The node's row.
        removed_by: Who asked for it.
        is_forced: It counts no more from now on, although no majority may know of it.
    """
    removals = selectors.read().removals
    removal = Removal(
        node_id=row.node_id,
        actor=row.actor,
        epoch=removals.epoch + 1,
        removed_by=f"{removed_by or 'an operator'} on {identity.load().node_id}",
        at_ms=clock.now_ms(),
    )
    with transaction.atomic():
        if row.actor:
            _store(removal)
        reason = f"removed by {removal.removed_by}, epoch {removal.epoch}"
        is_done = table.remove_row(row, reason=reason, is_forced=is_forced)
        transaction.set_rollback(not is_done)
    selectors.forget()
    return is_done


def produce() -> list[dict[str, object]]:
    """Return the removals that this node knows, for gossip."""
    return selectors.snapshot().removals.to_json()


def consume(sender: str, section: object) -> None:
    """Take in the removals that a peer knows."""
    try:
        absorb(removals_from_json(section))
    except MalformedMessage as error:
        logger.warning("%s tells no removals: %s", sender, error)


def absorb(heard: Removals) -> None:
    """Take in removals; when this node is among them, it takes itself out."""
    known = selectors.snapshot().removals
    news = [r for r in heard if known.merge(Removals([r])) != known]
    for removal in news:
        _store(removal)
    if news:
        selectors.forget()
    fence()


def _store(removal: Removal) -> None:
    known = RemovedNode.objects.filter(node_id=removal.node_id, actor=removal.actor).first()
    if known is not None and removal.order_key() <= selectors.removal_of(known).order_key():
        return
    RemovedNode.objects.update_or_create(
        node_id=removal.node_id,
        actor=removal.actor,
        defaults={
            "epoch": removal.epoch,
            "removed_by": removal.removed_by,
            "removed_at": clock.from_ms(removal.at_ms),
        },
    )


def fence() -> bool:
    """Take this node out of the cluster if it was removed; return whether it is out."""
    now = selectors.read()
    if now.own_removal is None:
        return False
    if table.leave_as_removed(now.own_removal):
        logger.error("%s", now.closed_because)
    return True


def notice_refusal(body: bytes) -> None:
    """Take in the answer of a peer that refuses this node as removed."""
    try:
        notice: object = json.loads(body)
        if not isinstance(notice, Mapping) or notice.get("code") != "removed":
            return
        removal = removal_from_json(notice.get("removal"))
    except (ValueError, MalformedMessage):
        return
    # An answer that was long on its way may speak of a writer id from before a new join.
    if removal.node_id == identity.load().node_id:
        absorb(Removals([removal]))
