"""Access control lists, as headers and documents say them, and what they allow."""

import pytest

from rs3gw.s3.core.acl import (
    ALL_USERS,
    AUTHENTICATED_USERS,
    LOG_DELIVERY,
    Acl,
    Grant,
    acl_xml,
    allows,
    canned_acl,
    from_json,
    is_public_acl,
    to_json,
    without_public,
)
from rs3gw.s3.core.acl_requests import Directory, acl_from_headers, parse_acl
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.policy import ANONYMOUS, Principal
from rs3gw.s3.core.xml import parse

DIRECTORY = Directory(known={"alice", "bob"}.__contains__, resolve={"b@x.org": "bob"}.get)
ALICE, BOB = Principal("alice", "alice"), Principal("bob", "bob")
OWN = Grant("alice", "FULL_CONTROL")


def from_headers(headers, owner="alice", bucket_owner="bob"):
    return acl_from_headers(headers, owner=owner, bucket_owner=bucket_owner, directory=DIRECTORY)


def code_of(call, *args):
    with pytest.raises(S3Error) as caught:
        call(*args)
    return caught.value.code


def grantee(kind, name, value, xsi="http://www.w3.org/2001/XMLSchema-instance"):
    attribute = f'xmlns:xsi="{xsi}" xsi:type="{kind}"'
    return f"<Grantee {attribute}><{name}>{value}</{name}></Grantee>"


def body(*grants, owner="<Owner><ID>alice</ID></Owner>"):
    inner = "".join(f"<Grant>{who}<Permission>{what}</Permission></Grant>" for who, what in grants)
    xmlns = "http://s3.amazonaws.com/doc/2006-03-01/"
    items = f"<AccessControlList>{inner}</AccessControlList>"
    return f'<AccessControlPolicy xmlns="{xmlns}">{owner}{items}</AccessControlPolicy>'.encode()


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("private", []),
        ("public-read", [Grant(ALL_USERS, "READ")]),
        ("public-read-write", [Grant(ALL_USERS, "READ"), Grant(ALL_USERS, "WRITE")]),
        ("authenticated-read", [Grant(AUTHENTICATED_USERS, "READ")]),
        ("bucket-owner-read", [Grant("bob", "READ")]),
        ("bucket-owner-full-control", [Grant("bob", "FULL_CONTROL")]),
        ("log-delivery-write", [Grant(LOG_DELIVERY, "WRITE"), Grant(LOG_DELIVERY, "READ_ACP")]),
        ("aws-exec-read", []),
    ],
)
def test_a_canned_list_grants_the_owner_everything_and_others_what_it_says(name, more):
    assert canned_acl(name, owner="alice", bucket_owner="bob") == Acl("alice", (OWN, *more))
    assert from_headers({"x-amz-acl": name}) == Acl("alice", (OWN, *more))


def test_the_owner_of_the_bucket_is_not_granted_twice():
    for name in ("bucket-owner-read", "bucket-owner-full-control"):
        assert canned_acl(name, owner="alice", bucket_owner="alice").grants == (OWN,)


def test_an_unknown_canned_list_is_refused():
    assert code_of(from_headers, {"x-amz-acl": "public"}) == "InvalidArgument"
    assert code_of(from_headers, {"x-amz-acl": ""}) == "InvalidArgument"


def test_headers_without_grants_say_nothing():
    assert from_headers({"x-amz-date": "20240101T000000Z"}) is None


def test_grants_are_read_from_headers():
    headers = {
        "x-amz-grant-read": f'uri="{ALL_USERS}", emailAddress="b@x.org"',
        "x-amz-grant-full-control": "id=alice,ID = bob",
        "x-amz-grant-write-acp": 'id="bob"',
    }
    assert set(from_headers(headers).grants) == {
        Grant(ALL_USERS, "READ"),
        Grant("bob", "READ"),
        OWN,
        Grant("bob", "FULL_CONTROL"),
        Grant("bob", "WRITE_ACP"),
    }


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-amz-acl": "private", "x-amz-grant-read": "id=alice"}, "InvalidRequest"),
        ({"x-amz-grant-read": "id=carol"}, "InvalidArgument"),
        ({"x-amz-grant-read": f"id={ALL_USERS}"}, "InvalidArgument"),
        ({"x-amz-grant-read": "uri=http://acs.amazonaws.com/groups/other"}, "InvalidArgument"),
        ({"x-amz-grant-read": "emailAddress=c@x.org"}, "UnresolvableGrantByEmailAddress"),
        ({"x-amz-grant-read": "alice"}, "InvalidArgument"),
        ({"x-amz-grant-read": ""}, "InvalidArgument"),
        ({"x-amz-grant-read": "  "}, "InvalidArgument"),
        ({"x-amz-grant-read": 'id="alice'}, "InvalidArgument"),
        ({"x-amz-grant-read": "id=alice id=bob"}, "InvalidArgument"),
        ({"x-amz-grant-read": ",".join(["id=bob"] * 101)}, "MalformedACLError"),
        ({"x-amz-grant-read": "id=bob," * 9000}, "InvalidArgument"),
    ],
)
def test_wrong_headers_are_refused(headers, code):
    assert code_of(from_headers, headers) == code


def test_a_document_is_read():
    found = parse_acl(
        body(
            (grantee("CanonicalUser", "ID", "alice"), "FULL_CONTROL"),
            (grantee("Group", "URI", LOG_DELIVERY), "WRITE"),
            (grantee("AmazonCustomerByEmail", "EmailAddress", "b@x.org"), "READ_ACP"),
        ),
        DIRECTORY,
    )
    assert found == Acl("alice", (OWN, Grant(LOG_DELIVERY, "WRITE"), Grant("bob", "READ_ACP")))


def test_a_document_may_grant_nothing():
    assert parse_acl(body(), DIRECTORY) == Acl("alice")


ALICE_XML = grantee("CanonicalUser", "ID", "alice")


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"", "MalformedACLError"),
        (b"<AccessControlPolicy/>", "MalformedACLError"),
        (b"<!DOCTYPE a []><AccessControlPolicy/>", "MalformedACLError"),
        (body(owner=""), "MalformedACLError"),
        (body(owner="<Owner/>"), "MalformedACLError"),
        (body().replace(b"AccessControlPolicy", b"Policy"), "MalformedACLError"),
        (body((ALICE_XML, "EVERYTHING")), "MalformedACLError"),
        (body(("", "READ")), "MalformedACLError"),
        (body((ALICE_XML, "READ")).replace(b"Grant>", b"Gift>"), "MalformedACLError"),
        (body((grantee("Person", "ID", "alice"), "READ")), "MalformedACLError"),
        (body((grantee("CanonicalUser", "URI", "alice"), "READ")), "MalformedACLError"),
        (body((grantee("CanonicalUser", "ID", "alice", "urn:x"), "READ")), "MalformedACLError"),
        (body(*[(ALICE_XML, "READ")] * 101), "MalformedACLError"),
        (body((grantee("CanonicalUser", "ID", "carol"), "READ")), "InvalidArgument"),
        (body((grantee("CanonicalUser", "ID", ALL_USERS), "READ")), "InvalidArgument"),
        (body((grantee("Group", "URI", "urn:all"), "READ")), "InvalidArgument"),
        (
            body((grantee("AmazonCustomerByEmail", "EmailAddress", "c@x.org"), "READ")),
            "UnresolvableGrantByEmailAddress",
        ),
    ],
)
def test_a_wrong_document_is_refused(document, code):
    assert code_of(parse_acl, document, DIRECTORY) == code


def test_a_document_names_types_and_display_names():
    acl = Acl("alice", (OWN, Grant(ALL_USERS, "READ")))
    written = acl_xml(acl, {"alice": "A & Co"}.__getitem__)
    root = parse(written)
    assert root.findtext("Owner/DisplayName") == "A & Co"
    assert [g.findtext("Permission") for g in root.iter("Grant")] == ["FULL_CONTROL", "READ"]
    assert b'xsi:type="CanonicalUser"><ID>alice</ID><DisplayName>A &amp; Co' in written
    assert f'xsi:type="Group"><URI>{ALL_USERS}</URI>'.encode() in written


def test_grants_reach_those_they_name():
    acl = Acl("alice", (OWN, Grant("bob", "READ_ACP")))
    assert allows(acl, ALICE, "WRITE")
    assert allows(acl, Principal("alice", "u1", "ann"), "WRITE")
    assert allows(acl, BOB, "READ_ACP")
    assert not allows(acl, BOB, "READ")
    assert not allows(acl, ANONYMOUS, "READ")


def test_groups_mean_everybody_and_everybody_who_signs():
    everybody = Acl("alice", (Grant(ALL_USERS, "READ"),))
    signed = Acl("alice", (Grant(AUTHENTICATED_USERS, "READ"),))
    logs = Acl("alice", (Grant(LOG_DELIVERY, "READ"),))
    assert [allows(everybody, p, "READ") for p in (BOB, ANONYMOUS)] == [True, True]
    assert [allows(signed, p, "READ") for p in (BOB, ANONYMOUS)] == [True, False]
    assert [allows(logs, p, "READ") for p in (BOB, ANONYMOUS)] == [False, False]
    assert [is_public_acl(a) for a in (everybody, signed, logs)] == [True, True, False]
    assert without_public(everybody).grants == without_public(signed).grants == ()
    assert without_public(logs) == logs


@pytest.mark.parametrize(
    "found",
    [{}, [], {"owner": "a", "grants": 1}, {"owner": "a", "grants": [["a"]]},
     {"owner": "a", "grants": [["a", "ALL"]]}],
)  # fmt: skip
def test_json_that_is_no_list_is_refused(found):
    with pytest.raises(ValueError, match="not an access control list"):
        from_json(found)
    assert from_json(to_json(Acl("a", (Grant("a", "READ"),)))) == Acl("a", (Grant("a", "READ"),))
