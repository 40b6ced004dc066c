"""Object ownership and Block Public Access."""

import pytest

from rs3gw.s3.core.acl import ALL_USERS, Acl, Grant, canned_acl
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.ownership import (
    OWNERSHIPS,
    PublicAccessBlock,
    check_acl_accepted,
    new_object_acl,
    ownership_controls_xml,
    parse_ownership,
    parse_ownership_controls,
    parse_public_access_block,
    public_access_block_xml,
)

FULL = Grant("owner", "FULL_CONTROL")
HANDED = canned_acl("bucket-owner-full-control", owner="writer", bucket_owner="owner")


@pytest.mark.parametrize("ownership", OWNERSHIPS)
def test_ownership_controls_are_read_as_written(ownership):
    assert parse_ownership_controls(ownership_controls_xml(ownership)) == ownership
    assert parse_ownership(ownership) == ownership


@pytest.mark.parametrize(
    "rules",
    [
        "",
        "<Rule/>",
        "<Rule><ObjectOwnership>Nobody</ObjectOwnership></Rule>",
        "<Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>" * 2,
    ],
)
def test_wrong_ownership_controls_are_refused(rules):
    with pytest.raises(S3Error, match="one Rule"):
        parse_ownership_controls(f"<OwnershipControls>{rules}</OwnershipControls>".encode())
    with pytest.raises(S3Error) as caught:
        parse_ownership("Nobody")
    assert caught.value.code == "InvalidArgument"


def test_a_public_access_block_is_read_as_written():
    block = PublicAccessBlock(True, False, True, False)
    assert parse_public_access_block(public_access_block_xml(block)) == block
    head, tail = b"<PublicAccessBlockConfiguration>", b"</PublicAccessBlockConfiguration>"
    assert parse_public_access_block(head + tail) == PublicAccessBlock()
    partial = head + b"<IgnorePublicAcls>TRUE</IgnorePublicAcls>" + tail
    assert parse_public_access_block(partial) == PublicAccessBlock(ignore_public_acls=True)


@pytest.mark.parametrize(
    "inner",
    ["<Other>true</Other>", "<BlockPublicAcls>1</BlockPublicAcls>",
     "<BlockPublicAcls>true</BlockPublicAcls>" * 2],
)  # fmt: skip
def test_a_wrong_public_access_block_is_refused(inner):
    name = "PublicAccessBlockConfiguration"
    with pytest.raises(S3Error, match="at most once"):
        parse_public_access_block(f"<{name}>{inner}</{name}>".encode())
    with pytest.raises(S3Error, match=name):
        parse_public_access_block(b"<Other/>")


def test_of_two_public_access_blocks_the_stricter_settings_hold():
    bucket, account = PublicAccessBlock(True, False, False, True), PublicAccessBlock(False, True)
    assert bucket.merge(account) == PublicAccessBlock(True, True, False, True)


@pytest.mark.parametrize(
    ("acl", "canned", "accepted"),
    [
        (HANDED, "bucket-owner-full-control", True),
        (Acl("owner", (FULL,)), None, True),
        (Acl("owner", (FULL,)), "private", False),
        (HANDED, None, False),
        (Acl("owner"), None, False),
        (Acl("owner", (FULL, Grant(ALL_USERS, "READ"))), "public-read", False),
    ],
)
def test_where_lists_are_off_only_what_holds_anyway_is_accepted(acl, canned, accepted):
    def check(ownership):
        check_acl_accepted(acl, canned=canned, ownership=ownership, bucket_owner="owner")

    check("ObjectWriter")
    check("BucketOwnerPreferred")
    if accepted:
        check("BucketOwnerEnforced")
    else:
        with pytest.raises(S3Error, match="does not allow ACLs"):
            check("BucketOwnerEnforced")


@pytest.mark.parametrize(
    ("acl", "ownership", "owner"),
    [
        (None, "ObjectWriter", "writer"),
        (None, "BucketOwnerPreferred", "writer"),
        (None, "BucketOwnerEnforced", "owner"),
        (HANDED, "ObjectWriter", "writer"),
        (HANDED, "BucketOwnerPreferred", "owner"),
        (HANDED, "BucketOwnerEnforced", "owner"),
    ],
)
def test_who_owns_a_new_object(acl, ownership, owner):
    found = new_object_acl(acl, writer="writer", bucket_owner="owner", ownership=ownership)
    assert found.owner == owner
    assert Grant(owner, "FULL_CONTROL") in found.grants
    if owner == "owner":
        assert found.grants == (FULL,)


def test_an_object_of_nobody_is_the_bucket_owners():
    found = new_object_acl(None, writer="", bucket_owner="owner", ownership="ObjectWriter")
    assert found == Acl("owner", (FULL,))
    public = canned_acl("public-read", owner="", bucket_owner="owner")
    found = new_object_acl(public, writer="", bucket_owner="owner", ownership="ObjectWriter")
    assert found == Acl("owner", (FULL, Grant(ALL_USERS, "READ")))


def test_the_owner_of_the_bucket_keeps_the_grants_it_sends_unless_lists_are_off():
    public = canned_acl("public-read", owner="owner", bucket_owner="owner")
    people = {"writer": "owner", "bucket_owner": "owner"}
    assert new_object_acl(public, **people, ownership="ObjectWriter") == public
    assert new_object_acl(public, **people, ownership="BucketOwnerEnforced").grants == (FULL,)
