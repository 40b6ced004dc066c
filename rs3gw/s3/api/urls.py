"""Paths of the API of users, access keys and objects, with and without a slash at the end."""

from django.urls import re_path
from rest_framework.routers import SimpleRouter

from rs3gw.s3.api import objects
from rs3gw.s3.api.users import S3UserViewSet
from rs3gw.s3.api.views import AccessKeyViewSet

router = SimpleRouter()
router.trailing_slash = "/?"
router.register("access-keys", AccessKeyViewSet, basename="access-key")
router.register("s3-users", S3UserViewSet, basename="s3-user")
_BUCKET = r"^buckets/(?P<name>[^/]+)"
urlpatterns = [
    *router.urls,
    re_path(rf"{_BUCKET}/versions/?$", objects.VersionsView.as_view()),
    re_path(rf"{_BUCKET}/object/?$", objects.ObjectView.as_view()),
    re_path(rf"{_BUCKET}/object/content/?$", objects.ContentView.as_view()),
    re_path(rf"{_BUCKET}/object/tags/?$", objects.TagsView.as_view()),
    re_path(rf"{_BUCKET}/presign/?$", objects.PresignView.as_view()),
]
