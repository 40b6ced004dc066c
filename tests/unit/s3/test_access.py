"""Policies, lists and ownership decide together, as AWS documents it."""

import json

import botocore.session
import pytest

from rs3gw.s3.core.access import BUCKET_PERMISSIONS, OBJECT_PERMISSIONS, Question, decide
from rs3gw.s3.core.acl import ALL_USERS, AUTHENTICATED_USERS, Acl, Grant, canned_acl
from rs3gw.s3.core.actions import ACTIONS, VERSION_ACTIONS, action_of, actions_of
from rs3gw.s3.core.ownership import PublicAccessBlock
from rs3gw.s3.core.policy import ANONYMOUS, Principal, parse_bucket_policy, parse_user_policy
from rs3gw.s3.operations import OPERATIONS

OWNER = Principal("owner", "owner")
ANN = Principal("owner", "AIDAANN", "ann")
OTHER = Principal("other", "other")
BOB = Principal("other", "AIDABOB", "bob")
EVERYONE = (OWNER, ANN, OTHER, BOB, ANONYMOUS)
BUCKET = "arn:aws:s3:::photos"
READ_ALL = canned_acl("public-read", owner="owner", bucket_owner="owner")


def bucket_policy(**statement):
    full = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"} | statement
    return parse_bucket_policy(json.dumps({"Statement": full}), bucket="photos")


def user_policy(effect="Allow", action="*"):
    statement = {"Effect": effect, "Action": action, "Resource": "*"}
    return parse_user_policy(json.dumps({"Statement": statement}))


def allowed(*, users=None, action="s3:GetObject", **fields):
    """Return who is allowed; users have the policies `users`."""
    asked = {"object_owner": "owner", "bucket_owner": "owner", "ownership": "ObjectWriter"} | fields
    questions = [
        Question(p, action, f"{BUCKET}/cat.jpg", user_policies=users or (), **asked)
        for p in EVERYONE
    ]
    return {question.principal for question in questions if decide(question)}


def test_by_default_only_the_owner_is_allowed():
    assert allowed() == {OWNER}


def test_a_user_of_the_owner_is_allowed_by_its_own_policy():
    assert allowed(users=(user_policy("Deny", "s3:Put*"), user_policy())) == {OWNER, ANN}


def test_a_user_of_the_owner_is_allowed_by_a_bucket_policy_that_names_it():
    ann = {"AWS": "arn:aws:iam::owner:user/ann"}
    assert allowed(bucket_policy=bucket_policy(Principal=ann)) == {OWNER, ANN}
    assert allowed(bucket_policy=bucket_policy(Principal={"AWS": "owner"})) == {OWNER}


def test_a_public_bucket_policy_allows_all_but_users_their_account_allows_nothing():
    policy = bucket_policy()
    assert allowed(bucket_policy=policy) == {OWNER, ANN, OTHER, ANONYMOUS}
    assert allowed(bucket_policy=policy, users=(user_policy(),)) == set(EVERYONE)


def test_another_account_needs_both_the_bucket_and_its_own_policies():
    policy = bucket_policy(Principal={"AWS": "arn:aws:iam::other:root"})
    assert allowed(bucket_policy=policy) == {OWNER, OTHER}
    assert allowed(bucket_policy=policy, users=(user_policy(),)) == {OWNER, ANN, OTHER, BOB}
    bob = bucket_policy(Principal={"AWS": "arn:aws:iam::other:user/bob"})
    assert allowed(bucket_policy=bob) == {OWNER}
    assert allowed(bucket_policy=bob, users=(user_policy(),)) == {OWNER, ANN, BOB}


def test_a_deny_anywhere_denies():
    denied = bucket_policy(Effect="Deny", Principal={"AWS": "other"})
    own = (user_policy(), user_policy("Deny", "s3:GetObject"))
    assert allowed(bucket_policy=denied, object_acl=READ_ALL) == {OWNER, ANONYMOUS}
    assert allowed(users=own, bucket_policy=bucket_policy()) == {OWNER, OTHER, ANONYMOUS}


def test_the_owner_is_never_locked_out_of_the_policy_itself():
    denied = bucket_policy(Effect="Deny")
    assert allowed(bucket_policy=denied) == set()
    for action in ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"):
        found = allowed(action=action, bucket_policy=denied, users=(user_policy(),))
        assert found == {OWNER}


def test_a_bucket_policy_knows_whose_bucket_it_is():
    condition = {"StringEquals": {"aws:ResourceAccount": "owner"}}
    policy = bucket_policy(Condition=condition, Principal={"AWS": "other"})
    assert allowed(bucket_policy=policy) == {OWNER, OTHER}
    named = bucket_policy(Principal={"AWS": "arn:aws:iam:::user/ann"})
    assert allowed(bucket_policy=named) == {OWNER, ANN}


@pytest.mark.parametrize(("action", "permission"), sorted(BUCKET_PERMISSIONS.items()))
def test_a_list_of_a_bucket_grants_other_accounts(action, permission):
    def granted(right):
        return Acl("owner", (Grant("other", right),))

    assert allowed(action=action, bucket_acl=granted(permission)) == {OWNER, OTHER}
    assert allowed(action=action, bucket_acl=granted("FULL_CONTROL")) == {OWNER, OTHER}
    for other in {"READ", "WRITE", "READ_ACP", "WRITE_ACP"} - {permission}:
        assert allowed(action=action, bucket_acl=granted(other)) == {OWNER}
    users = (user_policy(),)
    found = allowed(action=action, bucket_acl=granted(permission), users=users)
    assert found == {OWNER, ANN, OTHER, BOB}


@pytest.mark.parametrize(("action", "permission"), sorted(OBJECT_PERMISSIONS.items()))
def test_a_list_of_an_object_grants_other_accounts(action, permission):
    acl = Acl("owner", (Grant("other", permission),))
    assert allowed(action=action, object_acl=acl) == {OWNER, OTHER}
    assert allowed(action=action, bucket_acl=acl) == {OWNER}
    write = Acl("owner", (Grant("other", "WRITE"),))
    assert allowed(action=action, object_acl=write) == {OWNER}


@pytest.mark.parametrize("action", ["s3:DeleteBucket", "s3:PutObjectTagging", "s3:PutBucketPolicy"])
def test_what_has_no_permission_in_lists_is_not_granted_by_them(action):
    acl = Acl("owner", (Grant("other", "FULL_CONTROL"),))
    assert allowed(action=action, bucket_acl=acl, object_acl=acl) == {OWNER}


def test_groups_in_lists():
    assert allowed(object_acl=READ_ALL) == {OWNER, OTHER, ANONYMOUS}
    signed = Acl("owner", (Grant(AUTHENTICATED_USERS, "READ"),))
    assert allowed(object_acl=signed) == {OWNER, OTHER}


def test_lists_do_not_count_where_the_bucket_owner_is_enforced():
    own = {"object_acl": READ_ALL, "bucket_acl": READ_ALL, "ownership": "BucketOwnerEnforced"}
    assert allowed(**own) == {OWNER}
    assert allowed(**own, action="s3:ListBucket") == {OWNER}
    written_by_other = own | {"object_owner": "other", "object_acl": Acl("other")}
    assert allowed(**written_by_other) == {OWNER}


def test_public_grants_can_be_ignored():
    block = PublicAccessBlock(ignore_public_acls=True)
    acl = Acl("owner", (Grant(ALL_USERS, "READ"), Grant(AUTHENTICATED_USERS, "READ")))
    assert allowed(object_acl=acl, public_access_block=block) == {OWNER}
    named = Acl("owner", (Grant("other", "READ"),))
    assert allowed(object_acl=named, public_access_block=block) == {OWNER, OTHER}


def test_a_public_bucket_can_be_restricted_to_its_account():
    block = PublicAccessBlock(restrict_public_buckets=True)
    policy = bucket_policy()
    assert allowed(bucket_policy=policy, public_access_block=block) == {OWNER, ANN}
    named = bucket_policy(Principal={"AWS": "other"})
    assert allowed(bucket_policy=named, public_access_block=block) == {OWNER, OTHER}


FOREIGN = {
    "object_owner": "other",
    "object_acl": canned_acl("private", owner="other", bucket_owner="owner"),
    "users": (user_policy(),),
}


@pytest.mark.parametrize("ownership", ["ObjectWriter", "BucketOwnerPreferred"])
def test_an_object_of_another_account_follows_its_own_list(ownership):
    own = FOREIGN | {"ownership": ownership}
    for action in ("s3:GetObject", "s3:GetObjectAcl", "s3:PutObjectAcl", "s3:GetObjectTagging"):
        assert allowed(**own, action=action) == {OTHER, BOB}
        assert allowed(**own, action=action, bucket_policy=bucket_policy()) == {OTHER, BOB}
    shared = canned_acl("bucket-owner-read", owner="other", bucket_owner="owner")
    assert allowed(**(own | {"object_acl": shared})) == {OWNER, ANN, OTHER, BOB}
    public = canned_acl("public-read", owner="other", bucket_owner="owner")
    assert allowed(**(own | {"object_acl": public})) == set(EVERYONE)


def test_the_owner_of_the_bucket_may_delete_and_deny_what_others_wrote():
    assert allowed(**FOREIGN, action="s3:DeleteObject") == {OWNER, ANN}
    assert allowed(**FOREIGN, action="s3:PutObject") == {OWNER, ANN}
    denied = bucket_policy(Effect="Deny", Principal={"AWS": "other"})
    assert allowed(**FOREIGN, bucket_policy=denied) == set()


def test_who_began_an_upload_may_list_and_abort_it():
    for action in ("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"):
        assert allowed(action=action, object_owner="other") == {OWNER, OTHER}
        assert allowed(action=action) == {OWNER}
        assert allowed(action=action, object_owner="") == {OWNER}


def test_without_a_bucket_accounts_and_allowed_users_list_and_create():
    service = {"bucket_owner": "", "object_owner": ""}
    for action in ("s3:ListAllMyBuckets", "s3:CreateBucket"):
        assert allowed(action=action, **service) == {OWNER, OTHER}
        found = allowed(action=action, **service, users=(user_policy(),))
        assert found == {OWNER, ANN, OTHER, BOB}
    assert allowed(action="s3:ListBucket", **service, users=(user_policy(),)) == set()


def test_every_operation_of_the_api_has_an_action():
    model = botocore.session.get_session().get_service_model("s3")
    assert set(model.operation_names) - set(ACTIONS) == set()
    assert set(OPERATIONS) - set(ACTIONS) == set()


@pytest.mark.parametrize(
    ("operation", "action", "of_version"),
    [
        ("GetObject", "s3:GetObject", "s3:GetObjectVersion"),
        ("HeadObject", "s3:GetObject", "s3:GetObjectVersion"),
        ("DeleteObject", "s3:DeleteObject", "s3:DeleteObjectVersion"),
        ("DeleteObjects", "s3:DeleteObject", "s3:DeleteObjectVersion"),
        ("GetObjectTagging", "s3:GetObjectTagging", "s3:GetObjectVersionTagging"),
        ("PutObjectAcl", "s3:PutObjectAcl", "s3:PutObjectVersionAcl"),
        ("PutObjectRetention", "s3:PutObjectRetention", "s3:PutObjectRetention"),
        ("ListObjectsV2", "s3:ListBucket", "s3:ListBucket"),
        ("ListObjectVersions", "s3:ListBucketVersions", "s3:ListBucketVersions"),
        ("ListParts", "s3:ListMultipartUploadParts", "s3:ListMultipartUploadParts"),
        ("CompleteMultipartUpload", "s3:PutObject", "s3:PutObject"),
        ("DeleteBucketCors", "s3:PutBucketCORS", "s3:PutBucketCORS"),
        ("HeadBucket", "s3:ListBucket", "s3:ListBucket"),
    ],
)
def test_an_operation_needs_its_action(operation, action, of_version):
    assert action_of(operation, has_version=False) == action
    assert action_of(operation, has_version=True) == of_version
    assert actions_of(operation, has_version=True) == (of_version,)


def test_attributes_need_the_right_to_read_as_well():
    assert actions_of("GetObjectAttributes", has_version=False) == (
        "s3:GetObjectAttributes",
        "s3:GetObject",
    )
    assert actions_of("GetObjectAttributes", has_version=True) == (
        "s3:GetObjectVersionAttributes",
        "s3:GetObjectVersion",
    )
    assert set(VERSION_ACTIONS) <= set(ACTIONS.values())
