"""Paths of the cluster port: signed requests of other nodes, and nothing else."""

from django.urls import include, path

urlpatterns = [
    path("_cluster/", include("cluster.peer.urls")),
    path("_cluster/", include("replication.peer.urls")),
]
