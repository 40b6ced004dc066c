"""`manage.py worker`: the worker process of a node."""

import logging
import signal
import threading
from typing import Any

from celery import Celery
from celery.beat import EmbeddedService
from celery.worker import WorkController
from django.conf import settings
from django.core.management.base import BaseCommand
from kombu.asynchronous import set_event_loop

from rs3gw.celery import app, make_app
from rs3gw.server.broker import EmbeddedBroker

logger = logging.getLogger(__name__)
REST_SECONDS = 1.0
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
        """Run until SIGTERM or SIGINT."""
        broker = None
        if not settings.RS3GW_BROKER_URL:
            broker = EmbeddedBroker(settings.RS3GW_DATA_DIR)
            broker.start()
        workers = [
            SupervisedWorker(make_app("rs3gw-pulse"), ["pulse"], PULSE_THREADS),
            SupervisedWorker(app, list(TRANSFER_QUEUES), settings.RS3GW_WORKER_THREADS),
        ]
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        for worker in workers:
            worker.start()
        beat: Any = EmbeddedService(
            app, thread=True, max_interval=1, scheduler_cls=IN_MEMORY_SCHEDULER
        )
        beat.daemon = True
        beat.start()
        self.stdout.write("working")
        self.stdout.flush()
        while not stopping.wait(3600):
            pass
        beat.stop()
        for worker in workers:
            worker.stop()
        if broker is not None:
            broker.stop()


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
