"""How far a leave is: what its steps report, where others read it, and how it is called off."""

import secrets
from datetime import timedelta

from django.db.models import Q

from cluster.models import LeaveRun, LeaveState
from cluster.services.errors import ClusterConflict
from rs3gw.common import clock, stopping

REPORT_SECONDS = 0.5
ABANDONED_SECONDS = 180
OPEN_STATES = (LeaveState.WAITING, LeaveState.RUNNING)


class LeaveCancelled(ClusterConflict):
    """The leave was called off; the node goes back to work."""

    default_message = "The leave was cancelled."


class LeaveInterrupted(ClusterConflict):
    """This process stops; the next one goes on."""

    default_message = "This process stops; the leave goes on when the worker is back."


class LeaveProgress:
    """What a step of a leave reports to; each report is also where the leave can be called off.

    A step calls `report` at least once a second while it works or waits.
    """

    def __init__(self, run: LeaveRun, token: str) -> None:
        self.run = run
        self._token = token
        self._written_at = 0.0
        self._step = ""
        self._began_at = clock.monotonic()
        self._began_done = 0

    def report(self, step: str, done: int, total: int, *, is_urgent: bool = False) -> None:
        """Say how far a step is.

        Args:
            step: What is being done, in a few words.
            done: How much of it is done, 0 to `total`, in whatever the step counts.
            total: How much there is; it may grow.
            is_urgent: Write it down and look for a cancellation now, not at the next turn.

        Raises:
            LeaveCancelled: The leave was called off, or another process carries it on.
            LeaveInterrupted: This process was asked to stop.
        """
        if stopping.is_stopping():
            raise LeaveInterrupted
        now = clock.monotonic()
        if step != self._step:
            self._step, self._began_at, self._began_done = step, now, done
            is_urgent = True
        if not is_urgent and now - self._written_at < REPORT_SECONDS:
            return
        self._written_at = now
        spent = now - self._began_at
        rate = max(0, done - self._began_done) / spent if spent > 0 else 0.0
        held = LeaveRun.objects.filter(pk=self.run.pk, owner=self._token, is_cancelled=False)
        fields = {"step": step, "done": done, "total": total, "rate_per_second": rate}
        if not held.update(**fields, updated_at=clock.utcnow()):
            raise LeaveCancelled


def open_run() -> LeaveRun | None:
    """Return the leave that waits or is under way, None when there is none."""
    return LeaveRun.objects.filter(state__in=OPEN_STATES).first()


def latest_run() -> LeaveRun | None:
    """Return the newest leave of this node, whatever became of it."""
    return LeaveRun.objects.first()


def begin(requested_by: str) -> LeaveRun:
    """Return the open leave, or a new one that waits for somebody to carry it out."""
    now = clock.utcnow()
    return open_run() or LeaveRun.objects.create(
        requested_by=requested_by[:150], created_at=now, updated_at=now
    )


def take(run: LeaveRun) -> LeaveProgress | None:
    """Return what carries a leave out, None when another process does."""
    token, now = secrets.token_hex(8), clock.utcnow()
    is_free = Q(owner="") | Q(updated_at__lt=now - timedelta(seconds=ABANDONED_SECONDS))
    found = LeaveRun.objects.filter(is_free, pk=run.pk, state__in=OPEN_STATES)
    if not found.update(owner=token, state=LeaveState.RUNNING, updated_at=now):
        return None
    return LeaveProgress(run, token)


def give_back(run: LeaveRun) -> None:
    """Let another process carry a leave on."""
    LeaveRun.objects.filter(pk=run.pk, state=LeaveState.RUNNING).update(
        state=LeaveState.WAITING, owner=""
    )


def finish(
    run: LeaveRun, state: LeaveState, *, error: str = "", told: list[str] | None = None
) -> None:
    """Write down what became of a leave."""
    now = clock.utcnow()
    LeaveRun.objects.filter(pk=run.pk, state__in=OPEN_STATES).update(
        state=state, error=error, told=told or [], updated_at=now, finished_at=now
    )


def cancel() -> bool:
    """Call the open leave off; return whether there is one. Its next report ends it."""
    return bool(LeaveRun.objects.filter(state__in=OPEN_STATES).update(is_cancelled=True))
