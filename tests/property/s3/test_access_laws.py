"""Laws of the decision: what holds whatever documents and lists there are."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rs3gw.s3.core.access import Question, decide
from rs3gw.s3.core.acl import ALL_USERS, AUTHENTICATED_USERS, PERMISSIONS, Acl, Grant
from rs3gw.s3.core.ownership import OWNERSHIPS, PublicAccessBlock
from rs3gw.s3.core.policy import Principal, parse_bucket_policy, parse_user_policy
from rs3gw.s3.core.policy_model import Policy

ACTIONS = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:GetObjectAcl"]
PEOPLE = [Principal(), Principal("1", "1"), Principal("1", "u", "bob"), Principal("2", "2"),
          Principal("2", "v", "eve")]  # fmt: skip

effects = st.sampled_from(["Allow", "Deny"])
actions = st.sampled_from([*ACTIONS, "s3:*", "s3:Get*"])
who = st.sampled_from(["*", {"AWS": "1"}, {"AWS": "2"}, {"AWS": "arn:aws:iam::1:user/bob"}])
fields = {"Effect": effects, "Action": actions, "Resource": st.just("*")}
bucket_policies = st.none() | st.lists(
    st.fixed_dictionaries(fields | {"Principal": who}), min_size=1, max_size=4
).map(lambda found: parse_bucket_policy(json.dumps({"Statement": found}), bucket="b"))
user_policies = st.lists(
    st.fixed_dictionaries(fields).map(lambda s: parse_user_policy(json.dumps({"Statement": s}))),
    max_size=2,
).map(tuple)
grants = st.builds(
    Grant, st.sampled_from(["1", "2", ALL_USERS, AUTHENTICATED_USERS]), st.sampled_from(PERMISSIONS)
)
acls = st.none() | st.lists(grants, max_size=3).map(lambda found: Acl("1", tuple(found)))
flags = st.booleans()
questions = st.builds(
    Question,
    principal=st.sampled_from(PEOPLE),
    action=st.sampled_from(ACTIONS),
    resource=st.just("arn:aws:s3:::b/k"),
    bucket_owner=st.just("1"),
    user_policies=user_policies,
    object_owner=st.sampled_from(["", "1", "2"]),
    bucket_policy=bucket_policies,
    bucket_acl=acls,
    object_acl=acls,
    public_access_block=st.builds(PublicAccessBlock, flags, flags, flags, flags),
    ownership=st.sampled_from(OWNERSHIPS),
)
DENY = {"Effect": "Deny", "Action": "*", "Resource": "*"}
DENY_USER = parse_user_policy(json.dumps({"Statement": DENY}))
DENY_ALL = parse_bucket_policy(json.dumps({"Statement": DENY | {"Principal": "*"}}), bucket="b")
WIDE_OPEN = Acl("1", (Grant(ALL_USERS, "FULL_CONTROL"),))


@given(questions)
def test_a_deny_in_the_bucket_policy_wins_whatever_else_stands(question):
    before = question.bucket_policy.statements if question.bucket_policy else ()
    denied = Policy(before + DENY_ALL.statements)
    assert not decide(replace(question, bucket_policy=denied))


@given(questions)
def test_a_deny_in_a_policy_of_the_user_wins_whatever_else_stands(question):
    denied = replace(question, user_policies=(*question.user_policies, DENY_USER))
    assert not (question.principal.is_user and decide(denied))


@given(questions)
def test_the_order_of_policies_does_not_matter(question):
    turned = replace(question, user_policies=question.user_policies[::-1])
    assert decide(turned) == decide(question)


@given(questions)
def test_strangers_get_nothing_without_a_policy_or_a_list(question):
    bare = replace(question, bucket_policy=None, bucket_acl=None, object_acl=None, object_owner="1")
    assert question.principal.account == "1" or not decide(bare)


@given(questions)
def test_more_grants_never_refuse(question):
    def wide(acl):
        return WIDE_OPEN if acl is None else Acl(acl.owner, acl.grants + WIDE_OPEN.grants)

    wider = replace(
        question, bucket_acl=wide(question.bucket_acl), object_acl=wide(question.object_acl)
    )
    assert not decide(question) or decide(wider)


@given(questions)
def test_blocking_public_access_never_allows_more(question):
    blocked = replace(question, public_access_block=PublicAccessBlock(True, True, True, True))
    assert not decide(blocked) or decide(question)


@given(questions)
def test_lists_say_nothing_where_the_bucket_owner_is_enforced(question):
    enforced = replace(question, ownership="BucketOwnerEnforced")
    silent = replace(enforced, bucket_acl=None, object_acl=None, object_owner="1")
    assert decide(enforced) == decide(silent)


@given(questions)
def test_an_anonymous_request_is_allowed_no_more_than_anybody_who_signs(question):
    nobody = replace(question, principal=PEOPLE[0])
    signed = replace(question, principal=Principal("3", "3"))
    assert not decide(nobody) or decide(signed)
