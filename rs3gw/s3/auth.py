"""Who is asking: an S3 request to an access key."""

import base64
import hashlib
import hmac
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from rs3gw.common import clock, secretbox
from rs3gw.s3 import directory
from rs3gw.s3.core import chunked, sigv4
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.request import S3Request
from rs3gw.s3.services import PURPOSE
from rs3gw.storage import rows

CACHE_KEYS_MAX = 10_000
SERVICE = "s3"
SIGNED_PREFIX = "STREAMING-AWS4-"
# Its value is a key of the client's: it is not repeated in an answer.
_CUSTOMER_KEY = "customer-key:"
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
CLASSIC_REGION = "us-east-1"
_KEY_ID = re.compile(r"[!-~]{1,128}")
_SIGNING_FIELDS = ("x-amz-signature", "x-amz-credential", "signature", "awsaccesskeyid")
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


@dataclass(frozen=True, slots=True)
class _Key:
    """An access key that may be used, and whose it is."""

    access_key_id: str
    sealed_secret: str
    revision: int
    user_id: str
    account_id: str


def _usable_key(access_key_id: str) -> _Key:
    is_possible = _KEY_ID.fullmatch(access_key_id)
    row = rows.fetch_one(_FIND, (access_key_id,)) if is_possible else None
    if row is None or not row[2]:
        raise S3Error(
            "InvalidAccessKeyId", "The access key does not exist on this node, or was revoked."
        )
    sealed, user_id, _, revision = row
    facts = directory.user(user_id)
    if facts is None or not facts.is_enabled:
        raise S3Error("InvalidAccessKeyId", "The user of this access key is disabled.")
    return _Key(access_key_id, sealed, revision, user_id, facts.account_id)


def authenticate(request: S3Request) -> Identity:
    """Return who signed a request; nobody, for one that does not claim to be signed.

    Raises:
        S3Error: It is too old, signed by an unknown or revoked key, or wrongly.
    """
    claim = _claim(request)
    _check_payload_kind(payload_declared(request))
    if claim is None:
        if payload_declared(request).startswith(SIGNED_PREFIX):
            raise S3Error("AccessDenied", "The chunks are signed, but the request is not.")
        return ANONYMOUS
    key = _usable_key(claim.access_key_id)
    sigv4.check_time(claim, clock.now())
    _check_scope(claim)
    sigv4.check_headers(claim, request.signable_headers)
    signing_key = _signing_key(claim.scope, key)
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
    details = {
        "AWSAccessKeyId": claim.access_key_id,
        "StringToSign": text,
        "SignatureProvided": claim.signature,
    }
    if _CUSTOMER_KEY not in canonical:
        details["CanonicalRequest"] = canonical
    _check_signature(sigv4.sign(signing_key, text), claim.signature, details)
    return Identity(claim.access_key_id, key.user_id, key.account_id, signing_key, claim)


def payload_declared(request: S3Request) -> str:
    """Return what a request says of its body: x-amz-content-sha256, "" when it says nothing."""
    declared = request.headers.get("x-amz-content-sha256", "")
    return declared or request.query.get("X-Amz-Content-Sha256", "")


def _check_payload_kind(declared: str) -> None:
    if declared.startswith("STREAMING-AWS4-ECDSA"):
        raise S3Error("NotImplemented", "Chunks that are signed with ECDSA are not supported.")
    kinds = ("", sigv4.UNSIGNED_PAYLOAD, *chunked.KINDS)
    if declared not in kinds and not _SHA256.fullmatch(declared):
        raise S3Error(
            "InvalidArgument",
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "
            f"{', '.join(chunked.KINDS)} or a valid sha256 value.",
            details={"ArgumentName": "x-amz-content-sha256", "ArgumentValue": declared[:200]},
        )


def authenticate_form(fields: Mapping[str, str]) -> Identity:
    """Return who signed a browser form; nobody, for one without a policy.

    Args:
        fields: Values by lower-case name.

    Raises:
        S3Error: It is signed by an unknown or revoked key, wrongly, or not completely.
    """
    policy = fields.get("policy")
    if policy is None:
        if any(name in fields for name in _SIGNING_FIELDS):
            raise S3Error(
                "InvalidArgument",
                "A signed form must contain a field named 'policy'. If it is specified, please "
                "check the order of the fields.",
            )
        return ANONYMOUS
    if "x-amz-signature" in fields:
        return _authenticate_form_v4(policy, fields)
    if "awsaccesskeyid" not in fields or "signature" not in fields:
        raise S3Error(
            "InvalidArgument",
            "A form with a policy needs x-amz-credential, x-amz-algorithm, x-amz-date and "
            "x-amz-signature, or AWSAccessKeyId and signature.",
        )
    key = _usable_key(fields["awsaccesskeyid"])
    secret = _secret(key).encode()
    expected = hmac.new(secret, policy.encode("utf-8", "replace"), hashlib.sha1).digest()
    _check_signature(base64.b64encode(expected).decode(), fields["signature"].strip())
    return Identity(key.access_key_id, key.user_id, key.account_id, b"", ANONYMOUS.claim)


def _authenticate_form_v4(policy: str, fields: Mapping[str, str]) -> Identity:
    claim = sigv4.claim_from_form(fields)
    key = _usable_key(claim.access_key_id)
    _check_scope(claim)
    signing_key = _signing_key(claim.scope, key)
    _check_signature(sigv4.sign(signing_key, policy), claim.signature)
    return Identity(claim.access_key_id, key.user_id, key.account_id, signing_key, claim)


def _check_signature(expected: str, given: str, details: Mapping[str, str] | None = None) -> None:
    if not sigv4.matches(expected, given):
        raise S3Error(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your secret access key and signing method.",
            details=details,
        )


def _check_scope(claim: sigv4.Claim) -> None:
    # Many clients sign for Amazon's oldest region, whatever the endpoint.
    regions = (settings.RS3GW_REGION, CLASSIC_REGION)
    sigv4.check_scope(claim, service=SERVICE, regions=regions)


def _claim(request: S3Request) -> sigv4.Claim | None:
    authorization = request.headers.get("authorization", "")
    if authorization.startswith("AWS ") or "AWSAccessKeyId" in request.query:
        raise S3Error(
            "InvalidRequest",
            "Signature version 2 is not supported. Please use AWS4-HMAC-SHA256 "
            "(signature_version='s3v4' in boto3).",
        )
    is_presigned = "X-Amz-Algorithm" in request.query or "X-Amz-Signature" in request.query
    if authorization and is_presigned:
        raise S3Error(
            "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or the "
            "Authorization header should be specified",
        )
    if is_presigned:
        return sigv4.claim_from_query(request.query_pairs)
    if not authorization:
        return None
    if not authorization.startswith("AWS4-"):
        raise S3Error("InvalidArgument", "Unsupported Authorization Type")
    return sigv4.claim_from_header(authorization, sigv4.date_of(request.headers))


def _payload_hash(request: S3Request, claim: sigv4.Claim) -> str:
    """Return what stands for the body in the text that was signed."""
    if not claim.is_presigned():
        declared = request.headers.get("x-amz-content-sha256", "")
        if not declared:
            raise S3Error(
                "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"
            )
        return declared
    if "x-amz-content-sha256" in claim.signed_headers:
        return request.headers.get("x-amz-content-sha256", "")
    return request.query.get("X-Amz-Content-Sha256") or sigv4.UNSIGNED_PAYLOAD


def _signing_key(scope: str, key: _Key) -> bytes:
    name = (key.access_key_id, key.revision, scope)
    known = _signing_keys.get(name)
    if known is not None:
        return known
    made = sigv4.signing_key(_secret(key), scope)
    _keep(_signing_keys, name, made)
    return made


def _secret(key: _Key) -> str:
    name = (key.access_key_id, key.revision)
    known = _secrets.get(name)
    if known is None:
        known = secretbox.unseal(key.sealed_secret, purpose=PURPOSE).decode()
        _keep(_secrets, name, known)
    return known


def _keep(cache: dict[Any, Any], name: object, value: object) -> None:
    with _lock:
        if len(cache) >= CACHE_KEYS_MAX:
            cache.clear()
        cache[name] = value
