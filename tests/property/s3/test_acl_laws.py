"""Laws of access control lists."""

import json

from hypothesis import given
from hypothesis import strategies as st

from rs3gw.s3.core.acl import (
    CANNED_ACLS,
    GROUPS,
    PERMISSIONS,
    Acl,
    Grant,
    acl_xml,
    allows,
    canned_acl,
    from_json,
    to_json,
    without_public,
)
from rs3gw.s3.core.acl_requests import Directory, acl_from_headers, parse_acl
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.policy import ANONYMOUS, Principal

EVERYONE = Directory(known=lambda _: True, resolve=lambda _: None)
HEADERS = {
    permission: f"x-amz-grant-{permission.lower().replace('_', '-')}" for permission in PERMISSIONS
}
ids = st.text("abc012&<\"'é", min_size=1, max_size=8)
grants = st.builds(Grant, ids | st.sampled_from(sorted(GROUPS)), st.sampled_from(PERMISSIONS))
acls = st.builds(Acl, ids, st.lists(grants, max_size=6).map(tuple))
people = st.sampled_from([ANONYMOUS, Principal("a", "a"), Principal("b", "u", "x")])


@given(acls)
def test_a_list_is_read_from_the_document_it_is_written_as(acl):
    assert parse_acl(acl_xml(acl, str.upper), EVERYONE) == acl


@given(acls)
def test_a_list_is_read_from_the_json_it_is_stored_as(acl):
    assert from_json(json.loads(json.dumps(to_json(acl)))) == acl


@given(st.sampled_from(sorted(CANNED_ACLS)), ids, ids)
def test_a_canned_list_survives_document_and_header(name, owner, bucket_owner):
    acl = canned_acl(name, owner=owner, bucket_owner=bucket_owner)
    assert parse_acl(acl_xml(acl, str), EVERYONE) == acl
    headers = {"x-amz-acl": name}
    owners = {"owner": owner, "bucket_owner": bucket_owner}
    assert acl_from_headers(headers, **owners, directory=EVERYONE) == acl


@given(st.lists(st.builds(Grant, st.text("abc", min_size=1) | st.sampled_from(sorted(GROUPS)),
                          st.sampled_from(PERMISSIONS)), min_size=1, max_size=6))  # fmt: skip
def test_grants_survive_headers(found):
    headers = {}
    for grant in found:
        kind = "uri" if grant.grantee in GROUPS else "id"
        values = headers.setdefault(HEADERS[grant.permission], [])
        values.append(f'{kind}="{grant.grantee}"')
    joined = {name: ", ".join(values) for name, values in headers.items()}
    acl = acl_from_headers(joined, owner="a", bucket_owner="a", directory=EVERYONE)
    assert sorted(map(str, acl.grants)) == sorted(map(str, found))


@given(acls, people, st.sampled_from(PERMISSIONS))
def test_full_control_is_every_permission_and_more_grants_never_take_away(acl, who, permission):
    if allows(acl, who, "FULL_CONTROL"):
        assert allows(acl, who, permission)
    if allows(without_public(acl), who, permission):
        assert allows(acl, who, permission)
    assert not allows(without_public(acl), ANONYMOUS, permission)


@given(st.text(max_size=60))
def test_any_header_is_grants_or_refused(value):
    try:
        found = acl_from_headers(
            {"x-amz-grant-read": value}, owner="a", bucket_owner="a", directory=EVERYONE
        )
    except S3Error as error:
        assert error.code in ("InvalidArgument", "UnresolvableGrantByEmailAddress")
    else:
        assert found.grants
