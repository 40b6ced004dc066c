"""Where changes of the data path become durable.

SQLite syncs its log once a commit, so one thread takes the changes of all request threads and
commits those that wait together in one transaction, each in a savepoint of its own: a change
that fails takes none of its neighbours along. PostgreSQL groups commits by itself; there each
change runs in its caller's own transaction.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

from django.db import OperationalError, connection, transaction

from rs3gw.storage.errors import StorageBusy

T = TypeVar("T")
GROUP_MAX = 256
QUEUE_MAX = 4096
COMMIT_TIMEOUT_SECONDS = 60.0
DEADLOCK_TRIES_MAX = 4
_RETRYABLE_SQLSTATES = frozenset({"40001", "40P01"})

_Job = tuple[Callable[[], Any], "Future[Any]"]


class GroupCommitter:
    """One writer thread and the queue in front of it."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[_Job] = queue.Queue(maxsize=QUEUE_MAX)
        self._start_lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def run(self, change: Callable[[], T]) -> T:
        """Run a change in the writer thread and return its result once it is durable.

        Raises:
            StorageBusy: The queue is full, or the commit took over `COMMIT_TIMEOUT_SECONDS`.
        """
        self._ensure_thread()
        future: Future[T] = Future()
        try:
            self._jobs.put((change, future), timeout=COMMIT_TIMEOUT_SECONDS)
            return future.result(timeout=COMMIT_TIMEOUT_SECONDS)
        except (queue.Full, FutureTimeout):
            raise StorageBusy from None

    def _ensure_thread(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        with self._start_lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._loop, name="commit", daemon=True)
                self._thread.start()

    def _loop(self) -> None:
        while True:
            group = [self._jobs.get()]
            while len(group) < GROUP_MAX:
                try:
                    group.append(self._jobs.get_nowait())
                except queue.Empty:
                    break
            _commit_group(group)


def _commit_group(group: list[_Job]) -> None:
    settled: list[tuple[Future[Any], Any, BaseException | None]] = []
    try:
        with transaction.atomic():
            for change, future in group:
                settled.append((future, *_attempt(change)))
    except Exception as error:  # noqa: BLE001  (every waiter must hear of it)
        connection.close()
        for _, future in group:
            future.set_exception(error)
        return
    for future, result, failure in settled:
        if failure is None:
            future.set_result(result)
        else:
            future.set_exception(failure)


def _attempt(change: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        with transaction.atomic():
            return change(), None
    except Exception as error:  # noqa: BLE001  (it belongs to the one who asked)
        return None, error


_committer = GroupCommitter()


def run(change: Callable[[], T]) -> T:
    """Run `change` in a transaction and return its result once it is durable.

    `change` must touch nothing but the database, and may run more than once.

    Raises:
        StorageBusy: The change could not be made durable in time.
    """
    if connection.in_atomic_block:
        with transaction.atomic():
            return change()
    if connection.vendor == "sqlite":
        return _committer.run(change)
    return _run_alone(change)


def _run_alone(change: Callable[[], T]) -> T:
    for attempt in range(DEADLOCK_TRIES_MAX):
        try:
            with transaction.atomic():
                return change()
        except OperationalError as error:
            sqlstate = getattr(error.__cause__, "sqlstate", None)
            if sqlstate not in _RETRYABLE_SQLSTATES or attempt == DEADLOCK_TRIES_MAX - 1:
                raise
    raise StorageBusy
