"""Who may do what: accounts, users, anonymous requests, policies and access lists."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.integration.s3.conftest import ROOT


def code_of(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def create_user(node, user_id, *more):
    env = os.environ | {"RS3GW_DATA_DIR": str(node.directory)}
    words = ["--id", user_id, "--display-name", user_id.title(), "--json", *more]
    command = [sys.executable, str(ROOT / "manage.py"), "create_user", *words]
    done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def client(node, made):
    return boto3.client(
        "s3",
        endpoint_url=node.url,
        aws_access_key_id=made["access_key"],
        aws_secret_access_key=made["secret_key"],
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
    )


@pytest.fixture(scope="module")
def other(node):
    """Another account."""
    return client(node, create_user(node, "other", "--email", "other@example.com"))


@pytest.fixture(scope="module")
def member(node):
    """A user of the first account, without a policy of its own."""
    return client(
        node, create_user(node, "member", "--email", "m@example.com", "--account", "root")
    )


def anonymous(node, path, method="GET", data=None):
    request = urllib.request.Request(f"{node.url}/{path}", method=method, data=data)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def allow(bucket, action, principal="*", **more):
    statement = {
        "Effect": "Allow",
        "Principal": principal,
        "Action": action,
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        **more,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def test_another_account_has_buckets_of_its_own(s3, other, bucket):
    other.create_bucket(Bucket="others-own")
    assert [b["Name"] for b in other.list_buckets()["Buckets"]] == ["others-own"]
    assert other.list_buckets()["Owner"] == {"ID": "other", "DisplayName": "Other"}
    assert code_of(other.create_bucket, Bucket=bucket) == "BucketAlreadyExists"
    assert code_of(other.list_objects_v2, Bucket=bucket) == "AccessDenied"
    assert code_of(s3.delete_bucket, Bucket="others-own") == "AccessDenied"
    other.delete_bucket(Bucket="others-own")


def test_anonymous_requests_are_refused_until_a_list_allows_them(node, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"text")
    assert anonymous(node, f"{bucket}/k")[0] == 403
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    assert anonymous(node, f"{bucket}/k") == (200, b"text")
    assert anonymous(node, bucket)[0] == 403
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    assert anonymous(node, bucket)[0] == 200
    assert anonymous(node, f"{bucket}/new", "PUT", b"by nobody")[0] == 200
    assert s3.get_object(Bucket=bucket, Key="new")["Body"].read() == b"by nobody"


def test_public_lists_can_be_ignored(node, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"text", ACL="public-read")
    block = {"IgnorePublicAcls": True}
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    assert anonymous(node, f"{bucket}/k")[0] == 403


def test_a_policy_opens_a_bucket_to_another_account(s3, other, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"text")
    policy = allow(bucket, "s3:GetObject", {"AWS": "arn:aws:iam::other:root"})
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert other.get_object(Bucket=bucket, Key="k")["Body"].read() == b"text"
    assert code_of(other.put_object, Bucket=bucket, Key="k", Body=b"") == "AccessDenied"
    # Whoever may not list is not told what is missing.
    assert code_of(other.get_object, Bucket=bucket, Key="none") == "AccessDenied"
    policy = allow(bucket, ["s3:GetObject", "s3:ListBucket"], {"AWS": "other"})
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert code_of(other.get_object, Bucket=bucket, Key="none") == "NoSuchKey"


def test_an_explicit_deny_wins_over_the_owner(s3, bucket):
    s3.put_object(Bucket=bucket, Key="kept", Body=b"")
    policy = allow(bucket, "s3:DeleteObject", Effect="Deny")
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert code_of(s3.delete_object, Bucket=bucket, Key="kept") == "AccessDenied"
    named = {"Objects": [{"Key": "kept"}]}
    [error] = s3.delete_objects(Bucket=bucket, Delete=named)["Errors"]
    assert error["Code"] == "AccessDenied"
    s3.delete_bucket_policy(Bucket=bucket)


def test_conditions_see_the_tags_of_an_object(node, s3, bucket):
    s3.put_object(Bucket=bucket, Key="public", Body=b"p", Tagging="security=public")
    s3.put_object(Bucket=bucket, Key="private", Body=b"p", Tagging="security=private")
    condition = {"StringEquals": {"s3:ExistingObjectTag/security": "public"}}
    policy = allow(bucket, "s3:GetObject", Condition=condition)
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert anonymous(node, f"{bucket}/public")[0] == 200
    assert anonymous(node, f"{bucket}/private")[0] == 403


def test_conditions_see_the_address_and_the_prefix(node, s3, bucket):
    condition = {
        "IpAddress": {"aws:SourceIp": "127.0.0.0/8"},
        "StringLike": {"s3:prefix": "open/*"},
    }
    policy = allow(bucket, "s3:ListBucket", Condition=condition)
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert anonymous(node, f"{bucket}?prefix=open/x")[0] == 200
    assert anonymous(node, f"{bucket}?prefix=closed/x")[0] == 403


def test_a_user_may_do_what_a_policy_says(s3, member, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"text")
    assert code_of(member.get_object, Bucket=bucket, Key="k") == "AccessDenied"
    assert code_of(member.list_buckets) == "AccessDenied"
    policy = allow(bucket, "s3:*", {"AWS": "arn:aws:iam::root:user/member"})
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert member.get_object(Bucket=bucket, Key="k")["Body"].read() == b"text"
    member.put_object(Bucket=bucket, Key="mine", Body=b"")
    listed = s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"]
    assert {entry["Owner"]["ID"] for entry in listed} == {"root"}


def test_an_object_belongs_to_the_account_that_wrote_it(s3, other, bucket):
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    other.put_object(Bucket=bucket, Key="k", Body=b"theirs")
    assert code_of(s3.get_object, Bucket=bucket, Key="k") == "AccessDenied"
    other.put_object(Bucket=bucket, Key="k", Body=b"ours", ACL="bucket-owner-full-control")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"ours"


def test_a_copy_needs_the_right_to_read_its_source(s3, other, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"text")
    other.create_bucket(Bucket="copies")
    source = {"Bucket": bucket, "Key": "k"}
    assert code_of(other.copy_object, Bucket="copies", Key="k", CopySource=source) == "AccessDenied"
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    other.copy_object(Bucket="copies", Key="k", CopySource=source)
    other.delete_object(Bucket="copies", Key="k")
    other.delete_bucket(Bucket="copies")


def test_the_expected_owner_must_be_the_owner(s3, bucket):
    assert code_of(s3.list_objects_v2, Bucket=bucket, ExpectedBucketOwner="who") == "AccessDenied"
    s3.list_objects_v2(Bucket=bucket, ExpectedBucketOwner="root")


def test_grants_name_accounts_by_id_and_by_address(s3, other, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"text", GrantRead="emailaddress=other@example.com")
    assert other.get_object(Bucket=bucket, Key="k")["Body"].read() == b"text"
    grants = s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]
    assert [g["Grantee"].get("DisplayName") for g in grants] == ["Other"]
    assert code_of(s3.put_object, Bucket=bucket, Key="k", GrantRead="id=nobody") == (
        "InvalidArgument"
    )


def test_whoever_may_list_some_keys_is_told_which_of_them_are_missing(s3, other, bucket):
    condition = {"StringLike": {"s3:prefix": "open/*"}}
    policy = allow(bucket, "s3:ListBucket", Condition=condition)
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert code_of(other.head_object, Bucket=bucket, Key="open/none") == "404"
    assert code_of(other.head_object, Bucket=bucket, Key="closed/none") == "403"
    s3.put_object(Bucket=bucket, Key="open/k", Body=b"")
    assert code_of(other.head_object, Bucket=bucket, Key="open/k") == "403"


def test_a_right_to_put_is_a_right_to_hand_over_to_the_owner_and_no_more(s3, other, bucket):
    full_control = {"GrantFullControl": "id=root"}
    condition = {"StringEquals": {"s3:x-amz-grant-full-control": "id=root"}}
    policy = allow(bucket, "s3:PutObject", Condition=condition)
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    put = {"Bucket": bucket, "Key": "k", "Body": b"ours"}
    assert code_of(other.put_object, **put) == "AccessDenied"
    other.put_object(**put, **full_control)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"ours"
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(allow(bucket, "s3:PutObject")))
    for more in ({"ACL": "public-read"}, {"Tagging": "a=b"}):
        assert code_of(other.put_object, Bucket=bucket, Key="new", **more) == "AccessDenied"


def test_a_list_that_lets_write_lets_say_all_about_the_new_object(s3, other, bucket):
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    other.put_object(Bucket=bucket, Key="k", Body=b"", ACL="public-read", Tagging="a=b")
    assert other.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]
    denied = allow(bucket, "s3:PutObjectTagging", Effect="Deny")
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(denied))
    refused = code_of(other.put_object, Bucket=bucket, Key="k", Body=b"", Tagging="a=b")
    assert refused == "AccessDenied"
