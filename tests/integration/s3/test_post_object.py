"""Browser forms against a real node."""

import base64
import hashlib
import hmac
import json
import uuid
from datetime import UTC, datetime, timedelta

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
    ],
)
def test_a_form_that_was_tampered_with_stores_nothing(node, s3, bucket, change, code):
    answer = post(f"{node.url}/{bucket}", old_form(bucket) | change)
    assert f"<Code>{code}</Code>" in answer.text
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


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
