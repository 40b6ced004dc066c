"""Lifecycle and cross-origin settings, as boto3 and browsers see them."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from dateutil import parser

VARIES = "varies_by_storage_class"
RULE = {"ID": "one", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 1}}


def code_of(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def put(s3, bucket, *rules, **more):
    return s3.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": list(rules)}, **more
    )


def rules_of(s3, bucket):
    return s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]


FULL = {
    "ID": "two",
    "Status": "Disabled",
    "Filter": {
        "And": {
            "Prefix": "a",
            "Tags": [{"Key": "k", "Value": "v"}],
            "ObjectSizeGreaterThan": 1,
            "ObjectSizeLessThan": 9,
        }
    },
    "Expiration": {"Date": datetime(2030, 1, 1, tzinfo=UTC)},
    "Transitions": [{"Date": datetime(2029, 1, 1, tzinfo=UTC), "StorageClass": "GLACIER"}],
    "NoncurrentVersionTransitions": [{"NoncurrentDays": 2, "StorageClass": "STANDARD_IA"}],
    "NoncurrentVersionExpiration": {"NoncurrentDays": 6, "NewerNoncurrentVersions": 3},
}


def test_rules_are_given_back_as_they_were_put(s3, bucket):
    missing = code_of(s3.get_bucket_lifecycle_configuration, Bucket=bucket)
    assert missing == "NoSuchLifecycleConfiguration"
    answer = put(s3, bucket, RULE, FULL, TransitionDefaultMinimumObjectSize=VARIES)
    assert answer["TransitionDefaultMinimumObjectSize"] == VARIES
    assert rules_of(s3, bucket) == [RULE, FULL]
    s3.delete_bucket_lifecycle(Bucket=bucket)
    s3.delete_bucket_lifecycle(Bucket=bucket)
    assert code_of(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == missing


def test_rules_without_a_name_keep_the_one_they_got(s3, bucket):
    put(s3, bucket, {name: value for name, value in RULE.items() if name != "ID"})
    found = rules_of(s3, bucket)
    assert found[0]["ID"]
    assert rules_of(s3, bucket) == found


def test_rules_that_cannot_be_are_refused(s3, bucket):
    with_zero = RULE | {"Expiration": {"Days": 0}}
    for rule, code in ((with_zero, "InvalidArgument"), (RULE | {"Status": "on"}, "MalformedXML")):
        with pytest.raises(ClientError) as caught:
            put(s3, bucket, rule)
        assert caught.value.response["Error"]["Code"] == code
    assert code_of(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == (
        "NoSuchLifecycleConfiguration"
    )


def test_answers_say_when_an_object_will_expire(s3, bucket):
    put(s3, bucket, RULE)
    answers = [
        s3.put_object(Bucket=bucket, Key="logs/a", Body=b"x"),
        s3.head_object(Bucket=bucket, Key="logs/a"),
        s3.get_object(Bucket=bucket, Key="logs/a"),
        s3.copy_object(Bucket=bucket, Key="logs/b", CopySource=f"{bucket}/logs/a"),
    ]
    for answer in answers:
        date, rule = answer["Expiration"].split('", ')
        assert rule == 'rule-id="one"'
        left = parser.parse(date.removeprefix('expiry-date="')) - datetime.now(UTC)
        assert timedelta(days=1) - timedelta(minutes=1) <= left <= timedelta(days=2)
    s3.put_object(Bucket=bucket, Key="other", Body=b"x")
    assert "Expiration" not in s3.head_object(Bucket=bucket, Key="other")


def test_transitions_change_the_class_that_is_shown(s3, bucket):
    step = {"Date": datetime(2020, 1, 1, tzinfo=UTC), "StorageClass": "GLACIER"}
    old = {"NoncurrentDays": 0, "StorageClass": "DEEP_ARCHIVE"}
    rule = {"ID": "t", "Status": "Enabled", "Filter": {"Prefix": "logs/"}}
    put(s3, bucket, rule | {"Transitions": [step], "NoncurrentVersionTransitions": [old]})
    for key in ("logs/a", "other"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"text")
    answer = s3.get_object(Bucket=bucket, Key="logs/a")
    assert answer["StorageClass"] == "GLACIER"
    assert answer["Body"].read() == b"text"
    assert "StorageClass" not in s3.head_object(Bucket=bucket, Key="other")
    classes = [entry["StorageClass"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert classes == ["GLACIER", "STANDARD"]
    found = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [entry["StorageClass"] for entry in found] == classes


def test_cross_origin_rules_are_given_back_as_they_were_put(s3, bucket):
    assert code_of(s3.get_bucket_cors, Bucket=bucket) == "NoSuchCORSConfiguration"
    rules = [
        {
            "ID": "r",
            "AllowedMethods": ["GET", "PUT"],
            "AllowedOrigins": ["*.get", "*.put"],
            "AllowedHeaders": ["x-AMZ-*"],
            "ExposeHeaders": ["ETag"],
            "MaxAgeSeconds": 0,
        }
    ]
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == rules
    s3.delete_bucket_cors(Bucket=bucket)
    assert code_of(s3.get_bucket_cors, Bucket=bucket) == "NoSuchCORSConfiguration"
