"""Signature version 4: what is signed, and whether it was signed with a given secret.

Nothing here knows a secret of its own, a clock or a request object. Paths are taken as they were
sent: S3, unlike other services, does not normalise them.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes

from rs3gw.s3.core.errors import S3Error

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
SKEW_SECONDS_MAX = 900
EXPIRES_SECONDS_MAX = 604_800
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
SAFE = "-_.~"
# What stands in the signed text anyway, and what proxies add.
_NEED_NO_SIGNATURE = frozenset({"x-amz-cf-id", "x-amz-content-sha256", "x-amz-date"})
_SPACES = re.compile(r" +")
_HEADER = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=([^,\s]+)\s*,\s*SignedHeaders=([^,\s]+)\s*,\s*"
    r"Signature=([0-9a-f]{64})\s*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who a request says it is from, and with what proof.

    Attributes:
        access_key_id: Whose secret signed it.
        scope: `date/region/service/aws4_request`.
        signed_headers: Lower-case names, in their order.
        signature: 64 hexadecimal digits.
        amz_date: Time of signing, `YYYYMMDDTHHMMSSZ`.
        expires_seconds: Life of a presigned URL; None for a signed header.
    """

    access_key_id: str
    scope: str
    signed_headers: tuple[str, ...]
    signature: str
    amz_date: str
    expires_seconds: int | None = None

    def is_presigned(self) -> bool:
        """Return whether the signature stands in the URL."""
        return self.expires_seconds is not None


def parse_query(query: str) -> list[tuple[str, str]]:
    """Return the decoded names and values of a raw query string, in order."""
    pairs = []
    for piece in query.split("&") if query else ():
        name, _, value = piece.partition("=")
        pairs.append((_decode(name), _decode(value)))
    return pairs


def _decode(text: str) -> str:
    return unquote_to_bytes(text.replace("+", "%20")).decode("utf-8", "surrogateescape")


def claim_from_header(authorization: str, amz_date: str) -> Claim:
    """Return the claim of an Authorization header.

    Raises:
        S3Error: The header is not a complete signature of version 4.
    """
    match = _HEADER.fullmatch(authorization.strip())
    if not match:
        raise S3Error(
            "AuthorizationHeaderMalformed",
            "The authorization header is not a signature of version 4 (AWS4-HMAC-SHA256).",
        )
    return _claim(match[1], match[2], match[3], amz_date, None)


def claim_from_query(pairs: Sequence[tuple[str, str]]) -> Claim:
    """Return the claim of a presigned URL.

    Raises:
        S3Error: A parameter is missing or malformed.
    """
    values = dict(pairs)
    names = ("Credential", "SignedHeaders", "Signature", "Date", "Expires")
    found = [values.get(f"X-Amz-{name}", "") for name in names]
    is_complete = all(found) and re.fullmatch(r"[0-9a-f]{64}", found[2])
    if values.get("X-Amz-Algorithm") != ALGORITHM or not is_complete or not found[4].isdigit():
        raise S3Error(
            "AuthorizationQueryParametersError",
            "A presigned URL needs X-Amz-Algorithm=AWS4-HMAC-SHA256, X-Amz-Credential, "
            "X-Amz-SignedHeaders, X-Amz-Signature, X-Amz-Date and X-Amz-Expires.",
        )
    expires_seconds = int(found[4])
    if expires_seconds > EXPIRES_SECONDS_MAX:
        raise S3Error(
            "AuthorizationQueryParametersError",
            f"X-Amz-Expires must be less than a week (in seconds); that is {EXPIRES_SECONDS_MAX}.",
        )
    return _claim(found[0], found[1], found[2], found[3], expires_seconds)


def claim_from_form(fields: Mapping[str, str]) -> Claim:
    """Return the claim of a browser form.

    Raises:
        S3Error: A field is missing or malformed.
    """
    names = ("x-amz-credential", "x-amz-signature", "x-amz-date", "x-amz-algorithm")
    credential, signature, amz_date, algorithm = (fields.get(name, "") for name in names)
    if algorithm != ALGORITHM or not re.fullmatch(r"[0-9a-f]{64}", signature) or not amz_date:
        raise S3Error(
            "InvalidArgument",
            "A form needs x-amz-algorithm=AWS4-HMAC-SHA256, x-amz-credential, x-amz-date and "
            "x-amz-signature.",
        )
    return _claim(credential, "host", signature, amz_date, None)


def check_headers(claim: Claim, headers: Mapping[str, str]) -> None:
    """Refuse a request with headers of S3's own that its signature does not cover.

    Raises:
        S3Error: AccessDenied, naming them.
    """
    signed = set(claim.signed_headers) | _NEED_NO_SIGNATURE
    loose = [name for name in headers if name.startswith("x-amz-") and name not in signed]
    if loose:
        raise S3Error(
            "AccessDenied",
            "There were headers present in the request which were not signed: "
            + ", ".join(sorted(loose)),
        )


def _claim(
    credential: str, signed: str, signature: str, amz_date: str, expires_seconds: int | None
) -> Claim:
    access_key_id, _, scope = credential.partition("/")
    pieces = scope.split("/")
    if len(pieces) != 4 or pieces[3] != "aws4_request" or not access_key_id:
        raise S3Error(
            "AuthorizationHeaderMalformed",
            "The credential must be <access key>/<date>/<region>/s3/aws4_request.",
        )
    names = tuple(signed.split(";"))
    if "host" not in names:
        raise S3Error("AuthorizationHeaderMalformed", "The host header must be signed.")
    return Claim(
        access_key_id=access_key_id,
        scope=scope,
        signed_headers=names,
        signature=signature,
        amz_date=amz_date,
        expires_seconds=expires_seconds,
    )


def check_time(claim: Claim, now: float) -> None:
    """Refuse a request that was signed too long ago, or in the future.

    Raises:
        S3Error: RequestTimeTooSkewed for a header, AccessDenied for an expired URL.
    """
    try:
        signed_at = datetime.strptime(claim.amz_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise S3Error(
            "AccessDenied", "The request's date is not of the form YYYYMMDDTHHMMSSZ."
        ) from None
    if not claim.amz_date.startswith(claim.scope.split("/")[0]):
        raise S3Error("SignatureDoesNotMatch", "The credential's date is not the request's.")
    age_seconds = now - signed_at.timestamp()
    if claim.expires_seconds is None:
        if abs(age_seconds) > SKEW_SECONDS_MAX:
            raise S3Error(
                "RequestTimeTooSkewed",
                f"The request's time is {abs(age_seconds):.0f} s off this node's clock.",
            )
    elif age_seconds >= claim.expires_seconds or age_seconds < -SKEW_SECONDS_MAX:
        raise S3Error("AccessDenied", "Request has expired")


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Return query parameters encoded and sorted as they are signed."""
    encoded = sorted(
        (_encode(name), _encode(value)) for name, value in pairs if name != "X-Amz-Signature"
    )
    return "&".join(f"{name}={value}" for name, value in encoded)


def _encode(text: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe=SAFE)


def canonical_path(raw_path: str) -> str:
    """Return a raw path encoded once more from its bytes, slashes kept."""
    return quote(unquote_to_bytes(raw_path), safe=SAFE + "/") or "/"


def canonical_request(
    *,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    signed_headers: Sequence[str],
    payload_hash: str,
) -> str:
    """Return the text whose hash is signed.

    Args:
        method: Upper case.
        path: Canonical path.
        query: Canonical query.
        headers: Values by lower-case name.
        signed_headers: Which of them are signed, in their order.
        payload_hash: What stands for the body.
    """
    lines = [f"{name}:{_SPACES.sub(' ', headers.get(name, '').strip())}" for name in signed_headers]
    return "\n".join([method, path, query, *lines, "", ";".join(signed_headers), payload_hash])


def string_to_sign(amz_date: str, scope: str, canonical: str) -> str:
    """Return the text that the signing key signs."""
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    return "\n".join([ALGORITHM, amz_date, scope, digest])


def signing_key(secret: str, scope: str) -> bytes:
    """Return the key of a scope `date/region/service/aws4_request`."""
    key = f"AWS4{secret}".encode()
    for piece in scope.split("/"):
        key = hmac.new(key, piece.encode(), hashlib.sha256).digest()
    return key


def sign(key: bytes, text: str) -> str:
    """Return the signature of a text in hexadecimal."""
    return hmac.new(key, text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


def matches(expected: str, given: str) -> bool:
    """Compare two signatures in constant time."""
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))
