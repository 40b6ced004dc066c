"""Object lock: retention, legal hold and the bucket's default."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)


@pytest.fixture
def locked(s3, request):
    name = "lock-" + request.node.name.replace("_", "-").split("[")[0][-50:].strip("-").lower()
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def put(s3, bucket, **more):
    return s3.put_object(Bucket=bucket, Key="k", Body=b"kept", **more)["VersionId"]


def test_a_lockable_bucket_has_versions_for_good(s3, locked):
    assert s3.get_bucket_versioning(Bucket=locked)["Status"] == "Enabled"
    suspended = {"Status": "Suspended"}
    code = refused(s3.put_bucket_versioning, Bucket=locked, VersioningConfiguration=suspended)
    assert code == "InvalidBucketState"


def test_a_bucket_without_lock_refuses_retention(s3, bucket):
    assert refused(s3.get_object_lock_configuration, Bucket=bucket) == (
        "ObjectLockConfigurationNotFoundError"
    )
    code = refused(
        put,
        s3=s3,
        bucket=bucket,
        ObjectLockMode="GOVERNANCE",
        ObjectLockRetainUntilDate=LATER,
    )
    assert code == "InvalidRequest"


def test_a_version_under_legal_hold_cannot_be_deleted(s3, locked):
    version = put(s3, locked, ObjectLockLegalHoldStatus="ON")
    target = {"Bucket": locked, "Key": "k", "VersionId": version}
    assert refused(s3.delete_object, **target) == "AccessDenied"
    s3.delete_object(Bucket=locked, Key="k")
    s3.put_object_legal_hold(**target, LegalHold={"Status": "OFF"})
    assert s3.get_object_legal_hold(**target)["LegalHold"]["Status"] == "OFF"
    s3.delete_object(**target)


def test_governance_can_be_bypassed_and_compliance_cannot(s3, locked):
    until = {"ObjectLockRetainUntilDate": LATER}
    soft = put(s3, locked, ObjectLockMode="GOVERNANCE", **until)
    hard = put(s3, locked, ObjectLockMode="COMPLIANCE", **until)
    for version in (soft, hard):
        target = {"Bucket": locked, "Key": "k", "VersionId": version}
        assert refused(s3.delete_object, **target) == "AccessDenied"
    bypass = {"BypassGovernanceRetention": True}
    s3.delete_object(Bucket=locked, Key="k", VersionId=soft, **bypass)
    hard_target = {"Bucket": locked, "Key": "k", "VersionId": hard}
    assert refused(s3.delete_object, **hard_target, **bypass) == "AccessDenied"


def test_compliance_can_be_extended_and_never_shortened(s3, locked):
    version = put(s3, locked, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=LATER)
    target = {"Bucket": locked, "Key": "k", "VersionId": version}

    def retention(days, mode="COMPLIANCE"):
        return {"Mode": mode, "RetainUntilDate": LATER + timedelta(days=days)}

    s3.put_object_retention(**target, Retention=retention(1))
    for wanted in (retention(-1), retention(2, "GOVERNANCE")):
        code = refused(
            s3.put_object_retention,
            **target,
            Retention=wanted,
            BypassGovernanceRetention=True,
        )
        assert code == "AccessDenied"
    found = s3.get_object_retention(**target)["Retention"]
    assert found == retention(1)


def test_governance_becomes_compliance_only_by_a_bypass(s3, locked):
    version = put(s3, locked, ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=LATER)
    target = {"Bucket": locked, "Key": "k", "VersionId": version}
    longer = {"Mode": "GOVERNANCE", "RetainUntilDate": LATER + timedelta(days=1)}
    s3.put_object_retention(**target, Retention=longer)
    harder = longer | {"Mode": "COMPLIANCE"}
    assert refused(s3.put_object_retention, **target, Retention=harder) == "AccessDenied"
    s3.put_object_retention(**target, Retention=harder, BypassGovernanceRetention=True)
    assert s3.get_object_retention(**target)["Retention"] == harder


def test_the_default_of_the_bucket_locks_new_versions(s3, locked):
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}}
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    s3.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=configuration)
    assert (
        s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"] == configuration
    )
    put(s3, locked)
    head = s3.head_object(Bucket=locked, Key="k")
    assert head["ObjectLockMode"] == "GOVERNANCE"
    left = head["ObjectLockRetainUntilDate"] - datetime.now(UTC)
    assert timedelta(days=2, hours=23) < left <= timedelta(days=3)


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"Mode": "GOVERNANCE", "Days": 0}, "InvalidRetentionPeriod"),
        ({"Mode": "GOVERNANCE", "Days": 1, "Years": 1}, "MalformedXML"),
        ({"Mode": "governance", "Days": 1}, "MalformedXML"),
        ({"Mode": "COMPLIANCE", "Years": -1}, "InvalidRetentionPeriod"),
        ({"Mode": "COMPLIANCE", "Years": 101}, "InvalidArgument"),
    ],
)
def test_a_default_that_cannot_be_is_refused(s3, request, rule, code):
    name = f"rule-{abs(hash(str(rule)))}"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": rule}}
    found = refused(
        s3.put_object_lock_configuration, Bucket=name, ObjectLockConfiguration=configuration
    )
    assert found == code
    s3.delete_bucket(Bucket=name)
