"""Every path of the S3 plane is one view; the route is S3's own."""

from django.urls import re_path

from rs3gw.s3.views import endpoint

urlpatterns = [re_path(r"^.*$", endpoint)]
