"""Object ownership and Block Public Access: the two settings that limit access control lists."""

from dataclasses import astuple, dataclass
from typing import Literal, cast

from rs3gw.s3.core import xml
from rs3gw.s3.core.acl import Acl, Grant
from rs3gw.s3.core.errors import S3Error

Ownership = Literal["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"]
OWNERSHIPS = ("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter")
_FLAGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


@dataclass(frozen=True, slots=True)
class PublicAccessBlock:
    """The four settings of Block Public Access, off unless set."""

    block_public_acls: bool = False
    ignore_public_acls: bool = False
    block_public_policy: bool = False
    restrict_public_buckets: bool = False

    def merge(self, other: "PublicAccessBlock") -> "PublicAccessBlock":
        """Return the stricter of two, setting by setting: of a bucket and its account."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return PublicAccessBlock(*(mine or theirs for mine, theirs in pairs))


def parse_ownership(text: str) -> Ownership:
    """Return an ownership by its name, as in x-amz-object-ownership.

    Raises:
        S3Error: InvalidArgument.
    """
    if text not in OWNERSHIPS:
        raise S3Error("InvalidArgument", f"Object ownership is one of {', '.join(OWNERSHIPS)}.")
    return cast(Ownership, text)


def parse_ownership_controls(body: bytes) -> Ownership:
    """Return the one rule of an OwnershipControls document.

    Raises:
        S3Error: MalformedXML.
    """
    root = xml.parse(body)
    found = [(rule.findtext("ObjectOwnership") or "").strip() for rule in root.findall("Rule")]
    if root.tag != "OwnershipControls" or len(found) != 1 or found[0] not in OWNERSHIPS:
        message = f"OwnershipControls has one Rule with one of {', '.join(OWNERSHIPS)}."
        raise S3Error("MalformedXML", message)
    return parse_ownership(found[0])


def ownership_controls_xml(ownership: Ownership) -> bytes:
    """Return an OwnershipControls document."""
    rule = xml.tag("ObjectOwnership", ownership)
    return xml.document("OwnershipControls", f"<Rule>{rule}</Rule>")


def parse_public_access_block(body: bytes) -> PublicAccessBlock:
    """Return the settings of a PublicAccessBlockConfiguration; one that is left out is off.

    Raises:
        S3Error: MalformedXML.
    """
    root = xml.parse(body)
    if root.tag != "PublicAccessBlockConfiguration":
        raise S3Error("MalformedXML", "The document must be a PublicAccessBlockConfiguration.")
    flags: dict[str, bool] = {}
    for element in root:
        text = (element.text or "").strip().lower()
        if element.tag not in _FLAGS or element.tag in flags or text not in ("true", "false"):
            message = f"Give each of {', '.join(_FLAGS)} at most once, as true or false."
            raise S3Error("MalformedXML", message)
        flags[element.tag] = text == "true"
    return PublicAccessBlock(*(flags.get(name, False) for name in _FLAGS))


def public_access_block_xml(block: PublicAccessBlock) -> bytes:
    """Return a PublicAccessBlockConfiguration document."""
    pairs = zip(_FLAGS, astuple(block), strict=True)
    inner = "".join(xml.tag(name, str(flag).lower()) for name, flag in pairs)
    return xml.document("PublicAccessBlockConfiguration", inner)


def check_acl_accepted(
    acl: Acl, *, canned: str | None, ownership: Ownership, bucket_owner: str
) -> None:
    """Refuse a list where lists are switched off, unless it says what holds anyway.

    Args:
        acl: The list of a request.
        canned: The value of x-amz-acl when the list came from there.
        ownership: Of the bucket.
        bucket_owner: Its canonical id.

    Raises:
        S3Error: AccessControlListNotSupported.
    """
    if ownership != "BucketOwnerEnforced":
        return
    if canned is not None:
        says_nothing = canned.strip() == "bucket-owner-full-control"
    else:
        says_nothing = set(acl.grants) == {Grant(bucket_owner, "FULL_CONTROL")}
    if not says_nothing:
        raise S3Error("AccessControlListNotSupported", "The bucket does not allow ACLs")


def check_enforceable(acl: Acl, ownership: Ownership) -> None:
    """Refuse to switch off the list of a bucket while it grants anything to others.

    Raises:
        S3Error: InvalidBucketAclWithObjectOwnership.
    """
    others = {grant.grantee for grant in acl.grants} - {acl.owner}
    if ownership == "BucketOwnerEnforced" and others:
        raise S3Error(
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        )


def new_object_acl(acl: Acl | None, *, writer: str, bucket_owner: str, ownership: Ownership) -> Acl:
    """Return the list of a new object, whose owner is the object's.

    Args:
        acl: The list sent with it, None without one.
        writer: The account that writes, "" for anonymous: the bucket's owner then owns it.
        bucket_owner: The account of the bucket.
        ownership: Of the bucket.
    """
    to_bucket_owner = Grant(bucket_owner, "FULL_CONTROL")
    handed_over = acl is not None and to_bucket_owner in acl.grants
    if writer in ("", bucket_owner):
        if acl is None or ownership == "BucketOwnerEnforced":
            return Acl(bucket_owner, (to_bucket_owner,))
        return Acl(bucket_owner, tuple(_for(bucket_owner, grant) for grant in acl.grants))
    if ownership == "BucketOwnerEnforced":
        return Acl(bucket_owner, (to_bucket_owner,))
    if ownership == "BucketOwnerPreferred" and handed_over:
        return Acl(bucket_owner, (to_bucket_owner,))
    return acl or Acl(writer, (Grant(writer, "FULL_CONTROL"),))


def _for(owner: str, grant: Grant) -> Grant:
    """Return a grant, to the owner when it was to an anonymous writer."""
    return grant if grant.grantee else Grant(owner, grant.permission)
