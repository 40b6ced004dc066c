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
from email.utils import parsedate_to_datetime
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
# An empty value of these does not arrive, though it may have been signed.
_MAY_BE_EMPTY = frozenset({"content-length", "content-type"})
_AMZ_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_REGION = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SECONDS = re.compile(r"-?[0-9]{1,18}")
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


def date_of(headers: Mapping[str, str]) -> str:
    """Return the time of signing that headers name, `YYYYMMDDTHHMMSSZ`.

    Raises:
        S3Error: AccessDenied: there is none, or it is in no known form.
    """
    text = headers.get("x-amz-date") or headers.get("date", "")
    if _AMZ_DATE.fullmatch(text):
        return text
    try:
        date = parsedate_to_datetime(text)
        # A zone of -0000 is UTC without a claim to be local time.
        date = date.astimezone(UTC) if date.tzinfo else date
        return date.strftime("%Y%m%dT%H%M%SZ")
    except (TypeError, ValueError, OverflowError):
        raise S3Error(
            "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header"
        ) from None


def claim_from_header(authorization: str, amz_date: str) -> Claim:
    """Return the claim of an Authorization header.

    Raises:
        S3Error: The header is not a complete signature of version 4.
    """
    if authorization.startswith("AWS4-ECDSA"):
        raise S3Error("NotImplemented", "Sign with AWS4-HMAC-SHA256: ECDSA is not supported.")
    match = _HEADER.fullmatch(authorization.strip())
    if not match:
        raise S3Error(
            "AuthorizationHeaderMalformed",
            "The authorization header is not a signature of version 4 (AWS4-HMAC-SHA256).",
        )
    return _claim(match[1], match[2], match[3], amz_date)


def claim_from_query(pairs: Sequence[tuple[str, str]]) -> Claim:
    """Return the claim of a presigned URL.

    Raises:
        S3Error: A parameter is missing or malformed.
    """
    values = dict(pairs)
    names = ("Credential", "SignedHeaders", "Signature", "Date", "Expires")
    found = [values.get(f"X-Amz-{name}", "") for name in names]
    if values.get("X-Amz-Algorithm", "").startswith("AWS4-ECDSA"):
        raise S3Error("NotImplemented", "Sign with AWS4-HMAC-SHA256: ECDSA is not supported.")
    is_complete = all(found) and re.fullmatch(r"[0-9a-f]{64}", found[2])
    if values.get("X-Amz-Algorithm") != ALGORITHM or not is_complete:
        raise S3Error(
            "AuthorizationQueryParametersError",
            "A presigned URL needs X-Amz-Algorithm=AWS4-HMAC-SHA256, X-Amz-Credential, "
            "X-Amz-SignedHeaders, X-Amz-Signature, X-Amz-Date and X-Amz-Expires.",
        )
    if not _AMZ_DATE.fullmatch(found[3]):
        raise S3Error(
            "AuthorizationQueryParametersError",
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
        )
    return _claim(found[0], found[1], found[2], found[3], _lifetime(found[4]))


def _lifetime(text: str) -> int:
    """Return the seconds of an X-Amz-Expires, 0 to a week; a life of 0 has ended."""
    if not _SECONDS.fullmatch(text):
        problem = "X-Amz-Expires should be a number"
    elif text.startswith("-"):
        problem = "X-Amz-Expires must be non-negative"
    elif int(text) > EXPIRES_SECONDS_MAX:
        problem = (
            "X-Amz-Expires must be less than a week (in seconds); that is, the given "
            f"X-Amz-Expires must be less than {EXPIRES_SECONDS_MAX} seconds"
        )
    else:
        return int(text)
    raise S3Error("AuthorizationQueryParametersError", problem)


def claim_from_form(fields: Mapping[str, str]) -> Claim:
    """Return the claim of a browser form.

    Raises:
        S3Error: A field is missing or malformed.
    """
    names = ("x-amz-credential", "x-amz-signature", "x-amz-date", "x-amz-algorithm")
    credential, signature, amz_date, algorithm = (fields.get(name, "") for name in names)
    is_complete = _AMZ_DATE.fullmatch(amz_date) and re.fullmatch(r"[0-9a-f]{64}", signature)
    if algorithm != ALGORITHM or not is_complete:
        raise S3Error(
            "InvalidArgument",
            "A form needs x-amz-algorithm=AWS4-HMAC-SHA256, x-amz-credential, x-amz-date and "
            "x-amz-signature.",
        )
    return _claim(credential, "host", signature, amz_date)


def check_headers(claim: Claim, headers: Mapping[str, str]) -> None:
    """Refuse a request whose headers are not those that it signed.

    Raises:
        S3Error: AccessDenied: it has headers of S3's own that are not signed; they are named.
            SignatureDoesNotMatch: it signed headers that it does not have.
    """
    signed = set(claim.signed_headers) | _NEED_NO_SIGNATURE
    loose = [name for name in headers if name.startswith("x-amz-") and name not in signed]
    if loose:
        names = ", ".join(sorted(loose))
        raise S3Error(
            "AccessDenied",
            f"There were headers present in the request which were not signed: {names}",
            details={"HeadersNotSigned": names},
        )
    missing = set(claim.signed_headers) - headers.keys() - _MAY_BE_EMPTY
    if missing:
        raise S3Error(
            "SignatureDoesNotMatch",
            f"Headers were signed that are not in the request: {', '.join(sorted(missing))}",
        )


def _claim(
    credential: str,
    signed: str,
    signature: str,
    amz_date: str,
    expires_seconds: int | None = None,
) -> Claim:
    access_key_id, _, scope = credential.partition("/")
    is_presigned = expires_seconds is not None
    pieces = scope.split("/")
    if len(pieces) != 4 or pieces[3] != "aws4_request" or not _REGION.fullmatch(pieces[1]):
        raise malformed(
            "the Credential must be <access key>/<date>/<region>/s3/aws4_request",
            is_presigned=is_presigned,
        )
    names = tuple(signed.split(";"))
    if "host" not in names:
        raise malformed("the host header must be signed", is_presigned=is_presigned)
    return Claim(
        access_key_id=access_key_id,
        scope=scope,
        signed_headers=names,
        signature=signature,
        amz_date=amz_date,
        expires_seconds=expires_seconds,
    )


def malformed(problem: str, *, is_presigned: bool, region: str = "") -> S3Error:
    """Return the error for a credential that cannot be right.

    Args:
        problem: What is wrong with it.
        is_presigned: Whether it stands in the URL.
        region: The right region, for clients that try again there; "" when it is not in doubt.
    """
    details = {"Region": region} if region else {}
    if is_presigned:
        return S3Error(
            "AuthorizationQueryParametersError",
            f"Error parsing the X-Amz-Credential parameter; {problem}",
            details=details,
        )
    return S3Error(
        "AuthorizationHeaderMalformed",
        f"The authorization header is malformed; {problem}",
        details=details,
    )


def check_scope(claim: Claim, *, service: str, regions: Sequence[str]) -> None:
    """Refuse a claim for another service or region.

    Args:
        claim: What a request says.
        service: Ours.
        regions: Ours, the one to name to clients first.

    Raises:
        S3Error: It names the region that is right.
    """
    _, region, given_service, _ = claim.scope.split("/")
    is_presigned = claim.is_presigned()
    if given_service != service:
        raise malformed(f"the service must be {service}", is_presigned=is_presigned)
    if region not in regions:
        raise malformed(
            f"the region '{region}' is wrong; expecting '{regions[0]}'",
            is_presigned=is_presigned,
            region=regions[0],
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
    date = claim.scope.split("/")[0]
    if claim.amz_date[:8] != date:
        raise malformed(
            f"the credential's date {date[:20]!a} is not that of the request, "
            f"{claim.amz_date[:8]!a}",
            is_presigned=claim.is_presigned(),
        )
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
