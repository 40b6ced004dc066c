"""Identifiers that this node mints."""

import base64
import secrets
import string
import uuid

from rs3gw.common import clock

SHARD_BITS = 8
ACTOR_BITS = 63
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


def is_actor_of(shard_actor_id: int, actor: int) -> bool:
    """Return whether a writer id is one of the shards of a data directory's writer."""
    return shard_actor_id >> SHARD_BITS == actor >> SHARD_BITS


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


def new_canonical_id() -> str:
    """Return a random canonical user id: 64 hexadecimal digits, as Amazon's look."""
    return secrets.token_hex(32)


def new_secret_key() -> str:
    """Return a 40-character secret access key of 238 random bits."""
    return "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(40))


def new_version_id() -> str:
    """Return the id of an object version: 32 random hexadecimal digits."""
    return secrets.token_hex(16)


def new_upload_id(node_id: str) -> str:
    """Return an upload id that names the node where the upload began."""
    raw = secrets.token_bytes(16) + node_id.encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def upload_home(upload_id: str) -> str:
    """Return the node that an upload id names, "" when it names none."""
    try:
        raw = base64.urlsafe_b64decode(upload_id + "=" * (-len(upload_id) % 4))
        return raw[16:].decode("ascii")
    except ValueError:
        return ""
