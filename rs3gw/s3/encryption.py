"""Encryption of objects at rest: with keys of this server (SSE-S3) or of the client (SSE-C).

Each object has a data key of its own. For SSE-S3 it is random and kept wrapped by the keyring; for
SSE-C it is derived from the client's key, of which nothing is kept but its MD5.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.http.response import HttpResponseBase

from rs3gw.common import keyring
from rs3gw.s3 import bucket_config
from rs3gw.s3.core.errors import S3Error
from rs3gw.storage.core.objects import Entry
from rs3gw.storage.core.sealed import KEY_BYTES
from rs3gw.storage.models import Bucket

HEADER = "x-amz-server-side-encryption"
CUSTOMER = f"{HEADER}-customer-"
KEY_SERVICE_HEADERS = (f"{HEADER}-aws-kms-key-id", f"{HEADER}-context")
COPY_SOURCE_CUSTOMER = "x-amz-copy-source-server-side-encryption-customer-"
AES256 = "AES256"
CUSTOMER_KIND = "SSE-C"
SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Sealing:
    """How a new object is encrypted.

    Attributes:
        data_key: 32 bytes; None where it is not.
        description: What is kept of it; empty where it is not encrypted.
    """

    data_key: bytes | None
    description: Mapping[str, str]


PLAIN = Sealing(None, {})


def begin(headers: Mapping[str, str], bucket: Bucket) -> Sealing:
    """Return how a new object is encrypted: as its request says, else as the bucket does.

    Raises:
        S3Error: What the request asks for cannot be.
    """
    customer_key = _customer_key(headers, CUSTOMER)
    asked = headers.get(HEADER)
    if customer_key is not None:
        if asked is not None:
            raise S3Error(
                "InvalidArgument",
                "Server Side Encryption with Customer provided key is incompatible with the "
                "encryption method specified",
            )
        return _begin_customer(customer_key)
    if asked is not None:
        check_algorithm(asked)
    if any(name in headers for name in KEY_SERVICE_HEADERS):
        raise S3Error(
            "InvalidArgument",
            f"Server Side Encryption with AWS KMS managed key requires HTTP header {HEADER} : "
            "aws:kms",
        )
    if asked is None and "encryption" not in bucket_config.of(bucket).texts:
        return PLAIN
    data_key = secrets.token_bytes(KEY_BYTES)
    key_id, wrapped = keyring.wrap(data_key)
    return Sealing(data_key, {"alg": AES256, "key_id": key_id, "key": wrapped})


def check_algorithm(name: str) -> None:
    """Refuse an algorithm that is not built.

    Raises:
        S3Error: NotImplemented for keys of a key service, InvalidArgument for anything else.
    """
    if name in ("aws:kms", "aws:kms:dsse"):
        raise S3Error("NotImplemented", "There is no key management service here; use AES256.")
    if name != AES256:
        raise S3Error("InvalidArgument", "The encryption method specified is not supported")


def _begin_customer(customer_key: bytes) -> Sealing:
    salt = secrets.token_bytes(SALT_BYTES)
    md5 = base64.b64encode(_md5(customer_key)).decode()
    description = {
        "alg": CUSTOMER_KIND,
        "key_md5": md5,
        "hkdf": base64.b64encode(salt).decode(),
    }
    return Sealing(_derive(customer_key, salt), description)


def _md5(key: bytes) -> bytes:
    return hashlib.md5(key, usedforsecurity=False).digest()


def _derive(customer_key: bytes, salt: bytes) -> bytes:
    hkdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=b"rs3gw/sse-c")
    return hkdf.derive(customer_key)


def _customer_key(headers: Mapping[str, str], prefix: str) -> bytes | None:
    """Return the key that a request brings, None when it brings none."""
    names = ("algorithm", "key", "key-md5")
    algorithm, key_text, md5_text = (headers.get(prefix + name) for name in names)
    if algorithm is None and key_text is None and md5_text is None:
        return None
    if algorithm is None:
        raise S3Error(
            "InvalidArgument",
            "Requests specifying Server Side Encryption with Customer provided keys must provide "
            "a valid encryption algorithm.",
        )
    if algorithm != AES256:
        raise S3Error(
            "InvalidEncryptionAlgorithmError",
            "The Encryption request you specified is not valid. Supported value: AES256.",
        )
    if key_text is None:
        raise S3Error(
            "InvalidArgument",
            "Requests specifying Server Side Encryption with Customer provided keys must provide "
            "an appropriate secret key.",
        )
    if md5_text is None:
        raise S3Error(
            "InvalidArgument",
            "Requests specifying Server Side Encryption with Customer provided keys must provide "
            "the client calculated MD5 of the secret key.",
        )
    key, md5 = _decoded(key_text), _decoded(md5_text)
    if len(key) != KEY_BYTES:
        raise S3Error("InvalidArgument", "The secret key was invalid for the specified algorithm.")
    if not hmac.compare_digest(md5, _md5(key)):
        raise S3Error(
            "InvalidArgument",
            "The calculated MD5 hash of the key did not match the hash that was provided.",
        )
    return key


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def key_for(entry: Entry, headers: Mapping[str, str], prefix: str = CUSTOMER) -> bytes | None:
    """Return the data key of an object that its client's key encrypts, None for any other.

    Args:
        entry: The version to read.
        headers: Of the request.
        prefix: `CUSTOMER`, or `COPY_SOURCE_CUSTOMER` for the source of a copy.

    Raises:
        S3Error: InvalidRequest: the key is missing, or there is none to give; AccessDenied: it is
            another one.
    """
    return data_key(entry.headers.encryption, headers, prefix)


def data_key(
    encryption: Mapping[str, str], headers: Mapping[str, str], prefix: str = CUSTOMER
) -> bytes | None:
    """Return the data key that a request's own key gives; see `key_for`."""
    customer_key = _customer_key(headers, prefix)
    if encryption.get("alg") != CUSTOMER_KIND:
        if customer_key is not None:
            raise S3Error(
                "InvalidRequest", "The encryption parameters are not applicable to this object."
            )
        return None
    if customer_key is None:
        raise S3Error(
            "InvalidRequest",
            "The object was stored using a form of Server Side Encryption. The correct "
            "parameters must be provided to retrieve the object.",
        )
    if not _is_same(customer_key, encryption):
        raise S3Error("AccessDenied", "The key is not the one that the object was stored with.")
    return _derive(customer_key, _decoded(encryption["hkdf"]))


def _is_same(customer_key: bytes, encryption: Mapping[str, str]) -> bool:
    return hmac.compare_digest(_md5(customer_key), _decoded(encryption["key_md5"]))


def part_key(encryption: Mapping[str, str], headers: Mapping[str, str]) -> bytes | None:
    """Return what the parts of an upload are encrypted with, None when they are not.

    Raises:
        S3Error: InvalidRequest: a part brings another key than its upload began with, none, or
            one where there is none to bring.
        SealError: The keyring of this node does not open it.
    """
    customer_key = _customer_key(headers, CUSTOMER)
    if encryption.get("alg") != CUSTOMER_KIND:
        if customer_key is not None:
            raise S3Error(
                "InvalidRequest",
                "The multipart upload initiate did not request encryption with a key of the "
                "client. Part requests must not bring one.",
            )
        return keyring.unwrap(encryption["key_id"], encryption["key"]) if encryption else None
    if customer_key is None:
        raise S3Error(
            "InvalidRequest",
            "The multipart upload initiate requested encryption. Subsequent part requests must "
            "include the appropriate encryption parameters.",
        )
    if not _is_same(customer_key, encryption):
        raise S3Error(
            "InvalidRequest",
            "The provided encryption parameters did not match the ones used originally.",
        )
    return _derive(customer_key, _decoded(encryption["hkdf"]))


def describe(response: HttpResponseBase, encryption: Mapping[str, str]) -> None:
    """Say on an answer how the object is encrypted."""
    if encryption.get("alg") == AES256:
        response[HEADER] = AES256
    elif encryption:
        response[f"{CUSTOMER}algorithm"] = AES256
        response[f"{CUSTOMER}key-MD5"] = encryption["key_md5"]


def refuse_on_read(headers: Mapping[str, str]) -> None:
    """Refuse a read that says how to encrypt.

    Raises:
        S3Error: InvalidArgument.
    """
    if HEADER in headers:
        raise S3Error("InvalidArgument", f"{HEADER} header is not supported for this operation.")
