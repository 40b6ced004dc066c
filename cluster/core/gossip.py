"""A round of gossip as values: whom to talk to, what to say, what to answer.

Push-pull, digest first: as long as two tables agree, one short request and one short answer is all
that is sent. Nothing here sends; the caller does.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cluster.core.membership import (
    INCARNATION_MAX,
    MalformedMessage,
    MemberRecord,
    Membership,
    records_from_json,
    whole_number,
)
from cluster.core.node import Liveness, NodeInfo

SECTIONS_MAX = 16
DIGEST_CHARS_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class GossipMessage:
    """What one node says to another.

    Attributes:
        incarnation: The sender's own.
        digest: Digest of the sender's table; "" asks for no comparison.
        records: Records that the sender believes the receiver lacks.
        sections: Further news by name, such as how far the sender has applied each writer.
    """

    incarnation: int
    digest: str = ""
    records: tuple[MemberRecord, ...] = ()
    sections: Mapping[str, object] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Return the message as JSON values; empty parts are left out."""
        parts: dict[str, object] = {"incarnation": self.incarnation, "digest": self.digest}
        if self.records:
            parts["records"] = [record.to_json() for record in self.records]
        if self.sections:
            parts["sections"] = dict(self.sections)
        return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class GossipReply:
    """What a node answers.

    Attributes:
        node_id: Who answers.
        incarnation: Its own.
        digest: Digest of its table after it took in the message.
        records: Its whole table when the digests differ; else empty.
    """

    node_id: str
    incarnation: int
    digest: str
    records: tuple[MemberRecord, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the reply as JSON values; empty parts are left out."""
        parts: dict[str, object] = {
            "node_id": self.node_id,
            "incarnation": self.incarnation,
            "digest": self.digest,
        }
        if self.records:
            parts["records"] = [record.to_json() for record in self.records]
        return parts


def choose_peers(
    peers: Sequence[NodeInfo], seed_addresses: Sequence[str], rng: random.Random
) -> tuple[str, ...]:
    """Return the addresses of this round: one member at random and one seed.

    The seed is drawn from all seeds, also those that are failed or were never met: when a split
    heals, it is through them that the two halves find each other again.

    Args:
        peers: The other members that have not left.
        seed_addresses: The configured seeds without this node.
        rng: Source of chance.
    """
    seed = rng.choice(seed_addresses) if seed_addresses else ""
    heard = [p for p in peers if p.liveness != Liveness.FAILED] or list(peers)
    others = [p for p in heard if p.address != seed]
    chosen = [rng.choice(others).address] if others else []
    return tuple([*chosen, seed] if seed else chosen)


def opening(own: str, table: Membership, sections: Mapping[str, object]) -> GossipMessage:
    """Return the first message of an exchange; `own` is the sender's node id."""
    return GossipMessage(
        incarnation=incarnation_in(table, own), digest=table.digest(), sections=sections
    )


def answer(own: str, table: Membership, message: GossipMessage) -> GossipReply:
    """Return the reply of a node whose table already holds the message's records."""
    wants_table = bool(message.digest) and message.digest != table.digest()
    return GossipReply(
        node_id=own,
        incarnation=incarnation_in(table, own),
        digest=table.digest(),
        records=tuple(table) if wants_table else (),
    )


def closing(own: str, table: Membership, reply: GossipReply) -> GossipMessage | None:
    """Return what the answerer still lacks; None when it lacks nothing.

    Args:
        own: Node id of the sender.
        table: Its table, the reply's records taken in.
        reply: The reply to the opening.
    """
    if reply.digest == table.digest():
        return None
    lacking = table.newer_than(Membership(reply.records))
    if not lacking:
        return None
    return GossipMessage(incarnation=incarnation_in(table, own), records=lacking)


def incarnation_in(table: Membership, node_id: str) -> int:
    """Return a node's incarnation as a table has it; 0 when it is not in there."""
    record = table.get(node_id)
    return record.incarnation if record else 0


def message_from_json(data: object) -> GossipMessage:
    """Return a message.

    Raises:
        MalformedMessage: It has another form.
    """
    if not isinstance(data, dict):
        raise MalformedMessage
    digest, sections = data.get("digest", ""), data.get("sections", {})
    if not isinstance(digest, str) or len(digest) > DIGEST_CHARS_MAX:
        raise MalformedMessage("digest must be a short text.")
    if not isinstance(sections, dict) or len(sections) > SECTIONS_MAX:
        raise MalformedMessage(f"sections must be an object of at most {SECTIONS_MAX} entries.")
    return GossipMessage(
        incarnation=whole_number(data, "incarnation", INCARNATION_MAX),
        digest=digest,
        records=records_from_json(data.get("records", [])),
        sections=sections,
    )


def reply_from_json(data: object) -> GossipReply:
    """Return a reply.

    Raises:
        MalformedMessage: It has another form.
    """
    if not isinstance(data, dict) or not isinstance(data.get("node_id"), str):
        raise MalformedMessage
    message = message_from_json(data)
    return GossipReply(
        node_id=data["node_id"],
        incarnation=message.incarnation,
        digest=message.digest,
        records=message.records,
    )
