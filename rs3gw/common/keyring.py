"""The keys that wrap the keys of encrypted objects. They are never in the database.

`RS3GW_KEYRING`, or the file that `RS3GW_KEYRING_FILE` names, holds them, one a line: `name = base64
of 32 bytes`. The first one wraps what is new; the others still open what is old. Without it, one
key is derived from the cluster's secret, which all nodes of a region share, or from the secret key
of a node that is alone. What a derived key wrapped stays open when a keyring or a cluster comes.
"""

import base64
import logging
import os
import re
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from rs3gw.common import secretbox
from rs3gw.common.errors import SealError, SettingError

logger = logging.getLogger(__name__)

FILE_SETTING = "RS3GW_KEYRING_FILE"
KEY_BYTES = 32
NONCE_BYTES = 12
CLUSTER_KEY = "cluster"
_LINE = re.compile(r"([A-Za-z0-9._-]{1,64})\s*=\s*(\S+)")


def wrap(data_key: bytes) -> tuple[str, str]:
    """Return the name of the first key, and `data_key` encrypted with it, in base64."""
    given = _given() or {CLUSTER_KEY: _derived()[0]}
    name, key = next(iter(given.items()))
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = nonce + AESGCM(key).encrypt(nonce, data_key, name.encode())
    return name, base64.b64encode(sealed).decode()


def unwrap(name: str, wrapped: str) -> bytes:
    """Return the data key that `wrap` encrypted.

    Raises:
        SealError: This node has no key of that name, or another one.
    """
    keys = _named(name)
    if not keys:
        raise SealError(
            f"The object was encrypted with the key {name!r}, which this node does not have. Add "
            "it to RS3GW_KEYRING on every node."
        )
    try:
        raw = base64.b64decode(wrapped, validate=True)
    except ValueError:
        raw = b""
    for key in keys:
        with suppress(InvalidTag, ValueError):
            return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], name.encode())
    raise SealError(
        f"The key {name!r} of this node is not the one that the object was encrypted with."
    )


def check() -> None:
    """Read the keyring, so that a bad one stops the start; warn when everybody can read it.

    Raises:
        SettingError: It cannot be used.
    """
    _given()
    path = os.environ.get(FILE_SETTING, "")
    # Not refused: containers mount secrets so, and keep others out in other ways.
    if path and Path(path).stat().st_mode & stat.S_IROTH:
        logger.warning(
            "%s=%s can be read by every user of this host: chmod o-r", FILE_SETTING, path
        )


def _given() -> Mapping[str, bytes]:
    return _parse(settings.RS3GW_KEYRING) if settings.RS3GW_KEYRING else {}


def _derived() -> list[bytes]:
    """Return the keys of this node's secrets, the one for what is new first."""
    masters = filter(None, (settings.RS3GW_CLUSTER_SECRET, settings.SECRET_KEY))
    return [secretbox.derive_key(master, "keyring") for master in masters]


def _named(name: str) -> list[bytes]:
    """Return the keys that may be meant by a name, best first."""
    keys = [key for given, key in _given().items() if given == name]
    return [*keys, *_derived()] if name == CLUSTER_KEY else keys


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
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise _unusable(f"the key in line {number} is not base64 of {KEY_BYTES} bytes")
    return key


def _unusable(reason: str) -> SettingError:
    return SettingError("RS3GW_KEYRING", "(hidden)", reason)
