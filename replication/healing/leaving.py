"""Copying bodies out before this node leaves.

A leaving node has no weight any more, so placement names others for all that it holds. The job is
advanced by the worker and by whoever waits for the leave; a second call goes on where the first
one stopped.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from django.conf import settings

from cluster import selectors as cluster_selectors
from cluster.core.node import Lifecycle
from replication import bodies
from replication.errors import ControlError
from replication.healing import jobs, offers, peers, walk
from replication.healing.jobs import Turn
from replication.healing.peers import NOTHING, Body
from replication.models import HealingJob, JobKind, JobState
from replication.placement import current
from rs3gw.common import clock, identity
from rs3gw.storage import blobs

WAIT_SECONDS_MAX = 60.0
STALL_SECONDS_MAX = 600.0
PAUSE_SECONDS = 0.2
TURN_SECONDS = 2.0
RETRY_SECONDS = 1.0


class Progress(Protocol):
    """Whoever is told how far a leave is."""

    def report(self, what: str, done: int, total: int, /) -> object:
        """Take note; may raise to call the leave off."""


def copy_out(progress: Progress | None = None) -> None:
    """Return when every body that this node holds is held by the members that stay.

    Args:
        progress: Told about once a second how far it is; with it the wait is bounded by
            `STALL_SECONDS_MAX` without any progress, else by `WAIT_SECONDS_MAX`.

    Raises:
        ControlError: Not all could be copied in time, or the job was stopped by an operator; the
            node is still leaving, and leaving again goes on.
    """
    if not others():
        return
    job = _open_job()
    limit_seconds = STALL_SECONDS_MAX if progress is not None else WAIT_SECONDS_MAX
    deadline, seen = clock.monotonic() + limit_seconds, -1
    while job.state == JobState.RUNNING:
        turn = Turn.take(job, TURN_SECONDS)
        if turn is not None:
            _advance_and_release(turn)
        job.refresh_from_db()
        if progress is not None:
            progress.report("copying bodies to the others", job.done_bodies, job.total_bodies)
            if job.done_bodies + job.moved_bodies > seen:
                seen = job.done_bodies + job.moved_bodies
                deadline = clock.monotonic() + limit_seconds
        if job.state == JobState.RUNNING and clock.monotonic() > deadline:
            raise ControlError(_too_slow(job))
        clock.sleep(PAUSE_SECONDS)
    if job.state != JobState.DONE:
        raise ControlError(
            f"Copying bodies out was {job.get_state_display().lower()}; the node stays. Resume "
            "that job, or leave again to begin anew."
        )


def _advance_and_release(turn: Turn) -> None:
    try:
        advance(turn)
    finally:
        turn.release()


def _too_slow(job: HealingJob) -> str:
    why = f" {job.last_error}" if job.last_error else ""
    return (
        f"Bodies are still being copied to the others: {job.done_bodies} of {job.total_bodies} "
        f"are done. The node stays and goes on; leave again in a while.{why}"
    )


def others() -> list[str]:
    """Return the members that can take bodies of this node."""
    own = identity.load().node_id
    return [m.node_id for m in current().members if m.weight > 0 and m.node_id != own]


def _open_job() -> HealingJob:
    found = jobs.open_jobs([JobKind.DRAIN])
    if found:
        return found[0]
    return jobs.start(JobKind.DRAIN, "this node leaves", fields=walk.totals(JobKind.DRAIN))


def is_leaving() -> bool:
    """Return whether this node is on its way out."""
    return cluster_selectors.read().own.lifecycle == Lifecycle.LEAVING


def advance(turn: Turn) -> None:
    """Copy out until the turn ends, and mark the job as done when all is held elsewhere."""
    if not is_leaving():
        turn.finish("The node does not leave any more.")
        return
    while turn.goes_on():
        entries = walk.next_page(turn)
        if not entries:
            turn.finish()
            return
        named = dict(body for entry in entries for body in entry.bodies())
        here = [body for body in named.items() if _lies_here(*body)]
        if not _copy_page(turn, here):
            turn.rest(RETRY_SECONDS)
            continue
        turn.save(cursor=str(entries[-1].row_id), last_error="")
        amounts = [body for entry in entries for body in entry.bodies()]
        turn.add(done_bodies=len(amounts), done_bytes=sum(size for _, size in amounts))


def _lies_here(sha256: str, size_bytes: int) -> bool:
    return not bodies.is_inline(size_bytes) and blobs.stored_bytes(sha256) == size_bytes


def _copy_page(turn: Turn, here: Sequence[Body]) -> bool:
    """Send what is lacking; return whether enough of those that stay have each body.

    Where a holder cannot be reached, the next one in order takes its copy.
    """
    if not here:
        return True
    nodes = {node.node_id: node for node in peers.at_work()}
    targets = _reachable_targets(set(nodes))
    if not offers.send_to(turn, here, nodes, targets):
        return False
    answers = offers.ask_targets(here, nodes, targets)
    needed = expected_copies()
    for sha256, _ in here:
        having = [n for n in targets(sha256) if sha256 in answers.get(n, NOTHING).present]
        if len(having) < needed:
            turn.say(
                f"{sha256[:16]}… is on {len(having)} of the {needed} members that it must be on; "
                f"{len(nodes)} can be reached."
            )
            return False
    return True


def _reachable_targets(node_ids: set[str]) -> Callable[[str], Sequence[str]]:
    plan, wanted = current(), expected_copies()

    def targets(sha256: str) -> list[str]:
        return [n for n in plan.holders(sha256, 0) if n in node_ids][:wanted]

    return targets


def expected_copies() -> int:
    """Return how many copies of each body the members that stay must hold."""
    takers = len(others())
    return min(settings.RS3GW_REPLICATION_FACTOR or takers, takers)
