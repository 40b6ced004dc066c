"""What the overview, the status API and the metrics show, in a constant number of queries."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from django.conf import settings

from cluster import selectors as cluster
from cluster.core.node import Liveness, NodeInfo, NodeState
from replication import attention, backlog, services
from replication import selectors as replication
from replication.core.backpressure import Backlog, decide
from rs3gw.common import clock
from rs3gw.common.units import format_bytes, format_duration, format_rate
from rs3gw.console.core.verdict import LinkFacts, NodeFacts, Verdict, Worries, judge
from rs3gw.storage.models import Bucket
from rs3gw.storage.selectors import SERVED_STATES

if TYPE_CHECKING:
    from replication.models import Delivery, Lane

PARKED_SHOWN = 8
NODE_TONES = {
    NodeState.STARTING: "info",
    NodeState.JOINING: "info",
    NodeState.ACTIVE: "ok",
    NodeState.LEAVING: "warn",
    NodeState.FAILED: "bad",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One number of the overview with its meaning."""

    label: str
    value: str
    detail: str
    tone: str = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """One step of the first run."""

    text: str
    url_name: str
    action: str
    is_done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All that the overview shows."""

    verdict: Verdict
    tiles: tuple[Tile, ...]
    nodes: tuple[NodeFacts, ...]
    links: tuple[LinkFacts, ...]
    parked: tuple["Delivery", ...]
    hints: tuple[Hint, ...]


def overview() -> Overview:
    """Return the state of this node and what it knows of the others."""
    statuses = replication.lanes_overview()
    stats = replication.summarise(statuses)
    links = link_facts(statuses)
    nodes = node_facts(cluster.members(), evicted=attention.evicted())
    verdict = judge(
        nodes,
        links,
        now=clock.utcnow(),
        is_quorum_available=cluster.is_quorum_available(),
        mode=settings.RS3GW_REPLICATION_MODE,
        worries=Worries(
            quarantined=attention.quarantined(),
            pressure=_pressure(),
            degraded=services.degraded_buckets(),
            differs_from=attention.differs_from(),
        ),
    )
    return Overview(
        verdict=verdict,
        tiles=_tiles(nodes, links, stats),
        nodes=tuple(nodes),
        links=tuple(links),
        parked=tuple(attention.parked(limit=PARKED_SHOWN)),
        hints=tuple(_hints(nodes)),
    )


def _pressure() -> str:
    """Return what writers feel of the backlog under the cluster's limits, "" when nothing."""
    waiting, limits = backlog.current(), backlog.default_limits()
    felt = decide(waiting, limits)
    if not felt.is_felt:
        return ""
    lack = f"A member lacks {waiting.events:,} changes, the oldest {_age(waiting)} old. "
    if felt.is_refused:
        return lack + "Writes to buckets that follow the cluster's policy are refused."
    if felt.delay_seconds:
        return lack + f"Writes are delayed by {felt.delay_seconds * 1000:.0f} ms."
    return lack + "Writers are told so; nothing is held back."


def _age(waiting: Backlog) -> str:
    return format_duration(waiting.age_seconds)


def lanes_of(kind: str, destination: str) -> list["Lane"]:
    """Return all lanes of one link."""
    return attention.lanes_of(kind, destination)


def parked_for(delivery: str, *, limit: int) -> list["Delivery"]:
    """Return the parked delivery with an id, or all of them for "all"."""
    if delivery == "all":
        return attention.parked(limit=limit)
    return attention.parked(limit=1, pk=int(delivery)) if delivery.isdigit() else []


def link_facts(statuses: Sequence[replication.LaneStatus]) -> list[LinkFacts]:
    """Return lanes put together by destination, members first."""

    def link_of(status: replication.LaneStatus) -> tuple[str, str]:
        return status.lane.destination_kind, status.lane.destination

    ordered = sorted(statuses, key=link_of)
    blocked = attention.blocked_links()
    return [
        _link(*key, list(group), blocked.get(key, ""))
        for key, group in groupby(ordered, key=link_of)
    ]


def _link(
    kind: str, destination: str, group: Sequence[replication.LaneStatus], blocked: str
) -> LinkFacts:
    sums = replication.summarise(list(group))
    lanes = [status.lane for status in group]
    failing = [lane for lane in lanes if lane.attempts and lane.last_error]
    held = [lane for lane in lanes if lane.state in ("held", "resync")]
    successes = [lane.last_success_at for lane in lanes if lane.last_success_at is not None]
    return LinkFacts(
        destination=destination,
        kind=str(kind),
        waiting=sums.events_pending,
        waiting_bytes=sums.bytes_pending,
        lag_seconds=max(status.lag_seconds for status in group),
        rate_bytes_per_second=sums.bandwidth_bytes_per_second,
        parked=sums.events_parked,
        lanes=len(lanes),
        lanes_paused=sum(lane.state == "paused" for lane in lanes),
        lanes_held=len(held),
        error=next((lane.last_error for lane in [*held, *failing]), ""),
        last_success_at=max(successes, default=None),
        blocked=blocked,
    )


def node_facts(members: Sequence[NodeInfo], *, evicted: Collection[str] = ()) -> list[NodeFacts]:
    """Return what is known of each node of this region, this one first."""
    found = [_node(node, is_evicted=node.node_id in evicted) for node in members]
    return sorted(found, key=lambda node: (not node.is_self, node.node_id))


def _node(node: NodeInfo, *, is_evicted: bool) -> NodeFacts:
    state, tone = node.state.value.capitalize(), NODE_TONES[node.state]
    if node.liveness == Liveness.SUSPECT:
        state, tone = f"{state}, not heard of lately", "warn"
    if is_evicted:
        state, tone = f"{state}, evicted", "bad"
    return NodeFacts(
        node_id=node.node_id,
        state=state,
        tone=tone,
        is_self=node.is_self,
        is_up=node.state != NodeState.FAILED,
        is_evicted=is_evicted,
        counts=node.is_member,
        last_seen_at=node.last_seen,
        address=node.address,
        version=node.version,
        admin_url=node.admin_url,
    )


def _tiles(
    nodes: Sequence[NodeFacts],
    links: Sequence[LinkFacts],
    stats: replication.ReplicationStats,
) -> tuple[Tile, ...]:
    slowest = max(links, key=lambda link: link.lag_seconds, default=None)
    is_late = slowest is not None and slowest.lag_seconds > 0
    up = sum(node.is_up for node in nodes)
    waiting = stats.events_pending
    rate = stats.bandwidth_bytes_per_second
    return (
        Tile(
            label="Lag, slowest link",
            value=slowest.lag_text if slowest is not None and is_late else "–",
            detail=slowest.destination if slowest is not None and is_late else "nothing waits",
            tone=slowest.tone if slowest is not None else "off",
        ),
        Tile(
            label="Waiting to copy",
            value=f"{waiting:,}",
            detail=f"{format_bytes(stats.bytes_pending)}, now {format_rate(rate)}"
            if rate
            else format_bytes(stats.bytes_pending),
            tone="ok" if not waiting else "off",
        ),
        Tile(
            label="Nodes up",
            value=f"{up} of {len(nodes)}" if nodes else "1 of 1",
            detail=f"region {settings.RS3GW_REGION}",
            tone="ok" if up == len(nodes) else "bad",
        ),
        Tile(
            label="Parked",
            value=f"{stats.events_parked:,}",
            detail="changes that need you" if stats.events_parked else "nothing needs you",
            tone="bad" if stats.events_parked else "ok",
        ),
    )


def _hints(nodes: Sequence[NodeFacts]) -> list[Hint]:
    has_bucket = Bucket.objects.filter(state__in=SERVED_STATES).exists()
    has_others = len(nodes) > 1
    has_region = has_others or bool(attention.region_names())
    if has_bucket and has_region:
        return []
    has_rule = has_others or attention.rule_count() > 0
    return [
        Hint(text="This node is up", url_name="", action="", is_done=True),
        Hint(
            text="Make a bucket",
            url_name="admin:storage_bucket_add",
            action="New bucket",
            is_done=has_bucket,
        ),
        Hint(
            text="Make an access key, and write an object to the bucket with it",
            url_name="admin:s3_accesskey_add",
            action="New access key",
            is_done=False,
        ),
        Hint(
            text="Add a region that keeps a second copy",
            url_name="admin:replication_replicationregion_add",
            action="New region",
            is_done=has_region,
        ),
        Hint(
            text="Add a rule that sends the bucket there",
            url_name="admin:replication_bucketreplicationconfig_add",
            action="New rule",
            is_done=has_rule,
        ),
    ]


def lag_text(seconds: float) -> str:
    """Return a lag as people read it; a dash when nothing waits."""
    return format_duration(seconds) if seconds else "–"
