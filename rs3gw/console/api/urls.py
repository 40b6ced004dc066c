"""Paths of the console's API, with and without a slash at the end."""

from django.urls import path, re_path
from rest_framework.routers import SimpleRouter

from rs3gw.console.api import access, buckets, cluster

router = SimpleRouter()
router.trailing_slash = "/?"
router.register("buckets", buckets.BucketViewSet, basename="bucket")
urlpatterns = [
    path("cluster/status", cluster.StatusView.as_view(), name="cluster-status"),
    path("cluster/status/", cluster.StatusView.as_view(schema=None)),
    path("cluster/replication", cluster.ReplicationView.as_view(), name="cluster-replication"),
    path("cluster/replication/", cluster.ReplicationView.as_view(schema=None)),
    re_path(r"^token/?$", access.TokenView.as_view(), name="api-token"),
    path("schema/", access.SchemaView.as_view(), name="api-schema"),
    path("docs/", access.docs, name="api-docs"),
    *router.urls,
]
