"""`/api/cluster/nodes`: who is in the cluster, and the way out of it; for administrators."""

from dataclasses import asdict

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import APIException, NotFound
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cluster import selectors, services
from cluster.api.serializers import (
    LeaveSerializer,
    LeftSerializer,
    NodeDetailSerializer,
    NodeSerializer,
    NodesSerializer,
)
from cluster.core.node import NodeInfo


class Conflict(APIException):
    """The node cannot do that in the state it is in."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class NodesView(APIView):
    """All nodes of the region."""

    permission_classes = (IsAdminUser,)

    @extend_schema(operation_id="cluster_nodes_list", responses=NodesSerializer)
    def get(self, request: Request) -> Response:
        """Return the nodes that have not left, as the answering node knows them."""
        return Response({"nodes": NodeSerializer(selectors.members(), many=True).data})


class NodeView(APIView):
    """One node."""

    permission_classes = (IsAdminUser,)

    @extend_schema(operation_id="cluster_nodes_retrieve", responses=NodeDetailSerializer)
    def get(self, request: Request, node_id: str) -> Response:
        """Return one node and the latest changes of its state."""
        values = {**asdict(_find(node_id)), "transitions": selectors.transitions(node_id)}
        return Response(NodeDetailSerializer(values).data)


class NodeLeaveView(APIView):
    """The way out of the cluster."""

    permission_classes = (IsAdminUser,)

    @extend_schema(
        operation_id="cluster_nodes_leave", request=LeaveSerializer, responses=LeftSerializer
    )
    def post(self, request: Request, node_id: str) -> Response:
        """Let the answering node leave, or remove another one that has failed."""
        wish = LeaveSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        node = _find(node_id)
        try:
            if node.is_self:
                told = services.leave()
            else:
                services.remove(node_id, is_forced=wish.validated_data["is_forced"])
                told = [peer.node_id for peer in selectors.routable() if not peer.is_self]
        except services.ClusterConflict as error:
            raise Conflict(error.message) from None
        return Response(LeftSerializer({"node_id": node_id, "told": told}).data)


def _find(node_id: str) -> NodeInfo:
    node = selectors.member(node_id)
    if node is None:
        raise NotFound(f"No node {node_id} is in the cluster.")
    return node
