"""What a node accepts as signed, and what it says of what it does not."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests

from tests.integration.s3.conftest import ACCESS_KEY, SECRET_KEY
from tests.integration.s3.signing import Signed, send, sha256

BODY = b"x" * 100


def put(node, bucket, body=BODY, **options):
    return send(node, Signed(f"/{bucket}/k", **options).sign(), body)


def nothing_is_stored(s3, bucket):
    return "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_signed_request_is_accepted_in_every_form(node, s3, bucket):
    assert put(node, bucket).status == 200
    assert put(node, bucket, payload=sha256(BODY)).status == 200
    assert put(node, bucket, expires="60").status == 200
    as_parameter = {"X-Amz-Content-Sha256": sha256(BODY)}
    assert put(node, bucket, expires="60", payload=sha256(BODY), query=as_parameter).status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == BODY


def test_metadata_may_have_an_underscore(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Metadata={"a_b": "1", "a-b": "2"})
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == {"a_b": "1", "a-b": "2"}


@pytest.mark.parametrize("is_basic", [True, False])
def test_the_date_may_stand_in_the_date_header(node, bucket, is_basic):
    now = datetime.now(UTC)
    date = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {"date": date if is_basic else format_datetime(now, usegmt=True)}
    request = Signed(f"/{bucket}/k", date=date, headers=headers, unsigned_headers=("x-amz-date",))
    request.sign()
    del request.headers["x-amz-date"]
    assert send(node, request, BODY).status == 200


@pytest.mark.parametrize("body", [b"", b"y" * 100])
def test_a_body_that_is_not_the_signed_one_is_refused(node, s3, bucket, body):
    answer = put(node, bucket, body, payload=sha256(BODY))
    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")
    as_parameter = {"X-Amz-Content-Sha256": sha256(BODY)}
    answer = put(node, bucket, body, expires="60", payload=sha256(BODY), query=as_parameter)
    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")
    assert nothing_is_stored(s3, bucket)


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"payload": "sha256"}, 400, "InvalidArgument"),
        ({"payload": "STREAMING-OTHER"}, 400, "InvalidArgument"),
        ({"payload": "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"}, 501, "NotImplemented"),
        ({"access_key": ""}, 403, "InvalidAccessKeyId"),
        ({"access_key": "NOBODY"}, 403, "InvalidAccessKeyId"),
        ({"access_key": "é"}, 403, "InvalidAccessKeyId"),
        ({"secret": "guessed"}, 403, "SignatureDoesNotMatch"),
        ({"region": "mars"}, 400, "AuthorizationHeaderMalformed"),
        ({"region": "m m"}, 400, "AuthorizationHeaderMalformed"),
        ({"service": "ec2"}, 400, "AuthorizationHeaderMalformed"),
        ({"date": "20200101T000000Z"}, 403, "RequestTimeTooSkewed"),
        ({"date": "yesterday"}, 403, "AccessDenied"),
        ({"absent_headers": ("x-amz-acl",)}, 403, "SignatureDoesNotMatch"),
        ({"headers": {"x-amz-acl": "private"}, "unsigned_headers": ("x-amz-acl",)}, 403, "Access"),
        ({"unsigned_headers": ("host",)}, 400, "AuthorizationHeaderMalformed"),
        ({"expires": "0"}, 403, "AccessDenied"),
        ({"expires": "604801"}, 400, "AuthorizationQueryParametersError"),
        ({"expires": "-1"}, 400, "AuthorizationQueryParametersError"),
        ({"expires": "²"}, 400, "AuthorizationQueryParametersError"),
        ({"expires": "9" * 5000}, 400, "AuthorizationQueryParametersError"),
        ({"expires": "60", "date": "20200101T000000Z"}, 403, "AccessDenied"),
        ({"expires": "60", "date": "today"}, 400, "AuthorizationQueryParametersError"),
        ({"expires": "60", "region": "mars"}, 400, "AuthorizationQueryParametersError"),
        ({"expires": "60", "region": "m\x01"}, 400, "AuthorizationQueryParametersError"),
        ({"expires": "60", "secret": "guessed"}, 403, "SignatureDoesNotMatch"),
        ({"expires": "60", "access_key": "\udcff"}, 403, "InvalidAccessKeyId"),
        ({"expires": "60", "access_key": "\x00"}, 403, "InvalidAccessKeyId"),
    ],
)
def test_what_is_signed_wrongly_is_refused_by_name(node, s3, bucket, options, status, code):
    answer = put(node, bucket, **options)
    assert answer.status == status
    assert answer.code.startswith(code)
    assert nothing_is_stored(s3, bucket)


def test_the_right_region_is_named(node, bucket):
    answer = put(node, bucket, region="mars")
    assert answer.element("Region") == "us-east-1"
    assert "the region 'mars' is wrong; expecting 'us-east-1'" in answer.element("Message")


def test_headers_that_are_not_signed_are_named(node, bucket):
    request = Signed(f"/{bucket}/k").sign()
    request.headers["x-amz-meta-later"] = "1"
    answer = send(node, request, BODY)
    assert answer.code == "AccessDenied"
    assert answer.element("HeadersNotSigned") == "x-amz-meta-later"


@pytest.mark.parametrize("change", ["path", "method", "query", "header", "host", "signature"])
@pytest.mark.parametrize("expires", [None, "60"])
def test_a_request_that_was_changed_is_refused(node, s3, bucket, change, expires):
    request = Signed(f"/{bucket}/k", headers={"x-amz-meta-a": "1"}, expires=expires).sign()
    if change == "path":
        request.path += "x"
    elif change == "method":
        request.method = "POST"
        request.query["uploads"] = ""
    elif change == "query":
        request.query["x-id"] = "PutObject"
    elif change == "header":
        request.headers["x-amz-meta-a"] = "2"
    elif change == "host":
        request.headers["host"] = "localhost"
    elif expires:
        request.query["X-Amz-Signature"] = "0" * 64
    else:
        request.headers["authorization"] = request.headers["authorization"][:-1] + "g"
    answer = send(node, request, BODY)
    assert answer.code in ("SignatureDoesNotMatch", "AuthorizationHeaderMalformed")
    assert nothing_is_stored(s3, bucket)


def test_what_was_signed_is_told_but_no_secret(node, bucket):
    key = "x-amz-server-side-encryption-customer-key"
    answer = put(node, bucket, secret="guessed")
    assert answer.element("AWSAccessKeyId") == ACCESS_KEY
    assert answer.element("StringToSign").startswith("AWS4-HMAC-SHA256\n")
    assert answer.element("CanonicalRequest").startswith(f"PUT\n/{bucket}/k\n")
    assert SECRET_KEY.encode() not in answer.body
    answer = put(node, bucket, secret="guessed", headers={key: "the-clients-own"})
    assert answer.element("CanonicalRequest") is None
    assert b"the-clients-own" not in answer.body


@pytest.mark.parametrize("value", ["Basic dTpw", "Bearer token", "AWS5 x", "AWS4"])
def test_other_authorisations_are_refused(node, bucket, value):
    headers = {"host": "h", "authorization": value}
    answer = send(node, Signed(f"/{bucket}/k", headers=headers), BODY)
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_signatures_of_elliptic_curves_are_refused_by_name(node, bucket):
    request = Signed(f"/{bucket}/k").sign()
    request.headers["authorization"] = "AWS4-ECDSA-P256-SHA256 Credential=x"
    answer = send(node, request, BODY)
    assert (answer.status, answer.code) == (501, "NotImplemented")


def test_only_one_signature_may_be_given(node, bucket):
    request = Signed(f"/{bucket}/k", expires="60").sign()
    request.headers["authorization"] = Signed(f"/{bucket}/k").sign().headers["authorization"]
    assert send(node, request, BODY).code == "InvalidArgument"


def test_a_request_without_a_date_is_refused(node, bucket):
    request = Signed(f"/{bucket}/k").sign()
    del request.headers["x-amz-date"]
    answer = send(node, request, BODY)
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert "valid Date" in answer.element("Message")


def test_a_request_that_says_nothing_of_its_body_is_refused(node, bucket):
    request = Signed(f"/{bucket}/k").sign()
    del request.headers["x-amz-content-sha256"]
    assert send(node, request, BODY).code in ("InvalidRequest", "SignatureDoesNotMatch")


def test_an_anonymous_request_is_nobodys_and_may_not_sign_its_chunks(node, s3, bucket):
    url = f"{node.url}/{bucket}/k"
    assert requests.put(url, data=BODY, timeout=10).status_code == 403
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    kind = {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}
    answer = requests.put(url, data=BODY, headers=kind, timeout=10)
    assert answer.status_code == 403 and "<Code>AccessDenied<" in answer.text
    assert requests.put(url, data=BODY, headers={"x-amz-content-sha256": "?"}, timeout=10).text
    assert nothing_is_stored(s3, bucket)
    assert requests.put(url, data=BODY, timeout=10).status_code == 200


def test_a_url_ends_with_its_life(node, bucket):
    past = datetime.now(UTC) - timedelta(seconds=90)
    date = past.strftime("%Y%m%dT%H%M%SZ")
    assert put(node, bucket, expires="600", date=date).status == 200
    assert put(node, bucket, expires="89", date=date).code == "AccessDenied"
