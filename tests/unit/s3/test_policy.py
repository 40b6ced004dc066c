"""Policies decide as the examples of the AWS documentation say."""

import json

import pytest

from rs3gw.s3.core.policy import (
    ANONYMOUS,
    Ask,
    Principal,
    is_public,
    parse_bucket_policy,
    parse_user_policy,
)

OWNER = Principal("111122223333", "111122223333")
OTHER = Principal("444455556666", "444455556666")
BOB = Principal("444455556666", "AIDABOB", "bob")
CAROL = Principal("444455556666", "AIDACAROL", "carol")
BUCKET = "arn:aws:s3:::photos"


def bucket_policy(*statements, version="2012-10-17"):
    full = [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        | ({} if "NotPrincipal" in statement else {"Principal": "*"})
        | statement
        for statement in statements
    ]
    text = json.dumps({"Version": version, "Statement": full})
    return parse_bucket_policy(text, bucket="photos")


def user_policy(version="2012-10-17", **statement):
    full = {"Effect": "Allow"} | statement
    for name in ("Action", "Resource"):
        full |= {} if f"Not{name}" in full else {name: statement.get(name, "*")}
    return parse_user_policy(json.dumps({"Version": version, "Statement": full}))


def ask(principal=OTHER, action="s3:GetObject", resource=f"{BUCKET}/cat.jpg", **context):
    return Ask(principal, action, resource, {"aws:sourceip": ("203.0.113.9",)} | context)


def test_everyone_may_read_what_a_public_policy_allows():
    policy = bucket_policy({"Action": ["s3:GetObject"], "Resource": [f"{BUCKET}/*"]})
    assert policy.decide(ask(ANONYMOUS)) == "allow"
    assert policy.decide(ask(ANONYMOUS, action="s3:PutObject")) == "none"
    assert policy.decide(ask(ANONYMOUS, resource=BUCKET)) == "none"


def test_an_explicit_deny_wins_wherever_it_stands():
    allow, deny = {"Action": "s3:*"}, {"Effect": "Deny", "Action": "s3:DeleteObject"}
    for policy in (bucket_policy(allow, deny), bucket_policy(deny, allow)):
        assert policy.decide(ask(action="s3:DeleteObject")) == "deny"
        assert policy.decide(ask()) == "allow"


@pytest.mark.parametrize(
    ("principal", "who"),
    [
        ({"AWS": "444455556666"}, (OTHER, BOB, CAROL)),
        ({"AWS": ["111122223333", "arn:aws:iam::444455556666:root"]}, (OWNER, OTHER, BOB, CAROL)),
        ({"AWS": "arn:aws:iam::444455556666:user/bob"}, (BOB,)),
        ({"AWS": "arn:aws:iam:::user/AIDABOB"}, (BOB,)),
        ({"AWS": "arn:aws:iam:::user/444455556666"}, (OTHER,)),
        ({"AWS": "arn:aws:iam:::user/bob"}, ()),
        ({"CanonicalUser": "111122223333"}, (OWNER,)),
        ({"AWS": "*"}, (OWNER, OTHER, BOB, CAROL, ANONYMOUS)),
        ({"AWS": "arn:aws:iam::444455556666:role/bob"}, ()),
        ({"Service": "logging.s3.amazonaws.com"}, ()),
    ],
)
def test_a_principal_means_whom_it_names(principal, who):
    policy = bucket_policy({"Principal": principal})
    everyone = (OWNER, OTHER, BOB, CAROL, ANONYMOUS)
    assert {p for p in everyone if policy.decide(ask(p)) == "allow"} == set(who)


def test_a_user_without_an_account_is_one_of_the_buckets_owner():
    policy = bucket_policy({"Principal": {"AWS": "arn:aws:iam:::user/bob"}})
    assert policy.decide(ask(BOB, **{"aws:resourceaccount": ("444455556666",)})) == "allow"
    assert policy.decide(ask(BOB, **{"aws:resourceaccount": ("111122223333",)})) == "none"


def test_a_service_is_known_by_its_name_in_the_context():
    policy = bucket_policy({"Principal": {"Service": "logging.s3.amazonaws.com"}})
    context = {"aws:principalservicename": ("logging.s3.amazonaws.com",)}
    assert policy.decide(ask(ANONYMOUS, **context)) == "allow"


def test_an_allow_for_the_account_can_be_asked_not_to_cover_its_users():
    policy = bucket_policy({"Principal": {"AWS": "444455556666"}})
    deny = bucket_policy({"Principal": {"AWS": "444455556666"}, "Effect": "Deny"})
    by_name = Ask(BOB, "s3:GetObject", BUCKET, {}, by_name=True)
    assert policy.decide(by_name) == "none"
    assert deny.decide(by_name) == "deny"


def test_not_principal_denies_everyone_but_those_named():
    named = ["arn:aws:iam::444455556666:user/bob", "arn:aws:iam::444455556666:root"]
    policy = bucket_policy({"Effect": "Deny", "NotPrincipal": {"AWS": named}})
    asked = (OWNER, OTHER, BOB, CAROL, ANONYMOUS)
    assert [policy.decide(ask(p)) for p in asked] == ["deny", "none", "none", "deny", "deny"]


def test_actions_ignore_case_and_take_wildcards():
    policy = user_policy(Action=["S3:get*", "s3:Put?bject"])
    for action in ("s3:GetObject", "s3:GetBucketAcl", "s3:PutObject"):
        assert policy.decide(ask(action=action)) == "allow"
    for action in ("s3:PutBucketAcl", "s3:ListBucket", "s3:PutObjectAcl"):
        assert policy.decide(ask(action=action)) == "none"


def test_not_action_and_not_resource_mean_everything_else():
    policy = user_policy(NotAction="s3:Delete*", NotResource=f"{BUCKET}/secret/*")
    assert policy.decide(ask()) == "allow"
    assert policy.decide(ask(action="s3:DeleteObject")) == "none"
    assert policy.decide(ask(resource=f"{BUCKET}/secret/a")) == "none"


def test_resources_mind_case_and_take_every_character():
    policy = user_policy(Resource=[f"{BUCKET}/a?c/*.jpg"])
    assert policy.decide(ask(resource=f"{BUCKET}/a/c/x\ny/é.jpg")) == "allow"
    assert policy.decide(ask(resource=f"{BUCKET}/abc/x.JPG")) == "none"
    assert policy.decide(ask(resource=f"{BUCKET}/ac/x.jpg")) == "none"


def test_the_account_in_the_arn_of_a_bucket_says_nothing():
    policy = bucket_policy({"Resource": "arn:aws:s3::tenant:photos/*"})
    assert policy.decide(ask()) == "allow"


def test_a_user_has_a_folder_of_its_own_name():
    policy = user_policy(Resource=f"{BUCKET}/home/${{aws:username}}/*")
    assert policy.decide(ask(BOB, resource=f"{BUCKET}/home/bob/x")) == "allow"
    assert policy.decide(ask(BOB, resource=f"{BUCKET}/home/carol/x")) == "none"
    assert policy.decide(ask(OTHER, resource=f"{BUCKET}/home//x")) == "none"


def test_the_name_of_a_user_is_not_a_pattern():
    policy = user_policy(Resource=f"{BUCKET}/home/${{aws:username}}/*")
    star = Principal("444455556666", "AIDASTAR", "*")
    assert policy.decide(ask(star, resource=f"{BUCKET}/home/bob/x")) == "none"
    assert policy.decide(ask(star, resource=f"{BUCKET}/home/*/x")) == "allow"


def test_variables_are_text_in_the_old_version():
    policy = user_policy(version="2008-10-17", Resource=f"{BUCKET}/${{aws:username}}")
    assert policy.decide(ask(BOB, resource=f"{BUCKET}/bob")) == "none"
    assert policy.decide(ask(BOB, resource=f"{BUCKET}/${{aws:username}}")) == "allow"


def test_variables_have_defaults_and_stand_for_special_characters():
    policy = user_policy(Resource=f"{BUCKET}/${{aws:username, 'guest'}}/${{*}}${{?}}${{$}}")
    assert policy.decide(ask(OTHER, resource=f"{BUCKET}/guest/*?$")) == "allow"
    assert policy.decide(ask(BOB, resource=f"{BUCKET}/bob/*?$")) == "allow"
    assert policy.decide(ask(BOB, resource=f"{BUCKET}/bob/xx$")) == "none"


def test_a_context_cannot_claim_to_be_somebody():
    policy = user_policy(Condition={"StringEquals": {"aws:username": "bob"}})
    assert policy.decide(ask(BOB)) == "allow"
    assert policy.decide(ask(CAROL, **{"aws:username": ("bob",)})) == "none"
    assert policy.decide(ask(ANONYMOUS, **{"aws:userid": ("bob",)})) == "none"


def test_listing_can_be_limited_to_a_prefix():
    condition = {"StringLike": {"s3:prefix": ["", "home/", "home/${aws:username}/*"]}}
    policy = user_policy(Action="s3:ListBucket", Resource=BUCKET, Condition=condition)
    listing = {"principal": BOB, "action": "s3:ListBucket", "resource": BUCKET}
    assert policy.decide(ask(**listing, **{"s3:prefix": ("home/bob/a",)})) == "allow"
    assert policy.decide(ask(**listing, **{"s3:prefix": ("home/carol/a",)})) == "none"
    assert policy.decide(ask(**listing, **{"s3:prefix": ("",)})) == "allow"
    assert policy.decide(ask(**listing)) == "none"


def test_uploads_must_be_encrypted():
    key = "s3:x-amz-server-side-encryption"
    policy = bucket_policy(
        {"Effect": "Deny", "Condition": {"StringNotEquals": {key: "AES256"}}},
        {"Action": "s3:PutObject"},
    )
    put = {"action": "s3:PutObject"}
    assert policy.decide(ask(**put)) == "deny"
    assert policy.decide(ask(**put, **{key: ("aws:kms",)})) == "deny"
    assert policy.decide(ask(**put, **{key: ("AES256",)})) == "allow"


ALL_PUBLIC = [{}, {"Principal": {"AWS": ["1", "*"]}}, {"Action": "s3:GetObject"}]
FIXED = [
    {"StringEquals": {"aws:SourceVpc": "vpc-91237329"}},
    {"StringLike": {"aws:PrincipalOrgID": "o-1"}},
    {"StringEquals": {"aws:PrincipalAccount": ["1", "2"]}},
    {"StringEquals": {"s3:DataAccessPointAccount": "1"}},
    {"ArnLike": {"s3:DataAccessPointArn": "arn:aws:s3:us-west-2:123456789012:accesspoint/*"}},
    {"StringLike": {"s3:DataAccessPointArn": "arn:aws:s3:us-west-2:1234:accesspoint/*"}},
    {"IpAddress": {"aws:SourceIp": "10.0.0.0/32"}},
    {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]}},
]
NOT_FIXED = [
    {"StringLike": {"aws:SourceVpc": "vpc-*"}},
    {"StringLike": {"s3:DataAccessPointArn": "arn:aws:s3:*:1234:accesspoint/*"}},
    {"ArnLike": {"s3:DataAccessPointArn": "arn:aws:s3:us-west-2:*:accesspoint/*"}},
    {"StringEquals": {"aws:SourceVpc": "${aws:username}"}},
    {"StringNotEquals": {"aws:SourceVpc": "vpc-91237329"}},
    {"StringEqualsIfExists": {"aws:SourceVpc": "vpc-91237329"}},
    {"ForAllValues:StringEquals": {"aws:SourceVpc": "vpc-91237329"}},
    {"StringEquals": {"s3:prefix": "public/"}},
    {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}},
    {"IpAddress": {"aws:SourceIp": ["10.0.0.0/32", "128.0.0.0/1"]}},
    {"IpAddress": {"aws:SourceIp": "2000::/3"}},
    {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/32"}},
]


@pytest.mark.parametrize("statement", ALL_PUBLIC + [{"Condition": c} for c in NOT_FIXED])
def test_a_policy_is_public(statement):
    assert is_public(bucket_policy({"Principal": {"AWS": "1"}}, statement))


@pytest.mark.parametrize(
    "statement",
    [{"Condition": c} for c in FIXED]
    + [{"Principal": {"AWS": "1"}}, {"Effect": "Deny"}, {"Effect": "Deny", "NotPrincipal": "*"}],
)
def test_a_policy_is_not_public(statement):
    assert not is_public(bucket_policy(statement))


@pytest.mark.parametrize(
    "pattern",
    ["*a" * 5000 + "b", "*" * 9000, "*?" * 5000, "*" + "?a" * 4000 + "b*", "*a?" * 3000 + "*b"],
)
@pytest.mark.timeout(30)  # A matcher that goes back over its steps would take years.
def test_a_hostile_pattern_is_answered_at_once(pattern):
    policy = user_policy(Resource=[f"arn:{pattern}"])
    assert policy.decide(ask(resource="arn:" + "a" * 1100)) in {"allow", "none"}
