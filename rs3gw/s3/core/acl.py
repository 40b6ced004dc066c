"""Access control lists: who is granted what on a bucket or an object.

What clients send is read in `acl_requests`; here are the values and what they allow.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rs3gw.s3.core import xml
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.policy_model import Principal

GRANTS_MAX = 100
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED_USERS = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery"
GROUPS = frozenset({ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY})
PUBLIC_GROUPS = frozenset({ALL_USERS, AUTHENTICATED_USERS})
PERMISSIONS = ("FULL_CONTROL", "READ", "READ_ACP", "WRITE", "WRITE_ACP")
XSI = "http://www.w3.org/2001/XMLSchema-instance"

_GROUP_GRANTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "private": (),
    "public-read": ((ALL_USERS, "READ"),),
    "public-read-write": ((ALL_USERS, "READ"), (ALL_USERS, "WRITE")),
    "authenticated-read": ((AUTHENTICATED_USERS, "READ"),),
    "log-delivery-write": ((LOG_DELIVERY, "WRITE"), (LOG_DELIVERY, "READ_ACP")),
    # The reader AWS adds to this list is its EC2 service, which no account here can be.
    "aws-exec-read": (),
}
_BUCKET_OWNER_GRANTS: Mapping[str, str] = {
    "bucket-owner-read": "READ",
    "bucket-owner-full-control": "FULL_CONTROL",
}
CANNED_ACLS = frozenset(_GROUP_GRANTS) | frozenset(_BUCKET_OWNER_GRANTS)


@dataclass(frozen=True, slots=True)
class Grant:
    """One permission of one grantee.

    Args:
        grantee: A canonical user id, or the URI of a group in `GROUPS`.
        permission: One of `PERMISSIONS`.
    """

    grantee: str
    permission: str


@dataclass(frozen=True, slots=True)
class Acl:
    """An access control list: the canonical id of the owner, and up to 100 grants."""

    owner: str
    grants: tuple[Grant, ...] = ()


def canned_acl(name: str, *, owner: str, bucket_owner: str) -> Acl:
    """Return the list a canned name stands for.

    Args:
        name: As in x-amz-acl.
        owner: Of the bucket or object.
        bucket_owner: Of the bucket; the same as `owner` for a bucket's own list.

    Raises:
        S3Error: InvalidArgument: there is no such list.
    """
    if name not in CANNED_ACLS:
        raise S3Error("InvalidArgument", "x-amz-acl names no canned access control list.")
    grants = [Grant(owner, "FULL_CONTROL")]
    if name in _GROUP_GRANTS:
        grants += [Grant(group, permission) for group, permission in _GROUP_GRANTS[name]]
    elif bucket_owner != owner:
        grants.append(Grant(bucket_owner, _BUCKET_OWNER_GRANTS[name]))
    return Acl(owner, tuple(grants))


def allows(acl: Acl, principal: Principal, permission: str) -> bool:
    """Return whether a list grants a permission, or FULL_CONTROL, to a principal.

    A user stands for its account. Groups count as S3 has them: everybody, and everybody who
    signed; the group that delivers logs is nobody who could ask.
    """
    grantees = {ALL_USERS}
    if not principal.is_anonymous:
        grantees |= {AUTHENTICATED_USERS, principal.account}
    return any(
        grant.grantee in grantees and grant.permission in (permission, "FULL_CONTROL")
        for grant in acl.grants
    )


def is_public_acl(acl: Acl) -> bool:
    """Return whether anything is granted to everybody, or to everybody who signs."""
    return any(grant.grantee in PUBLIC_GROUPS for grant in acl.grants)


def without_public(acl: Acl) -> Acl:
    """Return a list without the grants that make it public, as IgnorePublicAcls reads it."""
    return replace(acl, grants=tuple(g for g in acl.grants if g.grantee not in PUBLIC_GROUPS))


def check_grants(grants: Iterable[Grant], known: Callable[[str], bool]) -> tuple[Grant, ...]:
    """Return grants, refusing too many and those for nobody.

    Args:
        grants: With valid permissions.
        known: Whether a canonical id is of an account.

    Raises:
        S3Error: InvalidArgument for an unknown id, MalformedACLError for too many grants.
    """
    found = tuple(grants)
    if len(found) > GRANTS_MAX:
        raise S3Error("MalformedACLError", f"A list has at most {GRANTS_MAX} grants.")
    for grantee in {grant.grantee for grant in found} - GROUPS:
        if not known(grantee):
            raise S3Error("InvalidArgument", "Invalid id")
    return found


def to_json(acl: Acl) -> dict[str, Any]:
    """Return a list as JSON values."""
    return {"owner": acl.owner, "grants": [[g.grantee, g.permission] for g in acl.grants]}


def from_json(found: Mapping[str, Any]) -> Acl:
    """Return the list that `to_json` wrote.

    Raises:
        ValueError: The values are no such list.
    """
    try:
        grants = tuple(Grant(str(grantee), str(right)) for grantee, right in found["grants"])
        acl = Acl(str(found["owner"]), grants)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not an access control list: {error!r}") from None
    if any(grant.permission not in PERMISSIONS for grant in acl.grants):
        raise ValueError("not an access control list: a permission is unknown")
    return acl


def acl_xml(acl: Acl, display_name: Callable[[str], str]) -> bytes:
    """Return an AccessControlPolicy document.

    Args:
        acl: The list.
        display_name: The name of an account by its canonical id.
    """
    owner = xml.tag("ID", acl.owner) + xml.tag("DisplayName", display_name(acl.owner))
    grants = "".join(_grant_xml(grant, display_name) for grant in acl.grants)
    return xml.document(
        "AccessControlPolicy",
        f"<Owner>{owner}</Owner><AccessControlList>{grants}</AccessControlList>",
    )


def _grant_xml(grant: Grant, display_name: Callable[[str], str]) -> str:
    if grant.grantee in GROUPS:
        kind, inner = "Group", xml.tag("URI", grant.grantee)
    else:
        name = xml.tag("DisplayName", display_name(grant.grantee))
        kind, inner = "CanonicalUser", xml.tag("ID", grant.grantee) + name
    grantee = f'<Grantee xmlns:xsi="{XSI}" xsi:type="{kind}">{inner}</Grantee>'
    return f"<Grant>{grantee}{xml.tag('Permission', grant.permission)}</Grant>"
