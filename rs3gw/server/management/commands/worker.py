"""`manage.py worker`: the worker process of a node."""

import signal
import threading
from typing import Any

from celery import Celery
from celery.beat import EmbeddedService
from celery.worker import WorkController
from django.conf import settings
from django.core.management.base import BaseCommand

from rs3gw.celery import app, make_app
from rs3gw.server.broker import EmbeddedBroker

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
            _worker(make_app("rs3gw-pulse"), ["pulse"], PULSE_THREADS),
            _worker(app, list(TRANSFER_QUEUES), settings.RS3GW_WORKER_THREADS),
        ]
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        for worker in workers:
            threading.Thread(target=worker.start, daemon=True).start()
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


def _worker(application: Celery, queues: list[str], threads: int) -> WorkController:
    """Return a Celery worker of its own for some queues: ticks never wait behind transfers."""
    return WorkController(
        app=application,
        hostname=f"{queues[0]}@{settings.RS3GW_BIND_ADDR}",
        pool="threads",
        concurrency=threads,
        queues=queues,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        loglevel="WARNING",
    )
