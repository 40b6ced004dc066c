"""Sealing of secrets at rest and between nodes (AES-256-GCM, keys derived by HKDF-SHA256).

A sealed text is `v1.` and base64url of nonce and ciphertext; `purpose` is bound in as associated
data and into the key, so that a value sealed for one place cannot be moved to another.
"""

import base64
import secrets
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from rs3gw.common.errors import SealError

PREFIX = "v1."
NONCE_BYTES = 12


@lru_cache(maxsize=64)
def derive_key(master: str, purpose: str) -> bytes:
    """Return the 32-byte key of one purpose."""
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"rs3gw/{purpose}".encode())
    return hkdf.derive(master.encode())


def seal(plaintext: bytes, *, purpose: str) -> str:
    """Seal a secret that stays on this node, under RS3GW_SECRET_KEY."""
    return _seal(settings.SECRET_KEY, plaintext, purpose)


def unseal(token: str, *, purpose: str) -> bytes:
    """Open what `seal` made.

    Raises:
        SealError: The text was changed, or sealed under another key or purpose.
    """
    return _unseal(settings.SECRET_KEY, token, purpose)


def seal_for_cluster(plaintext: bytes, *, purpose: str) -> str:
    """Seal a secret that travels to the other nodes, under RS3GW_CLUSTER_SECRET."""
    return _seal(_cluster_master(), plaintext, purpose)


def unseal_from_cluster(token: str, *, purpose: str) -> bytes:
    """Open what another node made with `seal_for_cluster`.

    Raises:
        SealError: The text was changed, or the sender's cluster secret is not ours.
    """
    return _unseal(_cluster_master(), token, purpose)


def seal_with(secret: str, plaintext: bytes, *, purpose: str) -> str:
    """Seal something for whoever shares this secret."""
    return _seal(secret, plaintext, purpose)


def unseal_with(secret: str, token: str, *, purpose: str) -> bytes:
    """Open what `seal_with` made.

    Raises:
        SealError: The text was changed, or sealed with another secret.
    """
    return _unseal(secret, token, purpose)


def _cluster_master() -> str:
    # A node without a cluster still logs its changes; they can only be read by itself.
    return settings.RS3GW_CLUSTER_SECRET or settings.SECRET_KEY


def _seal(master: str, plaintext: bytes, purpose: str) -> str:
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = AESGCM(derive_key(master, purpose)).encrypt(nonce, plaintext, purpose.encode())
    return PREFIX + base64.urlsafe_b64encode(nonce + sealed).decode()


def _unseal(master: str, token: str, purpose: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(token.removeprefix(PREFIX))
        cipher = AESGCM(derive_key(master, purpose))
        return cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], purpose.encode())
    except (InvalidTag, ValueError):
        raise SealError from None
