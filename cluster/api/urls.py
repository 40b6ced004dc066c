"""Paths under `/api/cluster/` that concern the membership."""

from django.urls import path

from cluster.api.views import MatrixView, NodeLeaveView, NodesView, NodeView

urlpatterns = [
    path("matrix", MatrixView.as_view(), name="cluster-matrix"),
    path("nodes", NodesView.as_view(), name="cluster-nodes"),
    path("nodes/<str:node_id>", NodeView.as_view(), name="cluster-node"),
    path("nodes/<str:node_id>/leave", NodeLeaveView.as_view(), name="cluster-node-leave"),
]
