"""Who this node is: a small file in the data directory, made once.

The file and the database must agree on the writer id (`actor`). If they do not, a disk was copied
or a database restored, and writing under the old id would make peers ignore new changes as old
ones; so the start is refused.
"""

import json
import os
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from rs3gw.common import ids
from rs3gw.common.errors import Rs3gwError

FILE_NAME = "identity.json"
NEXT_SUFFIX = ".next"


class IdentityError(Rs3gwError):
    """The data directory, the settings and the database do not belong together."""

    code = "IdentityMismatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Name and writer id of this node.

    Attributes:
        node_id: The node's name, which survives a new disk.
        actor: Writer id of this data directory; low 8 bits are zero, for the shard.
    """

    node_id: str
    actor: int


def path() -> Path:
    """Return where the identity is kept."""
    return Path(settings.RS3GW_DATA_DIR) / FILE_NAME


@lru_cache(maxsize=1)
def load() -> Identity:
    """Return this node's identity.

    Raises:
        IdentityError: There is none yet, it cannot be read, or the configured name differs.
    """
    try:
        identity = Identity(**json.loads(path().read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise IdentityError(
            f"{path()} does not exist: run `manage.py init_node` for a new node"
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise IdentityError(f"{path()} cannot be read: {error}") from None
    wanted = settings.RS3GW_CLUSTER_NODE_ID
    if wanted and wanted != identity.node_id:
        raise IdentityError(
            f"RS3GW_CLUSTER_NODE_ID is {wanted!r}, but {path()} belongs to {identity.node_id!r}: "
            "give the right name or another RS3GW_DATA_DIR"
        )
    return identity


_loaded_from: tuple[int, int] = (0, 0)


def refresh() -> None:
    """Read the identity again at the next question if another process has changed it."""
    global _loaded_from
    try:
        found = path().stat()
    except OSError:
        return
    mark = (found.st_ino, found.st_mtime_ns)
    if mark != _loaded_from:
        _loaded_from = mark
        load.cache_clear()


def propose(identity: Identity) -> None:
    """Write down an identity that is about to replace the present one."""
    _write_durably(path().with_suffix(NEXT_SUFFIX), identity)


def proposed() -> Identity | None:
    """Return the identity that was to replace the present one, None when there is none."""
    try:
        return Identity(**json.loads(path().with_suffix(NEXT_SUFFIX).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def adopt_proposed() -> None:
    """Make the proposed identity the present one."""
    path().with_suffix(NEXT_SUFFIX).replace(path())
    sync_directory(path().parent)
    load.cache_clear()


def ensure() -> Identity:
    """Return this node's identity, making it on the first start."""
    if not path().exists():
        node_id = settings.RS3GW_CLUSTER_NODE_ID or ids.new_node_id()
        write(Identity(node_id=node_id, actor=ids.new_actor()))
    return load()


def write(identity: Identity) -> None:
    """Write the identity durably."""
    _write_durably(path(), identity)
    load.cache_clear()


def _write_durably(target: Path, identity: Identity) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".new")
    with open(temporary, "w", encoding="utf-8", opener=_private) as file:
        json.dump(asdict(identity), file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(target)
    sync_directory(target.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable: a rename is lost at power loss without it."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)
