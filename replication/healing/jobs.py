"""Rows of jobs, and turns: the bounded time for which one process works on one of them."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import F, Q

from replication.core.bandwidth import BandwidthTracker
from replication.errors import ControlError
from replication.models import HealingCount, HealingJob, JobKind, JobState
from rs3gw.common import clock

TURN_SECONDS_MAX = 25.0
LEASE_SECONDS = 60.0
LOOK_SECONDS = 0.5
JOBS_KEPT = 200
OPEN_STATES = (JobState.RUNNING, JobState.PAUSED)
WALK_KINDS = (JobKind.AUDIT, JobKind.REBUILD)


def open_jobs(kinds: Sequence[str]) -> list[HealingJob]:
    """Return the running and paused jobs of these kinds, oldest first."""
    return list(HealingJob.objects.filter(kind__in=kinds, state__in=OPEN_STATES).order_by("id"))


def start(
    kind: JobKind, reason: str, *, requested_by: str = "", fields: Mapping[str, Any] | None = None
) -> HealingJob:
    """Make a job; the worker begins with it at its next round.

    Args:
        kind: What it does.
        reason: Why it is done, for the operator.
        requested_by: Who asked for it; "" when nobody did.
        fields: Further fields of its row, such as its totals.

    Raises:
        ControlError: A job of that kind is open already.
    """
    if open_jobs([kind]):
        raise ControlError(
            f"A job '{JobKind(kind).label}' is open already. Cancel it, or wait for its end."
        )
    job = HealingJob.objects.create(
        kind=kind, reason=reason, changed_by=requested_by, started_at=clock.utcnow(), **fields or {}
    )
    _forget_old()
    return job


def _forget_old() -> None:
    ended = HealingJob.objects.exclude(state__in=OPEN_STATES).order_by("-id")
    oldest_kept = ended.values_list("pk", flat=True)[JOBS_KEPT - 1 : JOBS_KEPT].first()
    if oldest_kept is not None:
        ended.filter(pk__lt=oldest_kept).delete()


def pause(job: HealingJob, *, author: str) -> None:
    """Let a job rest after the body under way; where it is, is kept.

    Raises:
        ControlError: It is not running.
    """
    _change(job, [JobState.RUNNING], JobState.PAUSED, author)


def resume(job: HealingJob, *, author: str) -> None:
    """Let a paused job go on.

    Raises:
        ControlError: It is not paused.
    """
    _change(job, [JobState.PAUSED], JobState.RUNNING, author)


def cancel(job: HealingJob, *, author: str) -> None:
    """End a job where it is; what it has done stays done.

    Raises:
        ControlError: It is over already.
    """
    _change(job, list(OPEN_STATES), JobState.CANCELLED, author)


def _change(job: HealingJob, old: Sequence[str], new: JobState, author: str) -> None:
    fields: dict[str, Any] = {"state": new, "changed_by": author}
    if new not in OPEN_STATES:
        fields["finished_at"] = clock.utcnow()
    if not HealingJob.objects.filter(pk=job.pk, state__in=old).update(**fields):
        job.refresh_from_db()
        raise ControlError(f"The job is {job.get_state_display().lower()}.")
    job.refresh_from_db()


def count(name: str, bodies: int, size_bytes: int) -> None:
    """Add to a counter that outlives the jobs."""
    HealingCount.objects.get_or_create(name=name)
    HealingCount.objects.filter(name=name).update(
        bodies=F("bodies") + bodies, size_bytes=F("size_bytes") + size_bytes
    )


class Turn:
    """One process at work on one job, for a bounded time and as long as the job is to run.

    Use `take` to begin one; end it with `release`.
    """

    def __init__(self, job: HealingJob, token: str, seconds_max: float) -> None:
        self.job = job
        self._token = token
        self._ends_at = clock.monotonic() + seconds_max
        self._looked_at = clock.monotonic()
        self._is_ours = True
        self._tracker = BandwidthTracker()

    @classmethod
    def take(cls, job: HealingJob, seconds_max: float = TURN_SECONDS_MAX) -> "Turn | None":
        """Begin a turn; None when the job does not run, or someone else is at it."""
        token, now = uuid.uuid4().hex, clock.utcnow()
        is_free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
        taken = HealingJob.objects.filter(is_free, pk=job.pk, state=JobState.RUNNING).update(
            lease_token=token, lease_until=now + timedelta(seconds=LEASE_SECONDS)
        )
        if not taken:
            return None
        job.refresh_from_db()
        return cls(job, token, seconds_max)

    def goes_on(self) -> bool:
        """Return whether there is time left and the job is still to run."""
        return clock.monotonic() < self._ends_at and not self.is_halted()

    def is_halted(self) -> bool:
        """Return whether the job was paused, cancelled, or taken over; renews the lease."""
        now = clock.monotonic()
        if self._is_ours and now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            until = clock.utcnow() + timedelta(seconds=LEASE_SECONDS)
            self._is_ours = self._update(lease_until=until)
        return not self._is_ours

    def rest(self, seconds: float) -> None:
        """Wait, but no longer than the turn goes on."""
        until = clock.monotonic() + seconds
        while self.goes_on() and (left := until - clock.monotonic()) > 0:
            clock.sleep(min(left, LOOK_SECONDS))

    def add(self, **amounts: int) -> None:
        """Add to counters of the job."""
        if any(amounts.values()):
            self._update(**{name: F(name) + amount for name, amount in amounts.items()})

    def moved(self, name: str, bodies: int, size_bytes: int) -> None:
        """Count bodies that were `fetched` or `sent`, and measure the rate."""
        now = clock.monotonic()
        self._tracker.record(size_bytes, now)
        count(name, bodies, size_bytes)
        self._update(
            moved_bodies=F("moved_bodies") + bodies,
            moved_bytes=F("moved_bytes") + size_bytes,
            rate_bytes_per_second=self._tracker.current_rate(now),
        )

    def save(self, **fields: Any) -> None:
        """Write fields of the job, such as its cursor."""
        if self._update(**fields):
            for name, value in fields.items():
                setattr(self.job, name, value)

    def say(self, problem: str) -> None:
        """Show what keeps the job from getting on; "" takes the last one back."""
        if problem != self.job.last_error:
            self.save(last_error=problem)

    def finish(self, problem: str = "") -> None:
        """Mark the job as done."""
        self.save(
            state=JobState.DONE,
            finished_at=clock.utcnow(),
            last_error=problem,
            rate_bytes_per_second=0.0,
        )
        self._is_ours = False

    def release(self) -> None:
        """End the turn, so that another one may begin."""
        HealingJob.objects.filter(pk=self.job.pk, lease_token=self._token).update(
            lease_until=None, lease_token=""
        )

    def _update(self, **fields: Any) -> bool:
        ours = HealingJob.objects.filter(
            pk=self.job.pk, lease_token=self._token, state=JobState.RUNNING
        )
        return bool(ours.update(**fields))
