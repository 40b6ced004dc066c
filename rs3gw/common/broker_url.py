"""Where the embedded broker of a node listens: a pure function of its data directory."""

import hashlib
import tempfile
from pathlib import Path

# A socket's address holds 107 bytes on Linux.
SOCKET_PATH_BYTES_MAX = 100


def socket_path(data_dir: Path) -> Path:
    """Return the broker's socket; a short path elsewhere when the data directory's is too long."""
    path = data_dir / "run" / "broker.sock"
    if len(str(path).encode()) <= SOCKET_PATH_BYTES_MAX:
        return path
    digest = hashlib.sha256(str(data_dir).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"rs3gw-{digest}" / "broker.sock"


def broker_url(data_dir: Path) -> str:
    """Return the address of the embedded broker for Celery."""
    return f"redis+socket://{socket_path(data_dir)}"
