"""Amazon's vectors: our canonical requests, texts to sign and signatures are theirs."""

import json
from pathlib import Path

import pytest

from rs3gw.s3.core import sigv4

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "aws-c-auth-v4"
# Other services resolve dots and slashes in a path and encode it twice; S3 takes it as it is.
PATH_RULES = ("relative", "slash", "space")


def cases():
    return sorted(
        path.name
        for path in VECTORS.iterdir()
        if path.is_dir() and not any(word in path.name for word in PATH_RULES)
    )


def signs_token(case):
    """Return whether the session token is signed, as S3 has it; one case adds it afterwards."""
    return not json.loads(read(case, "context.json")).get("omit_session_token", False)


def read(case, name):
    return (VECTORS / case / name).read_bytes().decode()


def parse(case, name):
    """Return method, path, query, headers and body of a request text."""
    head, _, body = read(case, name).partition("\n\n")
    first, *lines = head.split("\n")
    method, _, rest = first.partition(" ")
    target = rest.rpartition(" ")[0]
    headers, last = {}, ""
    for line in lines:
        if line.startswith(" "):
            headers[last] += " " + line.strip()
            continue
        key, _, value = line.partition(":")
        last = key.lower()
        headers[last] = f"{headers[last]},{value.strip()}" if last in headers else value.strip()
    path, _, query = target.partition("?")
    return method, path, query, headers, body


def canonical_of(case, kind):
    method, path, query, headers, _ = parse(case, f"{kind}-signed-request.txt")
    pairs = sigv4.parse_query(query)
    claim = (
        sigv4.claim_from_header(headers["authorization"], headers["x-amz-date"])
        if kind == "header"
        else sigv4.claim_from_query(pairs)
    )
    expected = read(case, f"{kind}-canonical-request.txt")
    canonical = sigv4.canonical_request(
        method=method,
        path=sigv4.canonical_path(path),
        query=sigv4.canonical_query(pairs),
        headers=headers,
        signed_headers=claim.signed_headers,
        payload_hash=expected.rpartition("\n")[2],
    )
    return claim, canonical, expected


@pytest.mark.parametrize("kind", ["header", "query"])
@pytest.mark.parametrize("case", cases())
def test_a_request_is_signed_as_amazon_signs_it(case, kind):
    if kind == "query" and not signs_token(case):
        return
    claim, canonical, expected = canonical_of(case, kind)
    assert canonical == expected
    text = sigv4.string_to_sign(claim.amz_date, claim.scope, canonical)
    assert text == read(case, f"{kind}-string-to-sign.txt")
    secret = json.loads(read(case, "context.json"))["credentials"]["secret_access_key"]
    signature = sigv4.sign(sigv4.signing_key(secret, claim.scope), text)
    assert signature == read(case, f"{kind}-signature.txt") == claim.signature


def test_most_vectors_apply_to_s3():
    assert len(cases()) >= 20
