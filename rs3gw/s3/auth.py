"""Who is asking: an S3 request to an access key."""

import threading
from dataclasses import dataclass

from rs3gw.common import clock, secretbox
from rs3gw.s3 import directory
from rs3gw.s3.core import sigv4
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.request import S3Request
from rs3gw.s3.services import PURPOSE
from rs3gw.storage import rows

CACHE_KEYS_MAX = 10_000
SERVICE = "s3"
_FIND = (
    "SELECT sealed_secret, owner, is_enabled, revision FROM s3_accesskey WHERE access_key_id = %s"
)


@dataclass(frozen=True, slots=True)
class Identity:
    """A proven caller, or nobody.

    Attributes:
        access_key_id: The key that signed; "" for an anonymous request.
        user_id: The user it belongs to.
        owner: The account that the user acts for, and that owns what it makes.
        signing_key: Key of the request's scope, for the signatures of chunks.
        claim: What the request claimed; proven now.
    """

    access_key_id: str
    user_id: str
    owner: str
    signing_key: bytes
    claim: sigv4.Claim

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody signed."""
        return not self.access_key_id


ANONYMOUS = Identity(
    "",
    "",
    "",
    b"",
    sigv4.Claim(access_key_id="", scope="", signed_headers=(), signature="", amz_date=""),
)


_secrets: dict[tuple[str, int], str] = {}
_signing_keys: dict[tuple[str, int, str], bytes] = {}
_lock = threading.Lock()


def authenticate(request: S3Request) -> Identity:
    """Return who signed a request; nobody, for one that does not claim to be signed.

    Raises:
        S3Error: It is not signed, too old, signed by an unknown or revoked key, or wrongly.
    """
    claim = _claim(request)
    if claim is None:
        return ANONYMOUS
    row = rows.fetch_one(_FIND, (claim.access_key_id,))
    if row is None or not row[2]:
        raise S3Error(
            "InvalidAccessKeyId", "The access key does not exist on this node, or was revoked."
        )
    sealed, user_id, _, revision = row
    facts = directory.user(user_id)
    if facts is None or not facts.is_enabled:
        raise S3Error("InvalidAccessKeyId", "The user of this access key is disabled.")
    sigv4.check_time(claim, clock.now())
    if claim.scope.split("/")[2] != SERVICE:
        raise S3Error("AuthorizationHeaderMalformed", "The credential's service must be s3.")
    key = _signing_key(claim, sealed, revision)
    pairs = [pair for pair in request.query_pairs if pair[0] != "X-Amz-Signature"]
    canonical = sigv4.canonical_request(
        method=request.method,
        path=sigv4.canonical_path(request.raw_path),
        query=sigv4.canonical_query(pairs),
        headers=request.signable_headers,
        signed_headers=claim.signed_headers,
        payload_hash=_payload_hash(request, claim),
    )
    text = sigv4.string_to_sign(claim.amz_date, claim.scope, canonical)
    if not sigv4.matches(sigv4.sign(key, text), claim.signature):
        raise S3Error(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your secret access key and signing method.",
        )
    return Identity(claim.access_key_id, user_id, facts.account_id, key, claim)


def _claim(request: S3Request) -> sigv4.Claim | None:
    authorization = request.headers.get("authorization", "")
    if authorization.startswith("AWS ") or "AWSAccessKeyId" in request.query:
        raise S3Error(
            "InvalidRequest",
            "Signature version 2 is not supported. Please use AWS4-HMAC-SHA256 "
            "(signature_version='s3v4' in boto3).",
        )
    if authorization:
        date = request.headers.get("x-amz-date") or request.headers.get("date", "")
        return sigv4.claim_from_header(authorization, date)
    if "X-Amz-Algorithm" in request.query or "X-Amz-Signature" in request.query:
        return sigv4.claim_from_query(request.query_pairs)
    return None


def _payload_hash(request: S3Request, claim: sigv4.Claim) -> str:
    declared = request.headers.get("x-amz-content-sha256", "")
    if claim.is_presigned():
        is_signed = "x-amz-content-sha256" in claim.signed_headers
        return declared if declared and is_signed else sigv4.UNSIGNED_PAYLOAD
    if not declared:
        raise S3Error("InvalidRequest", "Missing required header: x-amz-content-sha256.")
    return declared


def _signing_key(claim: sigv4.Claim, sealed: str, revision: int) -> bytes:
    name = (claim.access_key_id, revision, claim.scope)
    key = _signing_keys.get(name)
    if key is not None:
        return key
    secret = _secrets.get(name[:2])
    if secret is None:
        secret = secretbox.unseal(sealed, purpose=PURPOSE).decode()
    key = sigv4.signing_key(secret, claim.scope)
    with _lock:
        for cache in (_secrets, _signing_keys):
            if len(cache) >= CACHE_KEYS_MAX:
                cache.clear()
        _secrets[name[:2]] = secret
        _signing_keys[name] = key
    return key
