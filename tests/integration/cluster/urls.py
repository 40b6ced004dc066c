"""Only the paths of this app, so that its tests need no other."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/cluster/", include("cluster.api.urls")),
    path("_cluster/", include("cluster.peer.urls")),
]
