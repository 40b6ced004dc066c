"""The Celery application and its beat schedule.

Messages are doorbells and ticks: losing, repeating or delaying one is harmless, so nothing is
kept of their results and nothing waits long for the broker.
"""

import os

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rs3gw.settings")

BROKER_TIMEOUT_SECONDS = 2.0
MAIN = "rs3gw"


def _tick(task: str, queue: str, interval_seconds: float) -> dict[str, object]:
    """Return a schedule entry whose message is worthless once the next one is due."""
    return {
        "task": task,
        "schedule": interval_seconds,
        "options": {"queue": queue, "expires": max(0.05, interval_seconds * 0.9)},
    }


def make_app(name: str) -> Celery:
    """Return a Celery application with the tasks and the schedule of a node.

    The worker process makes two: an application knows only one choice of queues to consume, and
    ticks must not wait behind transfers.
    """
    application = Celery(name, set_as_current=name == MAIN)
    application.conf.update(_configuration())
    application.autodiscover_tasks(["cluster", "replication", "rs3gw.storage", "rs3gw.s3"])
    return application


def _configuration() -> dict[str, object]:
    return {
        "broker_url": settings.CELERY_BROKER_URL,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_connection_timeout": BROKER_TIMEOUT_SECONDS,
        "broker_transport_options": {
            "socket_timeout": 10.0,
            "socket_connect_timeout": BROKER_TIMEOUT_SECONDS,
            "retry_policy": {"max_retries": 0, "timeout": BROKER_TIMEOUT_SECONDS},
        },
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "task_ignore_result": True,
        "task_default_queue": "maintain",
        "task_routes": {
            "cluster.tasks.*": {"queue": "pulse"},
            "replication.tasks.drain_lane": {"queue": "replicate"},
            "replication.tasks.sweep": {"queue": "replicate"},
        },
        "task_publish_retry": False,
        "worker_hijack_root_logger": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_send_task_events": False,
        "enable_utc": True,
        "timezone": "UTC",
        "beat_schedule": _schedule(),
    }


def _schedule() -> dict[str, object]:
    """Return what a node does by itself, and how often."""
    return {
        "heartbeat": _tick(
            "cluster.tasks.heartbeat", "pulse", settings.RS3GW_HEARTBEAT_INTERVAL_SECONDS
        ),
        "gossip": _tick("cluster.tasks.gossip", "pulse", settings.RS3GW_GOSSIP_INTERVAL_SECONDS),
        "sweep": _tick(
            "replication.tasks.sweep", "replicate", settings.RS3GW_SWEEP_INTERVAL_SECONDS
        ),
        "close-gaps": _tick(
            "replication.tasks.close_gaps", "maintain", settings.RS3GW_GAP_CHECK_SECONDS
        ),
        "carry-out-comparisons": _tick("replication.tasks.compare", "maintain", 5.0),
        **_comparisons(),
        "trim-log": _tick(
            "replication.tasks.trim_log", "maintain", settings.RS3GW_TRIM_INTERVAL_SECONDS
        ),
        "forget": _tick(
            "replication.tasks.forget", "maintain", settings.RS3GW_TRIM_INTERVAL_SECONDS
        ),
        "tidy": _tick(
            "replication.tasks.tidy", "maintain", 10 * settings.RS3GW_TRIM_INTERVAL_SECONDS
        ),
        "heal": _tick("replication.tasks.heal", "maintain", settings.RS3GW_HEAL_INTERVAL_SECONDS),
        "scrub": _tick("replication.tasks.scrub", "maintain", settings.RS3GW_HEAL_INTERVAL_SECONDS),
        "collect-bodies": _tick("rs3gw.storage.tasks.collect_unused_blobs", "maintain", 300.0),
        "expire-objects": _tick(
            "rs3gw.s3.tasks.expire_objects",
            "maintain",
            settings.RS3GW_LIFECYCLE_INTERVAL_SECONDS,
        ),
    }


def _comparisons() -> dict[str, object]:
    """Return the schedule of comparisons; none when they are switched off."""
    interval_seconds = settings.RS3GW_COMPARE_INTERVAL_SECONDS
    if not interval_seconds:
        return {}
    tick = _tick("replication.tasks.compare", "maintain", interval_seconds)
    return {"compare": {**tick, "kwargs": {"by_schedule": True}}}


app = make_app(MAIN)
