"""Paths of the API of replication, with and without a slash at the end."""

from rest_framework.routers import SimpleRouter

from replication.api import views

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
urlpatterns = router.urls
