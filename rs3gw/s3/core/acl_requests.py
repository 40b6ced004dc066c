"""Access control lists as clients send them: in headers, or as a document."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from rs3gw.s3.core import xml
from rs3gw.s3.core.acl import (
    GRANTS_MAX,
    GROUPS,
    PERMISSIONS,
    XSI,
    Acl,
    Grant,
    canned_acl,
    check_grants,
)
from rs3gw.s3.core.errors import S3Error

HEADER_CHARS_MAX = 16 * 1024
_GRANT_HEADERS = {
    "x-amz-grant-read": "READ",
    "x-amz-grant-write": "WRITE",
    "x-amz-grant-read-acp": "READ_ACP",
    "x-amz-grant-write-acp": "WRITE_ACP",
    "x-amz-grant-full-control": "FULL_CONTROL",
}
_GRANTEE = re.compile(r'\s*(id|uri|emailaddress)\s*=\s*(?:"([^"]*)"|([^",\s]+))\s*(?:,|$)', re.I)
_TYPES = {"CanonicalUser": "ID", "Group": "URI", "AmazonCustomerByEmail": "EmailAddress"}
_KINDS = {"id": "ID", "uri": "URI", "emailaddress": "EmailAddress"}


@dataclass(frozen=True, slots=True)
class Directory:
    """What is known about accounts.

    Args:
        known: Whether a canonical id is of an account.
        resolve: The canonical id of the account with an e-mail address, or None.
    """

    known: Callable[[str], bool]
    resolve: Callable[[str], str | None]


def acl_from_headers(
    headers: Mapping[str, str], *, owner: str, bucket_owner: str, directory: Directory
) -> Acl | None:
    """Return the list of x-amz-acl or the x-amz-grant headers, None when there are none.

    Args:
        headers: Values by lower-case name.
        owner: Of the bucket or object the list is for.
        bucket_owner: Of the bucket; the same as `owner` for a bucket's own list.
        directory: What is known about accounts.

    Raises:
        S3Error: InvalidRequest for both kinds at once, InvalidArgument,
            UnresolvableGrantByEmailAddress, MalformedACLError for too many grants.
    """
    canned = headers.get("x-amz-acl")
    named = {name: headers[name] for name in _GRANT_HEADERS if name in headers}
    if canned is not None and named:
        message = "Specifying both Canned ACLs and Header Grants is not allowed"
        raise S3Error("InvalidRequest", message)
    if canned is not None:
        return canned_acl(canned.strip(), owner=owner, bucket_owner=bucket_owner)
    if not named:
        return None
    grants = tuple(
        Grant(grantee, _GRANT_HEADERS[name])
        for name, value in named.items()
        for grantee in _header_grantees(value, directory)
    )
    return Acl(owner, check_grants(grants, directory.known))


def _header_grantees(value: str, directory: Directory) -> Iterator[str]:
    """Yield the grantees of one header: `id="...", uri="...", emailAddress="..."`."""
    if len(value) > HEADER_CHARS_MAX:
        raise S3Error("InvalidArgument", "A header of grants is too long.")
    place = 0
    while place < len(value):
        found = _GRANTEE.match(value, place)
        if found is None:
            raise S3Error("InvalidArgument", "Argument format not recognized")
        yield _grantee(_KINDS[found[1].lower()], found[2] or found[3] or "", directory)
        place = found.end()
    if not value.strip():
        raise S3Error("InvalidArgument", "Argument format not recognized")


def _grantee(kind: str, value: str, directory: Directory) -> str:
    """Return a canonical id or the URI of a group; ids are checked with the whole list."""
    if kind == "URI":
        if value not in GROUPS:
            raise S3Error("InvalidArgument", "Invalid group uri")
        return value
    if kind == "EmailAddress":
        found = directory.resolve(value)
        if found is None:
            message = "The e-mail address you provided does not match any account on record."
            raise S3Error("UnresolvableGrantByEmailAddress", message)
        return found
    # A group is only ever named as one.
    if value in GROUPS:
        raise S3Error("InvalidArgument", "Invalid id")
    return value


def parse_acl(body: bytes, directory: Directory) -> Acl:
    """Return the list of an AccessControlPolicy document.

    Args:
        body: XML of bounded size.
        directory: What is known about accounts.

    Raises:
        S3Error: MalformedACLError, InvalidArgument or UnresolvableGrantByEmailAddress.
    """
    try:
        root = xml.parse(body)
    except S3Error as error:
        raise S3Error("MalformedACLError", str(error)) from None
    owner, grants = root.find("Owner"), root.find("AccessControlList")
    if root.tag != "AccessControlPolicy" or owner is None or grants is None:
        raise _malformed("An AccessControlPolicy has an Owner and an AccessControlList.")
    items = grants.findall("Grant")
    if len(items) != len(grants) or len(items) > GRANTS_MAX:
        raise _malformed(f"An AccessControlList has up to {GRANTS_MAX} Grants.")
    found = (_grant(item, directory) for item in items)
    return Acl(_only_text(owner, "ID"), check_grants(found, directory.known))


def _malformed(message: str) -> S3Error:
    return S3Error("MalformedACLError", message)


def _only_text(element: Element, name: str) -> str:
    found = element.findall(name)
    if len(found) != 1 or not (found[0].text or "").strip():
        raise _malformed(f"A {element.tag} has one {name}.")
    return (found[0].text or "").strip()


def _grant(item: Element, directory: Directory) -> Grant:
    grantee = item.find("Grantee")
    permission = _only_text(item, "Permission")
    if grantee is None or permission not in PERMISSIONS:
        raise _malformed("A Grant has a Grantee and a known Permission.")
    kind = _TYPES.get(grantee.get(f"{{{XSI}}}type", "").rpartition(":")[2])
    if kind is None:
        raise _malformed("A Grantee is a CanonicalUser, a Group or an AmazonCustomerByEmail.")
    return Grant(_grantee(kind, _only_text(grantee, kind), directory), permission)
