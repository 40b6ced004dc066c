"""Paths of the API of access keys, with and without a slash at the end."""

from rest_framework.routers import SimpleRouter

from rs3gw.s3.api.views import AccessKeyViewSet

router = SimpleRouter()
router.trailing_slash = "/?"
router.register("access-keys", AccessKeyViewSet, basename="access-key")
urlpatterns = router.urls
