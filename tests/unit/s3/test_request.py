"""The target of a request as it was sent."""

import pytest
from django.test import RequestFactory

from rs3gw.s3.request import S3Request


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/b/a%2Fb?x=1", "/b/a%2Fb", "x=1"),
        ("/b//a://c", "/b//a://c", ""),
        ("/a://c", "/a://c", ""),
        ("http://host:1/b/k?x=/", "/b/k", "x=/"),
        ("HTTPS://host/b", "/b", ""),
        ("http://host", "/", ""),
        ("http://host?x", "/", "x"),
        ("*", "/", ""),
    ],
)
def test_a_whole_url_is_taken_for_its_path_and_a_path_for_itself(target, path, query):
    request = S3Request.of(RequestFactory().get("/", RAW_URI=target))
    assert (request.raw_path, request.raw_query) == (path, query)
