"""Who needs a place on the S3 port, and what those hear who get none."""

import pytest

from rs3gw.server.app import is_s3_request
from rs3gw.server.protocol import Request

SIGNED = [(b"Authorization", b"AWS4-HMAC-SHA256 Credential=a")]


@pytest.mark.parametrize(
    ("target", "headers", "expected"),
    [
        (b"/photos/a.jpg", [], True),
        (b"/", [], True),
        (b"/administrators/a", [], True),
        (b"/admin/login?next=/", [], False),
        (b"/healthz/ready", [], False),
        (b"/metrics", [], False),
        (b"/a%70i/cluster/status", [], False),
        (b"/admin/a", SIGNED, True),
    ],
)
def test_only_requests_of_s3_need_a_place(target, headers, expected):
    assert is_s3_request(Request(target=target, headers=headers)) is expected
