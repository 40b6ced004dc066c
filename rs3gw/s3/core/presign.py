"""URLs that carry their own signature of version 4."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from rs3gw.s3.core import sigv4


@dataclass(frozen=True, slots=True)
class Signer:
    """An access key, and where it signs for.

    Attributes:
        endpoint: `http://host:port`, without a slash at the end.
    """

    access_key_id: str
    secret_key: str
    region: str
    endpoint: str


def presigned_url(
    *,
    signer: Signer,
    method: str,
    path: str,
    amz_date: str,
    expires_seconds: int,
    query: Mapping[str, str],
) -> str:
    """Return a URL that anyone may use until it expires.

    Args:
        signer: Whose right it carries.
        method: Upper case.
        path: `/bucket/key`, not encoded.
        amz_date: Now, `YYYYMMDDTHHMMSSZ`.
        expires_seconds: 1 to 604,800.
        query: Further parameters, such as `versionId`.
    """
    scope = f"{amz_date[:8]}/{signer.region}/s3/aws4_request"
    pairs = {
        "X-Amz-Algorithm": sigv4.ALGORITHM,
        "X-Amz-Credential": f"{signer.access_key_id}/{scope}",
        "X-Amz-Date": amz_date,
        "X-Amz-Expires": str(expires_seconds),
        "X-Amz-SignedHeaders": "host",
        **query,
    }
    raw_path = quote(path, safe=sigv4.SAFE + "/")
    canonical_query = sigv4.canonical_query(pairs.items())
    canonical = sigv4.canonical_request(
        method=method,
        path=raw_path,
        query=canonical_query,
        headers={"host": signer.endpoint.partition("://")[2]},
        signed_headers=("host",),
        payload_hash=sigv4.UNSIGNED_PAYLOAD,
    )
    key = sigv4.signing_key(signer.secret_key, scope)
    signature = sigv4.sign(key, sigv4.string_to_sign(amz_date, scope, canonical))
    return f"{signer.endpoint}{raw_path}?{canonical_query}&X-Amz-Signature={signature}"
