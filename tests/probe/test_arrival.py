"""Versions, their changes and the settings of buckets arrive on the other nodes and regions."""

import json
from datetime import UTC, datetime, timedelta

from botocore.exceptions import ClientError

from tests.probe.cluster import wait_until
from tests.probe.objects import body_of, read

SECONDS = 90
UNTIL = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)


def _versions(s3, bucket):
    """Return what a node shows of all versions; nothing, before the bucket has arrived."""
    try:
        page = s3.list_object_versions(Bucket=bucket)
    except s3.exceptions.NoSuchBucket:
        return []
    shown = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    return sorted((v["Key"], v["VersionId"], v["IsLatest"], v.get("ETag", "")) for v in shown)


def _answer(call, **arguments):
    """Return an answer without what differs between nodes, or the code of a refusal."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def test_versions_and_what_is_changed_of_them_arrive_everywhere(cluster, east, west):
    first, third = cluster.s3(east[0]), cluster.s3(east[2])
    bucket = "arrival-versions"
    first.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    rule = {"name": "arrival-versions", "bucket": bucket, "region": "eu-west-1"}
    cluster.api(east[0], "POST", "/api/rules/", rule)
    old = first.put_object(Bucket=bucket, Key="k", Body=b"one")["VersionId"]
    wait_until(lambda: _versions(third, bucket) == _versions(first, bucket), SECONDS, "one")
    new = third.put_object(Bucket=bucket, Key="k", Body=b"two")["VersionId"]
    gone = third.put_object(Bucket=bucket, Key="k", Body=b"three")["VersionId"]
    third.delete_object(Bucket=bucket, Key="k", VersionId=gone)
    third.delete_object(Bucket=bucket, Key="k")
    named = {"Bucket": bucket, "Key": "k", "VersionId": old}
    tags = {"TagSet": [{"Key": "color", "Value": "red"}]}
    third.put_object_tagging(**named, Tagging=tags)
    third.put_object_legal_hold(**named, LegalHold={"Status": "ON"})
    third.put_object_acl(**named, ACL="public-read")
    retention = {"Mode": "GOVERNANCE", "RetainUntilDate": UNTIL}
    third.put_object_retention(**named, Retention=retention)

    for node in (*east, west):
        s3, name = cluster.s3(node), node["node_id"]
        wait_until(lambda s3=s3: len(_versions(s3, bucket)) == 3, SECONDS, f"versions on {name}")
        assert _versions(s3, bucket) == _versions(third, bucket)
        assert s3.get_object(Bucket=bucket, Key="k", VersionId=new)["Body"].read() == b"two"
        for call in (
            s3.get_object_tagging,
            s3.get_object_legal_hold,
            s3.get_object_retention,
            s3.get_object_acl,
        ):
            wanted = _answer(getattr(third, call.__name__), **named)
            wait_until(
                lambda call=call, wanted=wanted: _answer(call, **named) == wanted,
                SECONDS,
                f"{call.__name__} on {name}",
            )
        assert _answer(s3.delete_object, **named) == "AccessDenied"


def test_the_settings_of_a_bucket_arrive_everywhere(cluster, east):
    first = cluster.s3(east[0])
    bucket = "arrival-settings"
    first.create_bucket(Bucket=bucket)
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=1)
    first.put_bucket_policy(Bucket=bucket, Policy=policy)
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://example.com"]}
    first.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    expiry = {
        "ID": "old",
        "Status": "Enabled",
        "Filter": {"Prefix": "tmp/"},
        "Expiration": {"Days": 3},
    }
    first.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [expiry]}
    )
    first.put_bucket_acl(Bucket=bucket, ACL="authenticated-read")
    tags = {"TagSet": [{"Key": "team", "Value": "ops"}]}
    first.put_bucket_tagging(Bucket=bucket, Tagging=tags)
    enabled = {"Status": "Enabled"}
    first.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=enabled)

    calls = (
        "get_bucket_policy",
        "get_bucket_cors",
        "get_bucket_lifecycle_configuration",
        "get_bucket_acl",
        "get_bucket_tagging",
        "get_bucket_versioning",
    )
    for node in east[1:]:
        s3 = cluster.s3(node)
        for call in calls:
            wanted = _answer(getattr(first, call), Bucket=bucket)
            assert isinstance(wanted, dict)
            wait_until(
                lambda s3=s3, call=call, wanted=wanted: (
                    _answer(getattr(s3, call), Bucket=bucket) == wanted
                ),
                SECONDS,
                f"{call} on {node['node_id']}",
            )


def test_an_encrypted_object_is_readable_in_every_region(cluster, east, west):
    first = cluster.s3(east[0])
    bucket = "arrival-encrypted"
    first.create_bucket(Bucket=bucket)
    rule = {"name": "arrival-encrypted", "bucket": bucket, "region": "eu-west-1"}
    cluster.api(east[0], "POST", "/api/rules/", rule)
    bodies = {"small": b"secret", "large": body_of(bucket, 3 * 2**20)}
    for key, body in bodies.items():
        first.put_object(Bucket=bucket, Key=key, Body=body, ServerSideEncryption="AES256")
    for node in (*east, west):
        s3 = cluster.s3(node)
        for key, body in bodies.items():
            wait_until(
                lambda s3=s3, key=key, body=body: read(s3, bucket, key) == body,
                SECONDS,
                f"{key} on {node['node_id']}",
            )
        answer = s3.get_object(Bucket=bucket, Key="large", Range="bytes=1000000-1000009")
        assert answer["Body"].read() == bodies["large"][1_000_000:1_000_010]
        assert answer["ServerSideEncryption"] == "AES256"
