"""Paths of the API of replication, with and without a slash at the end."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from replication.api import healing, links, views

router = SimpleRouter()
router.trailing_slash = "/?"
router.register("regions", views.RegionViewSet, basename="region")
router.register("rules", views.RuleViewSet, basename="rule")
router.register("lanes", views.LaneViewSet, basename="lane")
router.register("deliveries", views.DeliveryViewSet, basename="delivery")
router.register("events", views.EventViewSet, basename="event")
router.register("comparisons", views.ComparisonViewSet, basename="comparison")
router.register("evictions", views.EvictionViewSet, basename="eviction")
router.register("quarantine", views.QuarantineViewSet, basename="quarantine")
router.register("cluster/healing/jobs", healing.JobViewSet, basename="healing-job")
router.register("cluster/healing/damaged", healing.DamagedViewSet, basename="damaged-body")
urlpatterns = [
    path("cluster/healing", healing.HealingView.as_view(), name="healing"),
    path("cluster/healing/", healing.HealingView.as_view(schema=None)),
    path("cluster/placement", healing.PlacementView.as_view(), name="placement"),
    path("cluster/placement/", healing.PlacementView.as_view(schema=None)),
    path("cluster/links", links.LinksView.as_view(), name="cluster-links"),
    path("cluster/links/", links.LinksView.as_view(schema=None)),
    *router.urls,
]
