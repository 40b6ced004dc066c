"""Identifiers that this node mints."""

import base64
import binascii
import secrets
import string
import uuid

from rs3gw.common import clock

SHARD_BITS = 8
ACTOR_BITS = 63
UPLOAD_ID_CHARACTERS_MAX = 128
_UPLOAD_RANDOM_BYTES = 10
_KEY_ALPHABET = string.ascii_uppercase + string.digits
_SECRET_ALPHABET = string.ascii_letters + string.digits


def new_actor() -> int:
    """Return a random 63-bit writer id whose low 8 bits, the shard, are zero.

    It is minted once for a data directory: a disk that was lost must never write under the old
    id again, because its peers would take its new events for ones they have already seen.
    """
    return (secrets.randbits(ACTOR_BITS - SHARD_BITS) or 1) << SHARD_BITS


def shard_actor(actor: int, shard: int) -> int:
    """Return the writer id of one shard of the event log, 0 <= shard < 256."""
    return actor | shard


def uuid7() -> str:
    """Return a time-ordered UUID (version 7) in its usual text form."""
    value = (clock.now_ms() & (2**48 - 1)) << 80 | secrets.randbits(76)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def new_node_id() -> str:
    """Return a random node name for a node that was given none."""
    return f"node-{secrets.token_hex(4)}"


def new_access_key_id() -> str:
    """Return a 20-character access key id in the form that S3 tools expect."""
    return "RS" + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(18))


def new_secret_key() -> str:
    """Return a 40-character secret access key of 238 random bits."""
    return "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(40))


def new_upload_id(node_id: str) -> str:
    """Return an upload id that says at which node the upload began.

    Later ids of one node sort after earlier ones: 48 bits of milliseconds, 80 random bits and
    the node's name, in an alphabet that keeps the order and needs no escaping in a URL.
    """
    moment = (clock.now_ms() & (2**48 - 1)).to_bytes(6, "big")
    data = moment + secrets.token_bytes(_UPLOAD_RANDOM_BYTES) + node_id.encode()
    return base64.b32hexencode(data).decode().rstrip("=").lower()


def upload_home(upload_id: str) -> str:
    """Return the name of the node at which an upload began, "" when no node made this id."""
    if not upload_id.isascii() or len(upload_id) > UPLOAD_ID_CHARACTERS_MAX:
        return ""
    try:
        padded = upload_id.upper() + "=" * (-len(upload_id) % 8)
        return base64.b32hexdecode(padded)[6 + _UPLOAD_RANDOM_BYTES :].decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
