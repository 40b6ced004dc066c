"""Questions about the membership, answered from a snapshot of the table.

Web and worker process share the table through the database; each reads it at most once in
`SNAPSHOT_SECONDS`, so the answers may be that old, and cost nothing in between.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings

from cluster import conf
from cluster.core import health as core_health
from cluster.core.electorate import Electorate
from cluster.core.health import ClusterHealth
from cluster.core.membership import Facts, MemberRecord, Membership, Status
from cluster.core.node import Lifecycle, Liveness, NodeInfo, project
from cluster.core.removal import Removal, Removals
from cluster.models import Node, NodeTransition, RemovedNode, SeedContact
from rs3gw.common import clock, identity

SNAPSHOT_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The table at one moment and what follows from it."""

    own: NodeInfo
    members: tuple[NodeInfo, ...]
    registered: tuple[NodeInfo, ...]
    routable: tuple[NodeInfo, ...]
    quorum_size: int
    electorate: Electorate
    table: Membership
    removals: Removals
    rows: Mapping[str, Node]
    read_at: float

    @property
    def own_removal(self) -> Removal | None:
        """How this node was removed under its present writer id; None when it was not."""
        return self.removals.find(self.own.node_id, self.own.actor)

    @property
    def closed_because(self) -> str:
        """Why this node takes no writes now, "" when it does."""
        own, removal = self.own, self.own_removal
        if removal is not None:
            return (
                f"{own.node_id} was removed from the cluster by {removal.removed_by} (epoch "
                f"{removal.epoch}) while it was away. It keeps its data and takes no writes. "
                "`manage.py join` on it makes it a member again. Nothing was stored."
            )
        on_the_way = own.lifecycle in {Lifecycle.STARTING, Lifecycle.JOINING}
        if own.is_member and on_the_way and len(self.members) > 1:
            return (
                f"{own.node_id} has just started and still asks the other nodes whether it "
                "holds all that it had written. Nothing was stored. Retry in a moment."
            )
        return ""


class _Cache:
    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._lock = threading.Lock()

    def get(self) -> Snapshot:
        now = clock.monotonic()
        snapshot = self._snapshot
        if snapshot is not None and 0 <= now - snapshot.read_at < SNAPSHOT_SECONDS:
            return snapshot
        # One thread reads; the others go on with what was true a moment ago.
        if not self._lock.acquire(blocking=snapshot is None):
            assert snapshot is not None
            return snapshot
        try:
            self._snapshot = fresh = _read(now)
            return fresh
        finally:
            self._lock.release()

    def clear(self) -> None:
        self._snapshot = None


_cache = _Cache()


def snapshot() -> Snapshot:
    """Return the table as it was at most `SNAPSHOT_SECONDS` ago."""
    return _cache.get()


def read() -> Snapshot:
    """Return the table as it is now, and let the other selectors see it too."""
    _cache.clear()
    return _cache.get()


def forget(**_: object) -> None:
    """Read the table again at the next question; call it after a change in this process."""
    _cache.clear()


def members() -> list[NodeInfo]:
    """Return all nodes that have not left, this one included."""
    return list(snapshot().members)


def member(node_id: str) -> NodeInfo | None:
    """Return a node that has not left, or None."""
    return next((node for node in snapshot().members if node.node_id == node_id), None)


def self_info() -> NodeInfo:
    """Return this node."""
    return snapshot().own


def peers() -> list[NodeInfo]:
    """Return the other nodes that have not left."""
    return [node for node in snapshot().members if not node.is_self]


def registered() -> list[NodeInfo]:
    """Return the members that count for a majority: active, leaving, restarting and failed."""
    return list(snapshot().registered)


def registered_peers() -> list[NodeInfo]:
    """Return the registered members without this node."""
    return [node for node in snapshot().registered if not node.is_self]


def routable() -> list[NodeInfo]:
    """Return the registered members that are heard and at work, this node included."""
    return list(snapshot().routable)


def quorum_size() -> int:
    """Return how many nodes a majority is counted over.

    These are the registered members, this node, and whoever the configured seeds are: a seed
    that was never met may well be a member of a region that this node does not know yet, so a
    node that starts alone cannot elect itself.
    """
    return snapshot().quorum_size


def electorate() -> Electorate:
    """Return the sets of members in each of which a majority must agree."""
    return snapshot().electorate


def health() -> ClusterHealth:
    """Return how the region does."""
    return core_health.measure(snapshot().members)


def is_quorum_available() -> bool:
    """Return whether enough members can be reached for a quorum write."""
    now = snapshot()
    return now.electorate.is_reached([node.node_id for node in now.routable])


def closed_because() -> str:
    """Return why this node takes no writes now, "" when it does."""
    return snapshot().closed_because


def own_removal() -> Removal | None:
    """Return how this node was removed under its present writer id; None when it was not."""
    return snapshot().own_removal


def removals() -> Removals:
    """Return who was removed, under which writer id, and with that the membership epoch."""
    return snapshot().removals


def transitions(node_id: str, limit: int = 50) -> list[NodeTransition]:
    """Return the latest changes of a node's state, newest first."""
    found = NodeTransition.objects.filter(node__node_id=node_id).select_related("node")
    return list(found[:limit])


def info_of(row: Node) -> NodeInfo:
    """Return a row as a value."""
    lifecycle, liveness = Lifecycle(row.state), Liveness(row.liveness)
    if row.is_self:
        liveness = Liveness.ALIVE
    return NodeInfo(
        node_id=row.node_id,
        address=row.address,
        state=project(lifecycle, liveness),
        last_seen=clock.utcnow() if row.is_self else row.last_seen,
        version=row.version,
        metadata=row.metadata,
        region=row.region,
        actor=row.actor,
        incarnation=row.incarnation,
        liveness=liveness,
        lifecycle=lifecycle,
        is_member=row.is_member,
        s3_url=row.s3_url,
        admin_url=row.admin_url,
        is_self=row.is_self,
    )


def record_of(row: Node) -> MemberRecord:
    """Return a row as this node tells it to others."""
    has_left = row.state == Lifecycle.LEFT
    liveness = Liveness.ALIVE if row.is_self else row.liveness
    return MemberRecord(
        node_id=row.node_id,
        incarnation=row.incarnation,
        status=Status.LEFT if has_left else Status(str(liveness)),
        facts=Facts(
            region=row.region,
            address=row.address,
            lifecycle=Lifecycle(row.state),
            is_member=row.is_member,
            actor=row.actor,
            version=row.version,
            s3_url=row.s3_url,
            admin_url=row.admin_url,
            metadata=row.metadata,
        ),
    )


def removal_of(row: RemovedNode) -> Removal:
    """Return a row as a value."""
    return Removal(
        node_id=row.node_id,
        actor=row.actor,
        epoch=row.epoch,
        removed_by=row.removed_by,
        at_ms=int(row.removed_at.timestamp() * 1000),
    )


def own_facts(
    lifecycle: Lifecycle, *, is_member: bool, labels: Mapping[str, str] | None = None
) -> Facts:
    """Return what this node says of itself at a point of its life.

    Args:
        lifecycle: That point.
        is_member: Whether it counts as a member.
        labels: What it adds to its configured metadata, such as that it is stopping.
    """
    s3_url = conf.s3_url()
    return Facts(
        region=settings.RS3GW_REGION,
        address=settings.RS3GW_CLUSTER_ADVERTISE_ADDR,
        lifecycle=lifecycle,
        is_member=is_member,
        actor=identity.load().actor,
        version=settings.RS3GW_VERSION,
        s3_url=s3_url,
        admin_url=f"{s3_url}/admin/",
        metadata={**conf.metadata(), **(labels or {})},
    )


def _read(now: float) -> Snapshot:
    identity.refresh()
    rows = {row.node_id: row for row in Node.objects.all()}
    own = _own_info(rows.get(identity.load().node_id))
    others: list[NodeInfo] = []
    if conf.is_enabled() and own.lifecycle != Lifecycle.LEFT:
        others = [
            info_of(row)
            for row in rows.values()
            if row.node_id != own.node_id and row.state != Lifecycle.LEFT
        ]
    present = tuple(sorted([own, *others], key=lambda node: node.node_id))
    removed = Removals(map(removal_of, RemovedNode.objects.all()))
    conf.epoch.known = removed.epoch
    registered_now = tuple(n for n in present if n.is_member and n.lifecycle != Lifecycle.LEFT)
    counted = [node for node in present if node.is_counted]
    quorum_size = _quorum_size(own, counted, rows)
    return Snapshot(
        own=own,
        members=present,
        registered=registered_now,
        routable=tuple(node for node in registered_now if node.is_routable),
        quorum_size=quorum_size,
        electorate=_electorate(own, counted, rows, quorum_size),
        table=Membership(record_of(row) for row in rows.values()),
        removals=removed,
        rows=rows,
        read_at=now,
    )


def _own_info(row: Node | None) -> NodeInfo:
    if row is not None:
        return info_of(row)
    # Not started yet: a node without a cluster is complete by itself, any other is starting.
    lifecycle = Lifecycle.STARTING if conf.is_enabled() else Lifecycle.ACTIVE
    facts = own_facts(lifecycle, is_member=not conf.is_enabled())
    return NodeInfo(
        node_id=identity.load().node_id,
        address=facts.address,
        state=project(lifecycle, Liveness.ALIVE),
        last_seen=clock.utcnow(),
        version=facts.version,
        metadata=facts.metadata,
        region=facts.region,
        actor=facts.actor,
        lifecycle=lifecycle,
        is_member=facts.is_member,
        s3_url=facts.s3_url,
        admin_url=facts.admin_url,
        is_self=True,
    )


def _quorum_size(own: NodeInfo, members: Iterable[NodeInfo], rows: Mapping[str, Node]) -> int:
    counted = {own.node_id, *(node.node_id for node in members)}
    if not conf.is_enabled() or own.lifecycle == Lifecycle.LEFT:
        return len(counted)
    unmet = 0
    for node_id in seed_nodes(rows.values()).values():
        if not node_id:
            unmet += 1
        elif (row := rows.get(node_id)) is None or row.state != Lifecycle.LEFT:
            counted.add(node_id)
    return len(counted) + unmet


def _electorate(
    own: NodeInfo, members: Iterable[NodeInfo], rows: Mapping[str, Node], quorum_size: int
) -> Electorate:
    current = frozenset({own.node_id, *(node.node_id for node in members)})
    settled = frozenset(row.node_id for row in rows.values() if row.was_counted)
    is_alone = not conf.is_enabled() or own.lifecycle == Lifecycle.LEFT
    return Electorate(
        current=current,
        settled=frozenset() if is_alone else settled,
        unmet=quorum_size - len(current),
    )


def seed_nodes(rows: Iterable[Node]) -> dict[str, str]:
    """Return which node each seed address of another node is; "" for one never met."""
    seeds: Sequence[str] = conf.cluster_config().other_seeds()
    # Who has left goes first, so that a node which took over its address replaces it.
    left_first = sorted(rows, key=lambda row: row.state != Lifecycle.LEFT)
    by_address = {row.address: row.node_id for row in left_first}
    found = {seed: by_address.get(seed, "") for seed in seeds}
    missing = [seed for seed, node_id in found.items() if not node_id]
    if missing:
        met = SeedContact.objects.filter(address__in=missing)
        found.update(met.values_list("address", "node_id"))
    return found
