"""Paths of the API of replication, with and without a slash at the end."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from replication.api import links, views

router = SimpleRouter()
router.trailing_slash = "/?"
router.register("regions", views.RegionViewSet, basename="region")
router.register("rules", views.RuleViewSet, basename="rule")
router.register("lanes", views.LaneViewSet, basename="lane")
router.register("deliveries", views.DeliveryViewSet, basename="delivery")
router.register("events", views.EventViewSet, basename="event")
urlpatterns = [
    path("cluster/links", links.LinksView.as_view(), name="cluster-links"),
    path("cluster/links/", links.LinksView.as_view(schema=None)),
    *router.urls,
]
