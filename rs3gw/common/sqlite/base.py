"""SQLite with a queue in front of its write lock.

SQLite's own busy handler sleeps and retries, so under load a writer can starve for seconds and
then fail with "database is locked". Here every writer, of whichever process, first takes an
flock on a file beside the database: the kernel queues those who wait, and a lock that is never
contended inside SQLite never times out. Reads do not take it (WAL).
"""

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from typing import Any

from django.db.backends.sqlite3 import base

# FULL: an acknowledged write must survive power loss; NORMAL in WAL mode loses the tail.
SYNC_DURABLE = "PRAGMA synchronous=FULL;"
SYNC_RELAXED = "PRAGMA synchronous=NORMAL;"
PRAGMAS = (
    "PRAGMA journal_mode=WAL;"
    "PRAGMA foreign_keys=ON;"
    "PRAGMA cache_size=-8192;"
    "PRAGMA temp_store=MEMORY;"
    "PRAGMA mmap_size=134217728;"
    "PRAGMA journal_size_limit=67108864;"
)
_READS = re.compile(r"^\s*(SELECT|PRAGMA|EXPLAIN|SAVEPOINT|RELEASE|ROLLBACK)\b", re.IGNORECASE)


class WriterLock:
    """An flock that one connection holds while it writes."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd: int | None = None
        self.is_held = False

    def acquire(self) -> None:
        """Wait for the lock; it must not be held by this connection already."""
        assert not self.is_held
        if self._fd is None:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        self.is_held = True

    def release(self) -> None:
        """Give the lock back, if it is held."""
        if self.is_held and self._fd is not None:
            self.is_held = False
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the lock back and close its file."""
        self.release()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class LockingCursor(base.SQLiteCursorWrapper):
    """A cursor that takes the writer lock around a single write outside a transaction."""

    writer_lock: WriterLock | None = None

    def execute(self, query: str, params: Any = None) -> Any:
        """Run one statement."""
        with self._locked_if_alone(query):
            return super().execute(query, params)

    def executemany(self, query: str, param_list: Any) -> Any:
        """Run one statement for each set of parameters."""
        with self._locked_if_alone(query):
            return super().executemany(query, param_list)

    @contextlib.contextmanager
    def _locked_if_alone(self, query: str) -> Iterator[None]:
        lock = self.writer_lock
        if lock is None or lock.is_held or self.connection.in_transaction or _READS.match(query):
            yield
            return
        lock.acquire()
        try:
            yield
        finally:
            # A bare BEGIN opened a transaction: commit or rollback gives the lock back.
            if not self.connection.in_transaction:
                lock.release()


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's SQLite backend plus the writer lock."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._writer_lock: WriterLock | None = None

    @property
    def writer_lock(self) -> WriterLock | None:
        """The lock of this connection; None for a database in memory, which nobody shares."""
        name = str(self.settings_dict["NAME"])
        if self._writer_lock is None and not self.is_in_memory_db():
            self._writer_lock = WriterLock(f"{name}.lock")
        return self._writer_lock

    def get_connection_params(self) -> dict[str, Any]:
        """Return connection parameters; transactions begin by taking the write lock."""
        options = self.settings_dict["OPTIONS"]
        is_relaxed = options.pop("is_relaxed", False)
        options.setdefault("transaction_mode", "IMMEDIATE")
        options.setdefault("init_command", PRAGMAS + (SYNC_RELAXED if is_relaxed else SYNC_DURABLE))
        options.setdefault("timeout", 30)
        return super().get_connection_params()

    def create_cursor(self, name: str | None = None) -> LockingCursor:
        """Return a cursor that knows this connection's lock."""
        cursor: LockingCursor = self.connection.cursor(factory=LockingCursor)
        cursor.writer_lock = self.writer_lock
        return cursor

    def _commit(self) -> None:
        try:
            super()._commit()  # type: ignore[misc]
        finally:
            self._release_if_done()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._release_if_done()

    def _close(self) -> None:
        super()._close()  # type: ignore[misc]
        if self._writer_lock is not None:
            self._writer_lock.close()
            self._writer_lock = None

    def _release_if_done(self) -> None:
        in_transaction = self.connection is not None and self.connection.in_transaction
        if self._writer_lock is not None and not in_transaction:
            self._writer_lock.release()
