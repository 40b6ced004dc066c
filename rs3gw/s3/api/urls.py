"""Paths of the API of users and access keys, with and without a slash at the end."""

from rest_framework.routers import SimpleRouter

from rs3gw.s3.api.users import S3UserViewSet
from rs3gw.s3.api.views import AccessKeyViewSet

router = SimpleRouter()
router.trailing_slash = "/?"
router.register("access-keys", AccessKeyViewSet, basename="access-key")
router.register("s3-users", S3UserViewSet, basename="s3-user")
urlpatterns = router.urls
