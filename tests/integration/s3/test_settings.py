"""Settings of buckets: access lists, ownership, public access, replication, what is off."""

import pytest
from botocore.exceptions import ClientError

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"


def code_of(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def permissions(acl):
    return sorted(
        (grant["Grantee"].get("URI") or grant["Grantee"]["ID"], grant["Permission"])
        for grant in acl["Grants"]
    )


def test_a_new_bucket_is_private(s3, bucket):
    acl = s3.get_bucket_acl(Bucket=bucket)
    owner = acl["Owner"]["ID"]
    assert permissions(acl) == [(owner, "FULL_CONTROL")]
    assert s3.list_buckets()["Owner"]["ID"] == owner


@pytest.mark.parametrize("call", ["bucket", "object"])
def test_a_canned_list_is_a_list_of_grants(s3, bucket, call):
    if call == "bucket":
        s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
        acl = s3.get_bucket_acl(Bucket=bucket)
    else:
        s3.put_object(Bucket=bucket, Key="k", Body=b"", ACL="public-read")
        acl = s3.get_object_acl(Bucket=bucket, Key="k")
    owner = acl["Owner"]["ID"]
    assert permissions(acl) == sorted([(owner, "FULL_CONTROL"), (ALL_USERS, "READ")])


def test_the_list_of_an_object_can_be_changed(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"", ACL="public-read")
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="private")
    assert len(s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]) == 1


def test_a_bucket_is_made_with_a_list(s3):
    s3.create_bucket(Bucket="made-public", ACL="public-read-write")
    assert len(s3.get_bucket_acl(Bucket="made-public")["Grants"]) == 3
    s3.delete_bucket(Bucket="made-public")


def test_where_the_owner_is_enforced_lists_are_refused(s3, bucket):
    controls = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert code_of(s3.get_bucket_ownership_controls, Bucket=bucket) == (
        "OwnershipControlsNotFoundError"
    )
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=controls)
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"] == controls
    refused = code_of(s3.put_object, Bucket=bucket, Key="k", ACL="public-read")
    assert refused == "AccessControlListNotSupported"
    s3.put_object(Bucket=bucket, Key="k", ACL="bucket-owner-full-control")
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", ACL="public-read")


def test_a_list_that_grants_to_others_cannot_be_switched_off(s3, bucket):
    enforced = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    change = {"Bucket": bucket, "OwnershipControls": enforced}
    assert code_of(s3.put_bucket_ownership_controls, **change) == (
        "InvalidBucketAclWithObjectOwnership"
    )
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    s3.put_bucket_ownership_controls(**change)
    made = {"Bucket": "enforced", "ObjectOwnership": "BucketOwnerEnforced"}
    assert code_of(s3.create_bucket, **made, ACL="public-read") == (
        "InvalidBucketAclWithObjectOwnership"
    )
    s3.create_bucket(**made, ACL="private")
    s3.delete_bucket(Bucket="enforced")


def test_a_bucket_is_public_by_its_list_as_by_its_policy(s3, bucket):
    def is_public():
        return s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]

    assert is_public() is False
    s3.put_bucket_acl(Bucket=bucket, ACL="authenticated-read")
    assert is_public() is True
    block = {"IgnorePublicAcls": True}
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    assert is_public() is False


def test_public_lists_and_policies_can_be_blocked(s3, bucket):
    assert code_of(s3.get_public_access_block, Bucket=bucket) == (
        "NoSuchPublicAccessBlockConfiguration"
    )
    block = {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": False,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": False,
    }
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    found = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert found == block
    assert code_of(s3.put_bucket_acl, Bucket=bucket, ACL="public-read") == "AccessDenied"
    statement = (
        f'{{"Effect":"Allow","Principal":"*","Action":"*","Resource":"arn:aws:s3:::{bucket}/*"}}'
    )
    policy = f'{{"Version":"2012-10-17","Statement":[{statement}]}}'
    assert code_of(s3.put_bucket_policy, Bucket=bucket, Policy=policy) == "AccessDenied"
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is True


def test_what_is_off_answers_as_it_does_where_it_was_never_set(s3, bucket):
    assert code_of(s3.get_bucket_website, Bucket=bucket) == "NoSuchWebsiteConfiguration"
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    assert "TopicConfigurations" not in s3.get_bucket_notification_configuration(Bucket=bucket)
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"


def test_what_cannot_be_turned_on_is_refused(s3, bucket):
    payer = {"Payer": "Requester"}
    code = code_of(s3.put_bucket_request_payment, Bucket=bucket, RequestPaymentConfiguration=payer)
    assert code == "NotImplemented"
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
    target = {"LoggingEnabled": {"TargetBucket": bucket, "TargetPrefix": "log/"}}
    code = code_of(s3.put_bucket_logging, Bucket=bucket, BucketLoggingStatus=target)
    assert code == "NotImplemented"


def test_replication_of_a_bucket_is_kept(s3, bucket):
    assert code_of(s3.get_bucket_replication, Bucket=bucket) == (
        "ReplicationConfigurationNotFoundError"
    )
    rule = {
        "ID": "all",
        "Status": "Enabled",
        "Priority": 1,
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {"Bucket": "arn:aws:s3:::elsewhere"},
    }
    configuration = {"Role": "arn:aws:iam::1:role/r", "Rules": [rule]}
    refused = code_of(
        s3.put_bucket_replication, Bucket=bucket, ReplicationConfiguration=configuration
    )
    assert refused == "InvalidRequest"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=configuration)
    found = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]
    assert found == configuration
    s3.delete_bucket_replication(Bucket=bucket)
