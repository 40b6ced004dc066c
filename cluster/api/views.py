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
    LeaveRunSerializer,
    LeaveSerializer,
    LeftSerializer,
    MatrixSerializer,
    NodeDetailSerializer,
    NodeSerializer,
    NodesSerializer,
)
from cluster.core.node import NodeInfo
from cluster.models import LeaveRun
from cluster.services import views


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


class MatrixView(APIView):
    """Who sees whom."""

    permission_classes = (IsAdminUser,)

    @extend_schema(operation_id="cluster_matrix_retrieve", responses=MatrixSerializer)
    def get(self, request: Request) -> Response:
        """Return how each node sees the others, as far as the answering node was told."""
        names, rows = views.matrix()
        one_way = [list(pair) for pair in views.asymmetric(rows)]
        found = {"nodes": names, "views": rows, "one_way": one_way}
        return Response(MatrixSerializer(found).data)


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

    @extend_schema(operation_id="cluster_nodes_leave_retrieve", responses=LeaveRunSerializer)
    def get(self, request: Request, node_id: str) -> Response:
        """Return how far the answering node's latest leave is."""
        return Response(LeaveRunSerializer(_own_run(node_id)).data)

    @extend_schema(
        operation_id="cluster_nodes_leave",
        request=LeaveSerializer,
        responses={200: LeftSerializer, 202: LeaveRunSerializer},
    )
    def post(self, request: Request, node_id: str) -> Response:
        """Let the answering node leave in the background, or remove another one that failed."""
        wish = LeaveSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        node, name = _find(node_id), request.user.get_username()
        try:
            if node.is_self:
                run = services.request_leave(name)
                return Response(LeaveRunSerializer(run).data, status.HTTP_202_ACCEPTED)
            is_forced = wish.validated_data["is_forced"]
            services.remove(node_id, is_forced=is_forced, removed_by=name)
        except services.ClusterConflict as error:
            raise Conflict(error.message) from None
        told = [peer.node_id for peer in selectors.routable() if not peer.is_self]
        return Response(LeftSerializer({"node_id": node_id, "told": told}).data)

    @extend_schema(operation_id="cluster_nodes_leave_cancel", responses=LeaveRunSerializer)
    def delete(self, request: Request, node_id: str) -> Response:
        """Call the answering node's leave off, as long as it has not left."""
        run = _own_run(node_id)
        try:
            is_open = services.cancel_leave()
        except services.ClusterConflict as error:
            raise Conflict(error.message) from None
        if not is_open:
            raise Conflict("No leave is under way.")
        run.refresh_from_db()
        return Response(LeaveRunSerializer(run).data)


def _own_run(node_id: str) -> LeaveRun:
    """Return the latest leave of this node; only a node itself knows how far it is."""
    own = selectors.self_info()
    if node_id != own.node_id:
        raise NotFound(f"Ask {node_id} itself; this is {own.node_id}.")
    run = services.latest_run()
    if run is None:
        raise NotFound(f"{node_id} was never told to leave.")
    return run


def _find(node_id: str) -> NodeInfo:
    node = selectors.member(node_id)
    if node is None:
        raise NotFound(f"No node {node_id} is in the cluster.")
    return node
