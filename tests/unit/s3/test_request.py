"""The target of a request as it was sent."""

import pytest
from django.test import RequestFactory

from rs3gw.s3.request import UNDERSCORED, S3Request


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


def test_only_metadata_may_have_an_underscore_in_its_name():
    others = {"x-amz-meta-a_b": "1", "x-amz_acl": "public-read", "content_length": "5"}
    request = S3Request.of(RequestFactory().get("/", **{UNDERSCORED: others}))
    assert {name: request.headers.get(name) for name in others} == {
        "x-amz-meta-a_b": "1",
        "x-amz_acl": None,
        "content_length": None,
    }
