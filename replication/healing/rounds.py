"""What the worker runs: one round of healing, one of the scrub. Each is bounded in time."""

import logging
import threading
from collections.abc import Callable

from django.conf import settings

from cluster import selectors as cluster_selectors
from cluster.core.node import Lifecycle
from replication.core.healing import Plan, WalkHistory, next_walk
from replication.healing import carry, jobs, leaving, scrub, walk
from replication.healing.jobs import TURN_SECONDS_MAX, Turn
from replication.models import HealingJob, JobKind, JobState
from replication.placement import current
from rs3gw.common import clock

logger = logging.getLogger(__name__)
CHECK_SECONDS_MAX = 10.0
_ADVANCE: dict[str, Callable[[Turn], None]] = {
    JobKind.AUDIT: walk.advance,
    JobKind.REBUILD: walk.advance,
    JobKind.REPAIR: walk.repair,
    JobKind.DRAIN: leaving.advance,
    JobKind.SCRUB: scrub.advance,
}


class _Steady:
    """Whether placement is the same as at the round before: members come in one by one."""

    def __init__(self) -> None:
        self._key = ""

    def is_same(self, plan: Plan) -> bool:
        was, self._key = self._key, plan.key()
        return was == self._key


_steady = _Steady()
_healing = threading.Lock()
_scrubbing = threading.Lock()


def heal_round() -> None:
    """Look for damaged bodies, begin the jobs that are due, and go on with those that run."""
    if not _healing.acquire(blocking=False):
        return
    try:
        _heal()
    finally:
        _healing.release()


def _heal() -> None:
    lifecycle = cluster_selectors.read().own.lifecycle
    if lifecycle not in {Lifecycle.ACTIVE, Lifecycle.LEAVING}:
        return
    scrub.check_suspects(clock.monotonic() + CHECK_SECONDS_MAX)
    plan = current()
    if lifecycle == Lifecycle.ACTIVE and _steady.is_same(plan):
        _begin_walk(plan)
        _begin_repair()
    kinds = [JobKind.DRAIN, JobKind.REPAIR, *jobs.WALK_KINDS]
    for job in jobs.open_jobs(kinds):
        advance(job)


def _begin_walk(plan: Plan) -> None:
    now = clock.now()
    due = next_walk(
        _history(), plan, now=now, interval_seconds=settings.RS3GW_AUDIT_INTERVAL_SECONDS
    )
    if due is None:
        return
    kind, reason = due
    running = HealingJob.objects.filter(kind__in=jobs.WALK_KINDS, state=JobState.RUNNING)
    running.update(
        state=JobState.DONE,
        finished_at=clock.utcnow(),
        last_error="Another job takes its place: bodies have other places by now.",
    )
    start_walk(JobKind(kind), reason, plan)


def start_walk(kind: JobKind, reason: str, plan: Plan, *, requested_by: str = "") -> HealingJob:
    """Begin a walk over all bodies.

    Raises:
        ControlError: One of that kind is open already.
    """
    return jobs.start(
        kind,
        reason,
        requested_by=requested_by,
        fields={
            "plan_key": plan.key(),
            "given_up": list(plan.given_up),
            **walk.totals(kind),
        },
    )


def _history() -> WalkHistory:
    last = HealingJob.objects.filter(kind__in=jobs.WALK_KINDS).order_by("-id").first()
    if last is None:
        return WalkHistory()
    return WalkHistory(
        plan_key=last.plan_key,
        given_up=tuple(last.given_up),
        ended_at=None if last.finished_at is None else last.finished_at.timestamp(),
        is_paused=last.state == JobState.PAUSED,
    )


def _begin_repair() -> None:
    """Begin to fetch what was noted as missing while no job is there to do so."""
    if jobs.open_jobs([JobKind.REPAIR, *jobs.WALK_KINDS]):
        return
    count = carry.waiting().count()
    if count:
        reason = f"bodies that are missing or damaged here: {count}"
        jobs.start(JobKind.REPAIR, reason, fields={"total_bodies": count})


def advance(job: HealingJob, seconds_max: float = TURN_SECONDS_MAX) -> None:
    """Go on with a job for a bounded time, if it runs and nobody else is at it."""
    turn = Turn.take(job, seconds_max)
    if turn is None:
        return
    try:
        _ADVANCE[job.kind](turn)
    except Exception as error:
        logger.exception("the job %s (%s) stopped for now", job.pk, job.kind)
        turn.say(f"{type(error).__name__}: {error}")
    finally:
        turn.release()


def scrub_round() -> None:
    """Begin a scrub when one is due, and go on with the one that runs."""
    if not _scrubbing.acquire(blocking=False):
        return
    try:
        if is_scrub_due():
            start_scrub("regular scrub")
        for job in jobs.open_jobs([JobKind.SCRUB]):
            advance(job)
    finally:
        _scrubbing.release()


def start_scrub(reason: str, *, requested_by: str = "") -> HealingJob:
    """Begin a scrub.

    Raises:
        ControlError: One is open already.
    """
    return jobs.start(JobKind.SCRUB, reason, requested_by=requested_by, fields=scrub.totals())


def is_scrub_due() -> bool:
    """Return whether the last scrub began long enough ago, and none is open."""
    last = HealingJob.objects.filter(kind=JobKind.SCRUB).order_by("-id").first()
    if last is None:
        return True
    if last.state in jobs.OPEN_STATES:
        return False
    age_seconds = (clock.utcnow() - last.started_at).total_seconds()
    return age_seconds >= settings.RS3GW_SCRUB_INTERVAL_SECONDS
