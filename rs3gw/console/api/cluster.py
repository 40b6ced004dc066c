"""The state of the cluster and of replication, as monitoring reads it."""

from typing import TYPE_CHECKING, Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cluster import selectors as cluster
from cluster.conf import cluster_id, is_enabled
from replication import selectors as replication
from replication.api.serializers import LaneSerializer

if TYPE_CHECKING:
    Serializer = serializers.Serializer[Any]
else:
    Serializer = serializers.Serializer


class HealthSerializer(Serializer):
    """Counts over the nodes that have not left."""

    total_nodes = serializers.IntegerField()
    healthy_nodes = serializers.IntegerField()
    failed_nodes = serializers.IntegerField()


class StatusSerializer(Serializer):
    """How this node sees its region."""

    cluster_id = serializers.CharField()
    node_id = serializers.CharField()
    region = serializers.CharField()
    version = serializers.CharField()
    state = serializers.CharField(help_text="Of this node.")
    enabled = serializers.BooleanField(help_text="Whether clustering is on.")
    mode = serializers.ChoiceField(choices=["sync", "async", "quorum"])
    replication_factor = serializers.IntegerField()
    health = HealthSerializer()
    quorum_available = serializers.BooleanField()
    quorum_size = serializers.IntegerField(help_text="Nodes that a majority is counted over.")


class StatsSerializer(Serializer):
    """Sums over all lanes of this node."""

    events_replicated = serializers.IntegerField()
    events_pending = serializers.IntegerField()
    events_retrying = serializers.IntegerField()
    events_parked = serializers.IntegerField()
    bytes_pending = serializers.IntegerField()
    bandwidth_bytes_per_sec = serializers.FloatField()


class LagSerializer(Serializer):
    """Ages of the oldest waiting change over all lanes, in seconds."""

    average = serializers.FloatField()
    max = serializers.FloatField()
    p95 = serializers.FloatField()


class ReplicationSerializer(Serializer):
    """What has been replicated from this node, and what waits."""

    stats = StatsSerializer()
    lag = LagSerializer()
    lanes = LaneSerializer(many=True)
    frontiers = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Per writer, up to which of its changes this node has applied all.",
    )


class StatusView(APIView):
    """The region as this node sees it."""

    @extend_schema(responses=StatusSerializer, operation_id="cluster_status")
    def get(self, request: Request) -> Response:
        """Return the state of this node's region."""
        own, health = cluster.self_info(), cluster.health()
        return Response(
            {
                "cluster_id": cluster_id(),
                "node_id": own.node_id,
                "region": settings.RS3GW_REGION,
                "version": settings.RS3GW_VERSION,
                "state": own.state.value,
                "enabled": is_enabled(),
                "mode": settings.RS3GW_REPLICATION_MODE,
                "replication_factor": settings.RS3GW_REPLICATION_FACTOR,
                "health": {
                    "total_nodes": health.total_nodes,
                    "healthy_nodes": health.healthy_nodes,
                    "failed_nodes": health.failed_nodes,
                },
                "quorum_available": cluster.is_quorum_available(),
                "quorum_size": cluster.quorum_size(),
            }
        )


class ReplicationView(APIView):
    """What this node sends to others."""

    @extend_schema(responses=ReplicationSerializer, operation_id="cluster_replication")
    def get(self, request: Request) -> Response:
        """Return counts, lag and lanes of this node."""
        statuses = replication.lanes_overview()
        stats = replication.summarise(statuses)
        lanes = LaneSerializer(
            [status.lane for status in statuses],
            many=True,
            context={"statuses": {status.lane.pk: status for status in statuses}},
        )
        return Response(
            {
                "stats": {
                    "events_replicated": stats.events_replicated,
                    "events_pending": stats.events_pending,
                    "events_retrying": stats.events_retrying,
                    "events_parked": stats.events_parked,
                    "bytes_pending": stats.bytes_pending,
                    "bandwidth_bytes_per_sec": stats.bandwidth_bytes_per_second,
                },
                "lag": {
                    "average": stats.lag.average_seconds,
                    "max": stats.lag.max_seconds,
                    "p95": stats.lag.p95_seconds,
                },
                "lanes": lanes.data,
                "frontiers": {str(actor): seq for actor, seq in replication.frontiers().items()},
            }
        )
