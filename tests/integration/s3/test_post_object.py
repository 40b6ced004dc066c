"""Browser forms against a real node."""

import base64
import hashlib
import hmac
import json
import uuid
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
import requests
from botocore.exceptions import ClientError

from tests.integration.s3.conftest import ACCESS_KEY, SECRET_KEY

BODY = b"posted \x00\xff\r\n--bytes"


def post(url, fields, body=BODY, filename="f.bin"):
    return requests.post(
        url, data=fields, files={"file": (filename, body)}, timeout=10, allow_redirects=False
    )


def old_form(bucket, *conditions, minutes=5, secret=SECRET_KEY, **fields):
    """Return the fields of a form in the older signature."""
    until = datetime.now(UTC) + timedelta(minutes=minutes)
    document = {
        "expiration": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "conditions": [{"bucket": bucket}, ["starts-with", "$key", ""], *conditions],
    }
    policy = base64.b64encode(json.dumps(document).encode())
    signature = hmac.new(secret.encode(), policy, hashlib.sha1).digest()
    return {
        "key": "posted",
        **fields,
        "AWSAccessKeyId": ACCESS_KEY,
        "policy": policy.decode(),
        "signature": base64.b64encode(signature).decode(),
    }


def is_there(s3, bucket, key="posted"):
    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read() == BODY
    except ClientError:
        return False


def test_a_form_of_boto3_stores_an_object(s3, bucket):
    made = s3.generate_presigned_post(
        bucket,
        "dir/${filename}",
        Fields={"x-amz-meta-color": "blå", "Content-Type": "text/x", "acl": "private"},
        Conditions=[
            {"x-amz-meta-color": "blå"},
            {"Content-Type": "text/x"},
            {"acl": "private"},
            ["content-length-range", 1, 1000],
        ],
    )
    answer = post(made["url"], made["fields"])
    assert answer.status_code == 204, answer.text
    found = s3.get_object(Bucket=bucket, Key="dir/f.bin")
    assert found["Body"].read() == BODY
    assert found["ContentType"] == "text/x"
    assert answer.headers["ETag"] == found["ETag"]


def test_a_form_of_the_older_signature_stores_an_object(node, s3, bucket):
    answer = post(f"{node.url}/{bucket}", old_form(bucket))
    assert answer.status_code == 204, answer.text
    assert is_there(s3, bucket)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"signature": "AAAA"}, "SignatureDoesNotMatch"),
        ({"AWSAccessKeyId": "NOBODY"}, "InvalidAccessKeyId"),
        ({"x-amz-meta-extra": "1"}, "AccessDenied"),
        ({"key": ""}, "InvalidArgument"),
        ({"policy": "e30="}, "SignatureDoesNotMatch"),
        ({"signature": "é"}, "SignatureDoesNotMatch"),
        ({"AWSAccessKeyId": ""}, "InvalidAccessKeyId"),
        ({"AWSAccessKeyId": "a\x00é"}, "InvalidAccessKeyId"),
        ({"policy": None}, "InvalidArgument"),
        ({"signature": None}, "InvalidArgument"),
    ],
)
def test_a_form_that_was_tampered_with_stores_nothing(node, s3, bucket, change, code):
    answer = post(f"{node.url}/{bucket}", old_form(bucket) | change)
    assert f"<Code>{code}</Code>" in answer.text
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def new_form(s3, bucket, **fields):
    """Return the URL and the fields of a form in version 4 of the signature."""
    conditions = [{name: value} for name, value in fields.items()]
    made = s3.generate_presigned_post(bucket, "posted", Fields=fields, Conditions=conditions)
    return made["url"], made["fields"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"x-amz-signature": "0" * 64}, "SignatureDoesNotMatch"),
        ({"x-amz-signature": "é"}, "InvalidArgument"),
        ({"x-amz-signature": None}, "InvalidArgument"),
        ({"x-amz-algorithm": "AWS4-HMAC-SHA512"}, "InvalidArgument"),
        ({"x-amz-credential": f"{ACCESS_KEY}/20200101/us-east-1/s3/aws4_request"}, "Signature"),
        ({"x-amz-credential": f"{ACCESS_KEY}/20200101/mars/s3/aws4_request"}, "Authorization"),
        ({"x-amz-credential": "\x00"}, "Authorization"),
        ({"x-amz-date": "20200101T000000Z"}, "AccessDenied"),
        ({"key": "other"}, "AccessDenied"),
        ({"policy": "e30="}, "SignatureDoesNotMatch"),
        ({"content-type": "text/html"}, "AccessDenied"),
    ],
)
def test_a_form_of_version_4_that_was_tampered_with_stores_nothing(s3, bucket, change, code):
    url, fields = new_form(s3, bucket, acl="private")
    assert post(url, fields | change).status_code in (400, 403)
    assert f"<Code>{code}" in post(url, fields | change).text
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    assert post(url, fields).status_code == 204


def test_a_policy_is_held_against_the_key_that_is_stored(node, s3, bucket):
    fields = old_form(bucket, ["starts-with", "$key", "f."], key="${filename}")
    assert post(f"{node.url}/{bucket}", fields).status_code == 204
    assert is_there(s3, bucket, "f.bin")
    assert post(f"{node.url}/{bucket}", fields, filename="g.bin").status_code == 403


def test_the_type_of_an_object_is_the_field_that_the_policy_allows(s3, bucket):
    url, fields = new_form(s3, bucket)
    part = {"file": ("x.html", BODY, "text/html")}
    assert requests.post(url, data=fields, files=part, timeout=10).status_code == 204
    assert s3.head_object(Bucket=bucket, Key="posted")["ContentType"] == "binary/octet-stream"


def test_a_name_that_is_no_header_is_refused(node, s3, bucket):
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    for name in ("x-amz-meta-a b", "x-amz-meta-é", "x-amz-meta-a:b", "x-amz-meta-" + "a" * 300):
        answer = post(f"{node.url}/{bucket}", {"key": "posted", name: "1"})
        assert answer.status_code == 400, name
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("target", ["http://[bad", "javascript:alert(1)", "/x", "https://", ""])
def test_a_redirect_to_no_url_is_ignored(node, s3, bucket, target):
    condition = ["starts-with", "$success_action_redirect", ""]
    form = old_form(bucket, condition, success_action_redirect=target)
    assert post(f"{node.url}/{bucket}", form).status_code == 204
    assert is_there(s3, bucket)


def test_a_redirect_is_sent_as_ascii(node, s3, bucket):
    condition = ["starts-with", "$success_action_redirect", ""]
    form = old_form(bucket, condition, success_action_redirect="http://h/ü\r\nX: y?a=1#end")
    location = post(f"{node.url}/{bucket}", form).headers["Location"]
    assert location.startswith("http://h/%C3%BC") and location.endswith("#end")
    assert "?a=1&bucket=" in location


def test_a_bucket_in_the_host_name_is_not_in_the_path_of_the_location(node, s3, bucket):
    form = old_form(bucket, {"success_action_status": "201"}, success_action_status="201")
    host = f"{bucket}.s3.localhost:{node.port}"
    answer = requests.post(
        node.url, data=form, files={"file": BODY}, headers={"Host": host}, timeout=10
    )
    assert answer.status_code == 201, answer.text
    root = ElementTree.fromstring(answer.content)
    assert root.tag == "PostResponse"
    assert [child.text for child in root[:3]] == [f"http://{host}/posted", bucket, "posted"]
    assert is_there(s3, bucket)


def test_an_expired_form_is_refused(node, s3, bucket):
    answer = post(f"{node.url}/{bucket}", old_form(bucket, minutes=-1))
    assert answer.status_code == 403 and not is_there(s3, bucket)


@pytest.mark.parametrize(("low", "high", "status"), [(0, 5, 400), (100, 200, 400), (0, 50, 204)])
def test_the_size_of_the_file_is_held(node, s3, bucket, low, high, status):
    form = old_form(bucket, ["content-length-range", low, high])
    assert post(f"{node.url}/{bucket}", form).status_code == status
    assert is_there(s3, bucket) is (status == 204)


def test_the_answer_is_the_one_that_was_asked_for(node, s3, bucket):
    any_status = ["starts-with", "$success_action_status", ""]
    form = old_form(bucket, any_status, success_action_status="201")
    answer = post(f"{node.url}/{bucket}", form)
    assert answer.status_code == 201 and "<Key>posted</Key>" in answer.text
    form = old_form(bucket, any_status, success_action_status="404")
    assert post(f"{node.url}/{bucket}", form).status_code == 204
    target = "https://example.com/done?x=1"
    condition = ["eq", "$success_action_redirect", target]
    form = old_form(bucket, condition, success_action_redirect=target)
    answer = post(f"{node.url}/{bucket}", form)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(f"{target}&bucket={bucket}&key=posted&etag=%22")


def test_a_form_without_policy_is_anonymous(node, s3, bucket):
    assert post(f"{node.url}/{bucket}", {"key": "posted"}).status_code == 403
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    assert post(f"{node.url}/{bucket}", {"key": "posted"}).status_code == 204
    assert is_there(s3, bucket)


def test_tags_and_checksums_stand_in_fields(node, s3, bucket):
    tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"
    digest = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    conditions = (["starts-with", "$tagging", ""], ["starts-with", "$x-amz-checksum-sha256", ""])
    more = {"tagging": tags, "x-amz-checksum-sha256": digest}
    assert post(f"{node.url}/{bucket}", old_form(bucket, *conditions, **more)).status_code == 204
    found = s3.get_object_tagging(Bucket=bucket, Key="posted")["TagSet"]
    assert found == [{"Key": "a", "Value": "1"}]
    more["x-amz-checksum-sha256"] = base64.b64encode(bytes(32)).decode()
    answer = post(f"{node.url}/{bucket}", old_form(bucket, *conditions, **more))
    assert "<Code>BadDigest</Code>" in answer.text


def test_a_chunked_body_is_read_too(node, s3, bucket):
    boundary = uuid.uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in old_form(bucket).items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"\r\n\r\n'.encode()
    body = [*parts, head, BODY, f"\r\n--{boundary}--\r\n".encode()]
    answer = requests.post(
        f"{node.url}/{bucket}",
        data=iter(body),
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
        timeout=10,
    )
    assert answer.status_code == 204, answer.text
    assert is_there(s3, bucket)


def test_a_post_without_a_form_is_refused(node, bucket):
    answer = requests.post(f"{node.url}/{bucket}", data=b"x", timeout=10)
    assert answer.status_code == 412 and "<Code>PreconditionFailed</Code>" in answer.text
