"""`manage.py worker`: the worker process of a node."""

import logging
import os
import threading
from typing import Any

from celery import Celery
from celery.beat import EmbeddedService
from celery.worker import WorkController
from django.conf import settings
from django.core.management.base import BaseCommand
from kombu.asynchronous import set_event_loop

from rs3gw.celery import app, make_app
from rs3gw.common import clock, stopping
from rs3gw.common.stopping import StopSignals
from rs3gw.server.broker import EmbeddedBroker

logger = logging.getLogger(__name__)
REST_SECONDS = 1.0
FINISH_SECONDS_MAX = 30.0
POLL_SECONDS = 0.05
_starting = threading.Lock()

PULSE_THREADS = 2
# Ticks that were missed while the worker was down are worth nothing: there is nothing to keep.
IN_MEMORY_SCHEDULER = "celery.beat:Scheduler"
TRANSFER_QUEUES = ("replicate", "maintain")


class Command(BaseCommand):
    """Run ticks, transfers and maintenance; watch over the embedded broker."""

    help = "Run the worker process of this node."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGTERM or SIGINT; what is under way ends with its batch."""
        broker = None
        if not settings.RS3GW_BROKER_URL:
            broker = EmbeddedBroker(settings.RS3GW_DATA_DIR)
            broker.start()
        workers = [
            SupervisedWorker(make_app("rs3gw-pulse"), ["pulse"], PULSE_THREADS),
            SupervisedWorker(app, list(TRANSFER_QUEUES), settings.RS3GW_WORKER_THREADS),
        ]
        signals = StopSignals()
        signals.install()
        for worker in workers:
            worker.start()
        beat: Any = EmbeddedService(
            app, thread=True, max_interval=1, scheduler_cls=IN_MEMORY_SCHEDULER
        )
        beat.daemon = True
        beat.start()
        self.stdout.write("working")
        self.stdout.flush()
        signals.wait()
        stopping.begin()
        beat.stop()
        has_ended = _stop(workers, signals.insisted)
        if broker is not None:
            broker.stop()
        if not has_ended:
            # The threads of a task would keep the interpreter; their work is done again later.
            self.stdout.flush()
            os._exit(0)


def _stop(workers: list["SupervisedWorker"], insisted: threading.Event) -> bool:
    """Let the workers end what they have begun; return whether they did in time."""
    ended = threading.Event()

    def run() -> None:
        threads = [threading.Thread(target=worker.stop, daemon=True) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ended.set()

    threading.Thread(target=run, daemon=True).start()
    deadline = clock.monotonic() + FINISH_SECONDS_MAX
    while not ended.wait(POLL_SECONDS):
        if insisted.is_set() or clock.monotonic() > deadline:
            logger.warning("stopped in the middle of a task; it is done again after the start")
            return False
    return True


class SupervisedWorker:
    """A Celery worker of its own for some queues, started again when it ends by itself.

    Ticks and transfers have one each, so that a tick never waits behind a transfer.
    """

    def __init__(self, application: Celery, queues: list[str], threads: int) -> None:
        self._application = application
        self._queues = queues
        self._threads = threads
        self._stopping = threading.Event()
        self._controller: WorkController | None = None

    def start(self) -> None:
        """Start working in a thread."""
        name = f"worker-{self._queues[0]}"
        with _starting:
            self._controller = self._new_controller()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def stop(self) -> None:
        """Stop taking tasks; those under way end or are done again later."""
        self._stopping.set()
        if self._controller is not None:
            self._controller.stop()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                assert self._controller is not None
                self._controller.start()
            except Exception:
                logger.exception("the worker of %s failed", self._queues)
            if not self._stopping.wait(REST_SECONDS):
                logger.warning("the worker of %s ended; it is started again", self._queues)
                with _starting:
                    self._controller = self._new_controller()

    def _new_controller(self) -> WorkController:
        # Celery takes over the event loop of this process when there is one; two workers on one
        # loop close each other's sockets.
        set_event_loop(None)
        return WorkController(
            app=self._application,
            hostname=f"{self._queues[0]}@{settings.RS3GW_BIND_ADDR}",
            pool="threads",
            concurrency=self._threads,
            queues=self._queues,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            loglevel="WARNING",
        )
