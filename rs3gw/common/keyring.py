"""The keys that wrap the keys of encrypted objects. They are never in the database.

`RS3GW_KEYRING`, or the file that `RS3GW_KEYRING_FILE` names, holds them, one a line: `name = base64
of 32 bytes`. The first one wraps what is new; the others still open what is old. Without it, one
key is derived from the cluster's secret, which all nodes of a region share.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Mapping
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from rs3gw.common import secretbox
from rs3gw.common.errors import SealError, SettingError

KEY_BYTES = 32
NONCE_BYTES = 12
CLUSTER_KEY = "cluster"
_LINE = re.compile(r"([A-Za-z0-9._-]{1,64})\s*=\s*(\S+)")


def wrap(data_key: bytes) -> tuple[str, str]:
    """Return the name of the first key, and `data_key` encrypted with it, in base64."""
    name, key = next(iter(_keys().items()))
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = nonce + AESGCM(key).encrypt(nonce, data_key, name.encode())
    return name, base64.b64encode(sealed).decode()


def unwrap(name: str, wrapped: str) -> bytes:
    """Return the data key that `wrap` encrypted.

    Raises:
        SealError: This node has no key of that name, or another one.
    """
    key = _keys().get(name)
    if key is None:
        raise SealError(
            f"The object was encrypted with the key {name!r}, which this node does not have. Add "
            "it to RS3GW_KEYRING on every node."
        )
    try:
        raw = base64.b64decode(wrapped, validate=True)
        return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], name.encode())
    except (InvalidTag, ValueError):
        raise SealError(
            f"The key {name!r} of this node is not the one that the object was encrypted with."
        ) from None


def check() -> None:
    """Read the keyring, so that a bad one stops the start.

    Raises:
        SettingError: It cannot be used.
    """
    _keys()


def _keys() -> Mapping[str, bytes]:
    if settings.RS3GW_KEYRING:
        return _parse(settings.RS3GW_KEYRING)
    master = settings.RS3GW_CLUSTER_SECRET or settings.SECRET_KEY
    return {CLUSTER_KEY: secretbox.derive_key(master, "keyring")}


@lru_cache(maxsize=4)
def _parse(text: str) -> Mapping[str, bytes]:
    keys: dict[str, bytes] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if not match or match[1] in keys:
            raise _unusable(f"line {number} is not `name = base64`, or names a key again")
        keys[match[1]] = _key(number, match[2])
    if not keys:
        raise _unusable("it holds no key")
    return keys


def _key(number: int, text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise _unusable(f"the key in line {number} is not base64 of {KEY_BYTES} bytes")
    return key


def _unusable(reason: str) -> SettingError:
    return SettingError("RS3GW_KEYRING", "(hidden)", reason)
