"""The metrics page. What must be right across processes is read from the database at the scrape.

The names of the specification are kept as they stand there: `rs3gw_cluster_nodes_total` is a
gauge although it ends like a counter.
"""

from collections.abc import Iterator, Sequence

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cluster import metrics as cluster_metrics
from cluster import selectors as cluster
from replication import attention, backlog
from replication import selectors as replication
from rs3gw.console import healing_metrics
from rs3gw.console.selectors import link_facts
from rs3gw.storage.models import Bucket, ObjectState, ObjectVersion
from rs3gw.storage.selectors import SERVED_STATES

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# As Prometheus wants it: the worse, the greater.
BREAKER_VALUES = {"closed": 0.0, "half_open": 1.0, "open": 2.0}
DEFAULT_STRATEGY = "last_write_wins"
LIVENESS_VALUES = {"alive": 1.0, "suspect": 0.5, "failed": 0.0}


class NodeCollector(Collector):
    """Everything that is computed from this node's database."""

    def collect(self) -> Iterator[Metric]:
        """Return all families, each with the values of now."""
        statuses = replication.lanes_overview()
        yield from _cluster()
        yield from _peers()
        yield from _replication(replication.summarise(statuses))
        yield from _links(statuses)
        yield from _conflicts()
        yield from _upkeep(statuses)
        yield from healing_metrics.families()
        yield from _flow()
        yield _gauge(
            "rs3gw_buckets",
            "Buckets that are served.",
            Bucket.objects.filter(state__in=SERVED_STATES).count(),
        )


def page() -> bytes:
    """Return the metrics page: the database's numbers, then those of this process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(NodeCollector())
    return generate_latest(registry) + generate_latest(REGISTRY)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _peers() -> Iterator[Metric]:
    heard = GaugeMetricFamily(
        "rs3gw_cluster_peer_heard",
        "1 alive, 0.5 suspect, 0 failed.",
        labels=["node"],
    )
    reached = GaugeMetricFamily(
        "rs3gw_cluster_peer_reached", "1 when the last heartbeat was answered.", labels=["node"]
    )
    seconds = GaugeMetricFamily(
        "rs3gw_cluster_peer_round_trip_seconds", "Time of the last heartbeat.", labels=["node"]
    )
    for row in cluster_metrics.peer_views():
        heard.add_metric([row.node_id], LIVENESS_VALUES[row.liveness])
        reached.add_metric([row.node_id], float(row.reaches))
        seconds.add_metric([row.node_id], row.rtt_ms / 1000)
    yield from (heard, reached, seconds)


def _cluster() -> Iterator[Metric]:
    nodes = GaugeMetricFamily(
        "rs3gw_cluster_nodes_total", "Nodes of the region by state.", labels=["state"]
    )
    for state, count in cluster_metrics.node_counts().items():
        nodes.add_metric([state], count)
    yield nodes
    yield _gauge(
        "rs3gw_cluster_quorum_available",
        "1 when enough nodes can be reached for a quorum write.",
        float(cluster.is_quorum_available()),
    )
    yield _gauge(
        "rs3gw_cluster_quorum_size", "Nodes a majority is counted over.", cluster.quorum_size()
    )


def _replication(stats: replication.ReplicationStats) -> Iterator[Metric]:
    yield _counter(
        "rs3gw_replication_events", "Events delivered to a node or region.", stats.events_replicated
    )
    yield _gauge(
        "rs3gw_replication_lag_seconds",
        "Age of the oldest change that has not arrived, over all lanes.",
        stats.lag.max_seconds,
    )
    yield _gauge(
        "rs3gw_replication_lag_average_seconds",
        "Mean age over all lanes.",
        stats.lag.average_seconds,
    )
    yield _gauge(
        "rs3gw_replication_lag_p95_seconds",
        "Age that 95 % of the lanes do not exceed.",
        stats.lag.p95_seconds,
    )
    yield _gauge(
        "rs3gw_replication_bandwidth_bytes_per_sec",
        "What all lanes copy now.",
        stats.bandwidth_bytes_per_second,
    )
    yield _counter(
        "rs3gw_replication_bytes", "Bytes delivered by all lanes.", replication.delivered_bytes()
    )
    yield _gauge("rs3gw_replication_pending_bytes", "Bytes that wait.", stats.bytes_pending)


def _links(statuses: Sequence[replication.LaneStatus]) -> Iterator[Metric]:
    labels = ["kind", "destination"]
    pending = GaugeMetricFamily(
        "rs3gw_replication_events_pending", "Events that have not arrived.", labels=labels
    )
    parked = GaugeMetricFamily(
        "rs3gw_replication_events_parked", "Events that need a person.", labels=labels
    )
    lag = GaugeMetricFamily(
        "rs3gw_replication_link_lag_seconds", "Age of the oldest waiting event.", labels=labels
    )
    paused = GaugeMetricFamily(
        "rs3gw_replication_link_paused", "1 when a lane of the link is paused.", labels=labels
    )
    for link in link_facts(statuses):
        values = [link.kind, link.destination]
        pending.add_metric(values, link.waiting)
        parked.add_metric(values, link.parked)
        lag.add_metric(values, link.lag_seconds)
        paused.add_metric(values, float(link.lanes_paused > 0))
    yield from (pending, parked, lag, paused)


def _upkeep(statuses: Sequence[replication.LaneStatus]) -> Iterator[Metric]:
    yield _gauge(
        "rs3gw_cluster_evicted", "Members that have to join again.", len(attention.evicted())
    )
    yield _gauge(
        "rs3gw_quarantined_objects",
        "Objects in quarantine that wait for a decision.",
        attention.quarantined(),
    )
    yield _gauge(
        "rs3gw_replication_lanes_resync",
        "Lanes to regions that need a new copy.",
        sum(status.lane.state == "resync" for status in statuses),
    )
    yield _gauge(
        "rs3gw_tombstones",
        "Deletes that are remembered.",
        ObjectVersion.objects.filter(state=ObjectState.TOMBSTONE).count(),
    )
    yield _gauge(
        "rs3gw_tombstones_held",
        "1 when no delete may be forgotten now.",
        float(bool(attention.forgetting_held())),
    )
    removed = CounterMetricFamily(
        "rs3gw_upkeep_removed", "Rows removed because nobody needs them.", labels=["kind"]
    )
    for kind, total in sorted(attention.removed_counts().items()):
        removed.add_metric([kind], total)
    yield removed


def _conflicts() -> Iterator[Metric]:
    counts = replication.conflict_counts() or {DEFAULT_STRATEGY: (0, 0)}
    detected = CounterMetricFamily(
        "rs3gw_conflicts", "Concurrent writes that met here.", labels=["strategy"]
    )
    for strategy, (found, _) in sorted(counts.items()):
        detected.add_metric([strategy], found)
    yield detected
    resolved = sum(done for _, done in counts.values())
    yield _counter("rs3gw_conflicts_resolved", "Conflicts that were resolved.", resolved)


def _flow() -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "rs3gw_breaker_state",
        "0 when a destination is sent to, 1 while it is probed, 2 when it is left alone.",
        labels=["kind", "destination", "traffic"],
    )
    for link, state in sorted(attention.breaker_states().items()):
        states.add_metric(list(link), BREAKER_VALUES[state])
    yield states
    waiting = backlog.current()
    yield _gauge(
        "rs3gw_backlog_age_seconds",
        "Age of the oldest change that a member lacks.",
        waiting.age_seconds,
    )
    yield _gauge(
        "rs3gw_backlog_events", "Changes that the member furthest behind lacks.", waiting.events
    )
