"""Paths of the control plane on the S3 port. Everything else on that port is S3."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from cluster.api import views as cluster_api
from rs3gw.console import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("api/cluster/", include("cluster.api.urls")),
    # The same with a slash at the end; the description names each path once.
    path("api/cluster/nodes/", cluster_api.NodesView.as_view(schema=None)),
    path("api/cluster/nodes/<str:node_id>/", cluster_api.NodeView.as_view(schema=None)),
    path("api/cluster/nodes/<str:node_id>/leave/", cluster_api.NodeLeaveView.as_view(schema=None)),
    path("api/", include("rs3gw.console.api.urls")),
    path("api/", include("replication.api.urls")),
    path("api/", include("rs3gw.s3.api.urls")),
    re_path(r"^api/?$", RedirectView.as_view(pattern_name="api-docs")),
    re_path(r"^metrics/?$", views.MetricsView.as_view(), name="metrics"),
    re_path(r"^healthz/live/?$", views.live, name="live"),
    re_path(r"^healthz/ready/?$", views.ready, name="ready"),
]
