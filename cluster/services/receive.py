"""What peers send; runs in the web process.

The common case, two tables that agree, is answered from the snapshot without touching the database.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings

from cluster import conf, selectors
from cluster.core.gossip import answer, message_from_json
from cluster.core.membership import (
    INCARNATION_MAX,
    MalformedMessage,
    MemberRecord,
    record_from_json,
    whole_number,
)
from cluster.core.node import Lifecycle
from cluster.models import Node
from cluster.services import hearing, probing, registry, table
from cluster.services.errors import ClusterConflict, NodeTaken
from rs3gw.common import identity

PROBED_MAX = 8


def receive_heartbeat(sender: str, data: object) -> dict[str, object]:
    """Note that a peer lives; answer who this is and whether both know the same.

    Args:
        sender: Node id that signed the request.
        data: JSON value of the request.

    Raises:
        MalformedMessage: It is no heartbeat.
        ClusterConflict: This node is in no cluster.
    """
    _require_enabled()
    if not isinstance(data, dict):
        raise MalformedMessage
    incarnation = whole_number(data, "incarnation", INCARNATION_MAX)
    now = selectors.snapshot()
    row = now.rows.get(sender)
    hearing.saw(sender, incarnation, row)
    agrees = row is not None and row.incarnation == incarnation and row.state != Lifecycle.LEFT
    return {
        "node_id": now.own.node_id,
        "incarnation": now.own.incarnation,
        "agrees": agrees,
        "digest": now.table.digest(),
    }


def receive_gossip(sender: str, data: object) -> dict[str, object]:
    """Take in a peer's news and answer with this node's table if they differ.

    Raises:
        MalformedMessage: It is no gossip.
        ClusterConflict: This node is in no cluster.
    """
    _require_enabled()
    message = message_from_json(data)
    # First, so that a record of this node that says "left" is not taken for a rumour.
    _consume(sender, message.sections)
    if message.records:
        table.absorb(message.records)
    now = selectors.read() if message.records else selectors.snapshot()
    hearing.saw(sender, message.incarnation, now.rows.get(sender))
    reply = answer(now.own.node_id, now.table, message)
    if reply.records:
        # The snapshot may be half a second old: look again before sending the whole table.
        now = selectors.read()
        reply = answer(now.own.node_id, now.table, message)
    return reply.to_json()


def _consume(sender: str, sections: Mapping[str, object]) -> None:
    for name, value in sections.items():
        if name in registry.gossip_sections:
            _, consume = registry.gossip_sections[name]
            consume(sender, value)


def receive_join(sender: str, data: object) -> dict[str, object]:
    """Take in a node that introduces itself; answer with the whole table.

    Raises:
        MalformedMessage: It is no introduction, or of another node than the sender.
        NodeTaken: Another living node has that name.
        ClusterConflict: This node is in no cluster.
    """
    _require_enabled()
    now = selectors.read()
    if now.own.lifecycle == Lifecycle.LEFT:
        raise ClusterConflict(f"{now.own.node_id} has left the cluster.")
    record = _own_word(sender, data)
    row = now.rows.get(sender)
    if row is not None and _is_other_node(row, record):
        raise NodeTaken(
            f"{sender} is the name of a living node at {row.address}. Give the node at "
            f"{record.facts.address} another RS3GW_CLUSTER_NODE_ID."
        )
    return _take_word(record)


def _is_other_node(row: Node, record: MemberRecord) -> bool:
    """Return whether a record comes from another machine than the living one of its name."""
    is_alike = row.actor == record.facts.actor or row.address == record.facts.address
    return not is_alike and (row.is_self or (row.state != Lifecycle.LEFT and table.is_fresh(row)))


def receive_probe(sender: str, data: object) -> dict[str, object]:
    """Try to reach the nodes that a peer does not hear, and say which of them answer.

    Raises:
        MalformedMessage: It is no probe.
        ClusterConflict: This node is in no cluster.
    """
    _require_enabled()
    wanted = probing.names_in(data, PROBED_MAX)
    known = {node.node_id: node for node in selectors.members() if not node.is_self}
    asked = [known[name] for name in wanted if name in known and name != sender]
    with ThreadPoolExecutor(max_workers=max(1, len(asked))) as pool:
        heard = list(pool.map(probing.reaches, asked))
    return {"heard": [n.node_id for n, is_heard in zip(asked, heard, strict=True) if is_heard]}


def receive_leave(sender: str, data: object) -> dict[str, object]:
    """Take in that a node is leaving or has left.

    Raises:
        MalformedMessage: It is no such message, or of another node than the sender.
        ClusterConflict: This node is in no cluster.
    """
    _require_enabled()
    return _take_word(_own_word(sender, data))


def _own_word(sender: str, data: object) -> MemberRecord:
    """Return the record of a message in which a node speaks of itself."""
    if not isinstance(data, dict):
        raise MalformedMessage
    record = record_from_json(data.get("record"))
    if record.node_id != sender:
        raise MalformedMessage(f"{sender} speaks for {record.node_id}.")
    if record.facts.region != settings.RS3GW_REGION:
        raise MalformedMessage(f"{sender} is of region {record.facts.region}.")
    return record


def _take_word(record: MemberRecord) -> dict[str, object]:
    if record.node_id != identity.load().node_id:
        table.absorb([record])
    now = selectors.read()
    hearing.saw(record.node_id, record.incarnation, now.rows.get(record.node_id))
    return {"node_id": now.own.node_id, "records": selectors.read().table.to_json()}


def _require_enabled() -> None:
    if not conf.is_enabled():
        raise ClusterConflict("The cluster is switched off on this node.")
