"""How a node is written as JSON, with the field names of the specification."""

from typing import Any

from rest_framework import serializers

from cluster.core.node import Liveness, NodeState
from cluster.models import LeaveRun, NodeTransition, PeerView


class NodeSerializer(serializers.Serializer[Any]):
    """One node as this node knows it."""

    node_id = serializers.CharField(help_text="Unique name in the region.")
    address = serializers.CharField(help_text="host:port of its cluster port.")
    state = serializers.ChoiceField(choices=[s.value for s in NodeState])
    last_seen = serializers.DateTimeField(help_text="When this node last heard from it.")
    version = serializers.CharField()
    metadata = serializers.DictField(child=serializers.CharField())
    region = serializers.CharField()
    liveness = serializers.ChoiceField(choices=[s.value for s in Liveness])
    is_member = serializers.BooleanField(help_text="Whether it counts for a majority.")
    incarnation = serializers.IntegerField(help_text="Raised with every change of its record.")
    s3_url = serializers.CharField()
    admin_url = serializers.CharField()
    is_self = serializers.BooleanField(help_text="Whether it is the node that answers.")


class TransitionSerializer(serializers.ModelSerializer[NodeTransition]):
    """One change of a node's state."""

    class Meta:
        model = NodeTransition
        fields = ["old", "new", "incarnation", "reason", "created_at"]


class NodeDetailSerializer(NodeSerializer):
    """One node with the latest changes of its state."""

    transitions = TransitionSerializer(many=True)


class NodesSerializer(serializers.Serializer[object]):
    """All nodes that have not left."""

    nodes = NodeSerializer(many=True)


class PeerViewSerializer(serializers.ModelSerializer[PeerView]):
    """How one node sees another."""

    class Meta:
        model = PeerView
        fields = ["observer", "node_id", "liveness", "reaches", "rtt_ms", "since", "told_at"]


class MatrixSerializer(serializers.Serializer[object]):
    """Who sees whom."""

    nodes = serializers.ListField(child=serializers.CharField())
    views = PeerViewSerializer(many=True)
    one_way = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField()),
        help_text="Pairs [a, b]: a reaches b, and b does not reach a.",
    )


class LeaveSerializer(serializers.Serializer[object]):
    """What to do with a node that leaves."""

    is_forced = serializers.BooleanField(
        default=False,
        help_text="Remove a failed node also while no majority of the members can be reached.",
    )


class LeftSerializer(serializers.Serializer[object]):
    """The outcome of a leave."""

    node_id = serializers.CharField()
    told = serializers.ListField(child=serializers.CharField(), help_text="Nodes that know it.")


class LeaveRunSerializer(serializers.ModelSerializer[LeaveRun]):
    """A leave and how far it is."""

    class Meta:
        model = LeaveRun
        fields = [
            "state",
            "step",
            "done",
            "total",
            "rate_per_second",
            "is_cancelled",
            "error",
            "told",
            "requested_by",
            "created_at",
            "updated_at",
            "finished_at",
        ]
