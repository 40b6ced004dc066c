"""What conditions of policies can ask about a request."""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from rs3gw.common import clock
from rs3gw.s3.auth import Identity
from rs3gw.s3.request import S3Request, wire_text

Context = dict[str, tuple[str, ...]]
_HEADER_KEYS = {
    "s3:x-amz-acl": "x-amz-acl",
    "s3:x-amz-content-sha256": "x-amz-content-sha256",
    "s3:x-amz-copy-source": "x-amz-copy-source",
    "s3:x-amz-grant-full-control": "x-amz-grant-full-control",
    "s3:x-amz-grant-read": "x-amz-grant-read",
    "s3:x-amz-grant-read-acp": "x-amz-grant-read-acp",
    "s3:x-amz-grant-write": "x-amz-grant-write",
    "s3:x-amz-grant-write-acp": "x-amz-grant-write-acp",
    "s3:x-amz-metadata-directive": "x-amz-metadata-directive",
    "s3:x-amz-server-side-encryption": "x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id": (
        "x-amz-server-side-encryption-aws-kms-key-id"
    ),
    "s3:x-amz-server-side-encryption-customer-algorithm": (
        "x-amz-server-side-encryption-customer-algorithm"
    ),
    "s3:x-amz-storage-class": "x-amz-storage-class",
    "s3:x-amz-website-redirect-location": "x-amz-website-redirect-location",
    "s3:object-lock-mode": "x-amz-object-lock-mode",
    "s3:object-lock-retain-until-date": "x-amz-object-lock-retain-until-date",
    "s3:object-lock-legal-hold": "x-amz-object-lock-legal-hold",
    "s3:if-match": "if-match",
    "s3:if-none-match": "if-none-match",
    "aws:referer": "referer",
    "aws:useragent": "user-agent",
}
_QUERY_KEYS = {
    "s3:prefix": "prefix",
    "s3:delimiter": "delimiter",
    "s3:max-keys": "max-keys",
    "s3:versionid": "versionId",
}


def request_context(request: S3Request, caller: Identity, version_id: str | None) -> Context:
    """Return the condition keys of a request, lower case, with their values."""
    now = clock.utcnow()
    found: Context = {
        "aws:currenttime": (now.strftime("%Y-%m-%dT%H:%M:%SZ"),),
        "aws:epochtime": (str(int(now.timestamp())),),
        "aws:securetransport": (str(request.environ.get("wsgi.url_scheme") == "https").lower(),),
        "aws:sourceip": (str(request.environ.get("REMOTE_ADDR", "")),),
    }
    for key, header in _HEADER_KEYS.items():
        if header in request.headers:
            found[key] = (wire_text(request.headers[header]),)
    for key, name in _QUERY_KEYS.items():
        if name in request.query:
            found[key] = (request.query[name],)
    if version_id is not None:
        found["s3:versionid"] = (version_id,)
    tags = parse_qsl(request.headers.get("x-amz-tagging", ""), keep_blank_values=True)
    if tags:
        found |= {f"s3:requestobjecttag/{name.lower()}": (value,) for name, value in tags}
        found["s3:requestobjecttagkeys"] = tuple(name for name, _ in tags)
    if not caller.is_anonymous:
        found |= _signature_context(caller, now)
    return found


def _signature_context(caller: Identity, now: datetime) -> Context:
    claim = caller.claim
    found: Context = {
        "s3:signatureversion": ("AWS4-HMAC-SHA256",),
        "s3:authtype": ("REST-QUERY-STRING" if claim.is_presigned() else "REST-HEADER",),
    }
    try:
        signed_at = datetime.strptime(claim.amz_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return found
    age_ms = max(0, int((now - signed_at).total_seconds() * 1000))
    return found | {"s3:signatureage": (str(age_ms),)}


def tag_context(tags: Mapping[str, str]) -> Context:
    """Return the condition keys of the tags that an object carries."""
    return {f"s3:existingobjecttag/{name.lower()}": (value,) for name, value in tags.items()}
