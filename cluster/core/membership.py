"""Who is known to be in the region, as a table that nodes can merge in any order.

Laws: `merge` is commutative, associative and idempotent, because of two records of one node the
greater under a total order is kept: higher incarnation first, then Left > Failed > Suspect > Alive.
A node raises its incarnation whenever it changes its own record, so its newest word beats every
rumour about an older one (as in SWIM, Das et al. 2002). Only two nodes that share a name by mistake
can say different things under one incarnation; then the text of what they say decides, before the
doubts, so that all still come to agree.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from cluster.core.config import ADDRESS, NODE_ID
from cluster.core.node import Lifecycle
from rs3gw.common.errors import Rs3gwError

RECORDS_MAX = 1000
TEXT_CHARS_MAX = 255
METADATA_ITEMS_MAX = 32
INCARNATION_MAX = 2**62
ACTOR_MAX = 2**63 - 1


class MalformedMessage(Rs3gwError):
    """A peer sent something that is not a membership message."""

    code = "MalformedMessage"
    default_message = "The message does not have the form of a membership message."


class Status(StrEnum):
    """What is said of a node; of the same incarnation the later in this list wins."""

    ALIVE = "alive"
    SUSPECT = "suspect"
    FAILED = "failed"
    LEFT = "left"


_RANKS = {status: rank for rank, status in enumerate(Status)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a node says of itself.

    Attributes:
        region: Region it belongs to.
        address: `host:port` of its cluster port.
        lifecycle: Where it is in its life.
        is_member: Whether it has been active with its present data directory.
        actor: Writer id of its data directory.
        version: Version of rs3gw that it runs.
        s3_url: Where its S3 endpoint is.
        admin_url: Where its admin is.
        metadata: Labels.
    """

    region: str
    address: str
    lifecycle: Lifecycle = Lifecycle.STARTING
    is_member: bool = False
    actor: int = 0
    version: str = ""
    s3_url: str = ""
    admin_url: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Return the facts as JSON values."""
        return {
            "region": self.region,
            "address": self.address,
            "state": self.lifecycle.value,
            "is_member": self.is_member,
            "actor": self.actor,
            "version": self.version,
            "s3_url": self.s3_url,
            "admin_url": self.admin_url,
            "metadata": dict(self.metadata),
        }

    def text(self) -> str:
        """Return the facts as one line of text, the same for the same facts."""
        return json.dumps(self.to_json(), sort_keys=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRecord:
    """What is said of one node at one of its incarnations."""

    node_id: str
    incarnation: int
    status: Status
    facts: Facts

    def order_key(self) -> tuple[int, bool, str, int]:
        """Return the position in the total order that `merge` keeps the greatest of."""
        return *self.shared_key(), _RANKS[self.status]

    def shared_key(self) -> tuple[int, bool, str]:
        """Return the part of the order that all nodes must come to agree on."""
        return self.incarnation, self.status == Status.LEFT, self.facts.text()

    def to_json(self) -> dict[str, object]:
        """Return the record as JSON values."""
        return {
            "node_id": self.node_id,
            "incarnation": self.incarnation,
            "status": self.status.value,
            **self.facts.to_json(),
        }


def merge_records(ours: MemberRecord, theirs: MemberRecord) -> MemberRecord:
    """Return the record that wins; both must be of one node."""
    assert ours.node_id == theirs.node_id
    return max(ours, theirs, key=MemberRecord.order_key)


def believe(record: MemberRecord, *, is_heard_directly: bool) -> MemberRecord:
    """Return a rumour as far as it is believed: no doubt about who is heard directly."""
    if is_heard_directly and record.status in {Status.SUSPECT, Status.FAILED}:
        return replace(record, status=Status.ALIVE)
    return record


@dataclass(frozen=True, slots=True)
class Refutation:
    """What a node does about a rumour about itself.

    Attributes:
        incarnation: The one to take; it beats the rumour.
        must_rejoin: The others removed this node while it was away, so what it holds may be
            too old to go on with: it has to join again.
    """

    incarnation: int
    must_rejoin: bool


def refute(own: MemberRecord, heard: MemberRecord) -> Refutation | None:
    """Return how to answer what is said of this node; None when there is nothing to answer."""
    assert own.node_id == heard.node_id
    if heard.order_key() <= own.order_key():
        return None
    was_removed = heard.status == Status.LEFT and own.status != Status.LEFT
    return Refutation(incarnation=heard.incarnation + 1, must_rejoin=was_removed)


class Membership:
    """An immutable table of member records, one for each node."""

    __slots__ = ("_digest", "_records")

    def __init__(self, records: Iterable[MemberRecord] = ()) -> None:
        self._records: dict[str, MemberRecord] = {}
        self._digest = ""
        for record in records:
            known = self._records.get(record.node_id)
            self._records[record.node_id] = merge_records(known, record) if known else record

    def __iter__(self) -> Iterator[MemberRecord]:
        return iter(self._records.values())

    def __len__(self) -> int:
        return len(self._records)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Membership) and self._records == other._records

    def __hash__(self) -> int:
        return hash(self.digest())

    def get(self, node_id: str) -> MemberRecord | None:
        """Return a node's record, or None when it is not known."""
        return self._records.get(node_id)

    def merge(self, view: "Membership") -> "Membership":
        """Return the table that knows what either knows."""
        return Membership([*self, *view])

    def newer_than(self, view: "Membership") -> tuple[MemberRecord, ...]:
        """Return the records of which `view` knows nothing or less."""
        return tuple(
            record
            for record in self
            if (theirs := view.get(record.node_id)) is None
            or record.shared_key() > theirs.shared_key()
        )

    def digest(self) -> str:
        """Return a short text that two tables share when gossip has nothing to tell.

        Suspect and Failed are each node's own observation and are left out: two nodes that
        cannot reach the same peers would never stop exchanging their tables.
        """
        if not self._digest:
            lines = sorted(f"{record.node_id} {record.shared_key()}" for record in self)
            self._digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]
        return self._digest

    def to_json(self) -> list[dict[str, object]]:
        """Return the records as JSON values."""
        return [record.to_json() for record in self]


def records_from_json(data: object) -> tuple[MemberRecord, ...]:
    """Return the records of a message.

    Raises:
        MalformedMessage: It is no list of at most `RECORDS_MAX` well-formed records.
    """
    if not isinstance(data, list) or len(data) > RECORDS_MAX:
        raise MalformedMessage
    return tuple(record_from_json(item) for item in data)


def record_from_json(data: object) -> MemberRecord:
    """Return one record; fields that this version does not know are ignored.

    Raises:
        MalformedMessage: A field is missing, of the wrong type or out of bounds.
    """
    if not isinstance(data, dict):
        raise MalformedMessage
    node_id, address = _text(data, "node_id"), _text(data, "address")
    if not NODE_ID.fullmatch(node_id) or not ADDRESS.fullmatch(address):
        raise MalformedMessage(f"{node_id!r} at {address!r} is no node.")
    try:
        status, lifecycle = Status(_text(data, "status")), Lifecycle(_text(data, "state"))
    except ValueError as error:
        raise MalformedMessage(str(error)) from None
    facts = Facts(
        region=_text(data, "region"),
        address=address,
        lifecycle=lifecycle,
        is_member=data.get("is_member") is True,
        actor=whole_number(data, "actor", ACTOR_MAX),
        version=_text(data, "version"),
        s3_url=_text(data, "s3_url"),
        admin_url=_text(data, "admin_url"),
        metadata=_labels(data.get("metadata", {})),
    )
    incarnation = whole_number(data, "incarnation", INCARNATION_MAX)
    return MemberRecord(node_id=node_id, incarnation=incarnation, status=status, facts=facts)


def _text(data: Mapping[str, object], name: str) -> str:
    value = data.get(name, "")
    if not isinstance(value, str) or len(value) > TEXT_CHARS_MAX:
        raise MalformedMessage(f"{name} must be text of at most {TEXT_CHARS_MAX} characters.")
    return value


def whole_number(data: Mapping[str, object], name: str, maximum: int) -> int:
    """Return a whole number of a message in [0, maximum]; 0 when it is absent.

    Raises:
        MalformedMessage: It is something else.
    """
    value = data.get(name, 0)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= maximum:
        raise MalformedMessage(f"{name} must be a whole number from 0 to {maximum}.")
    return value


def _labels(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > METADATA_ITEMS_MAX:
        raise MalformedMessage(f"metadata must hold at most {METADATA_ITEMS_MAX} labels.")
    for name, label in value.items():
        if not isinstance(label, str) or max(len(name), len(label)) > TEXT_CHARS_MAX:
            raise MalformedMessage(
                f"metadata must be texts of at most {TEXT_CHARS_MAX} characters."
            )
    return dict(value)
