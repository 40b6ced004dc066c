"""Leaving for good: say so, finish what only this node has, be gone.

The worker carries a leave out in a thread of its own; its row says how far it is, and until the
node has left it can be called off.
"""

import logging
import threading

from django.db import connection

from cluster import conf, selectors
from cluster.core.node import Lifecycle, Liveness
from cluster.models import LeaveRun, LeaveState
from cluster.services import life, progress, registry, table
from cluster.services.errors import ClusterConflict
from cluster.services.observer import Observer
from cluster.services.progress import LeaveCancelled, LeaveInterrupted, LeaveProgress

logger = logging.getLogger(__name__)
LAST_STEP = "telling the others"


def request_leave(requested_by: str = "") -> LeaveRun:
    """Let the worker begin to take this node out of the cluster; return how far it is.

    Raises:
        ClusterConflict: The cluster is switched off, or this node is no member.
    """
    run = progress.begin(requested_by) if _may_leave() else None
    if run is None:
        raise ClusterConflict("This node has left already.")
    return run


def cancel_leave() -> bool:
    """Call a leave off and go back to work; return whether there was anything to call off.

    Raises:
        ClusterConflict: It is too late, the node has left.
    """
    row = table.own_row()
    if progress.cancel():
        return True
    if row is not None and row.state == Lifecycle.LEFT:
        raise ClusterConflict("This node has left; `manage.py join` brings it back.")
    if row is None or row.state != Lifecycle.LEAVING:
        return False
    _go_back(is_member=row.is_member)
    return True


def leave(requested_by: str = "") -> list[str]:
    """Leave the cluster for good, here and now; return the nodes that were told.

    The node says that it is leaving, finishes what only it has, and is gone. It must tell at
    least one of the nodes that it hears, else they would wait for it for ever.

    Raises:
        ClusterConflict: The cluster is switched off, another process carries the leave out, it
            was called off, or none of the living nodes took the news; the node is still leaving
            in the last case, and calling again is safe.
    """
    if not _may_leave():
        return []
    run = progress.begin(requested_by)
    taken = progress.take(run)
    if taken is None:
        raise ClusterConflict("The worker is at it already; `manage.py leave` shows how far.")
    return carry_out(taken)


def _may_leave() -> bool:
    life.require_enabled()
    row = table.own_row()
    return row is not None and row.state != Lifecycle.LEFT


def carry_out(reports: LeaveProgress) -> list[str]:
    """Carry a leave out that was taken; return the nodes that were told.

    Raises:
        ClusterConflict: As `leave`.
    """
    try:
        told = _leave(reports)
    except LeaveCancelled as error:
        progress.finish(reports.run, LeaveState.CANCELLED, error=error.message)
        row = table.own_row()
        if row is not None and row.state == Lifecycle.LEAVING:
            _go_back(is_member=row.is_member)
        raise
    except LeaveInterrupted:
        progress.give_back(reports.run)
        raise
    except Exception as error:
        progress.finish(reports.run, LeaveState.FAILED, error=str(error))
        raise
    progress.finish(reports.run, LeaveState.DONE, told=told)
    return told


def _leave(reports: LeaveProgress) -> list[str]:
    row = table.own_row()
    if row is None or row.state == Lifecycle.LEFT:
        return []
    is_member = row.is_member
    reports.report("saying that it leaves", 0, 1)
    table.change_own(Lifecycle.LEAVING, is_member=is_member, reason="told to leave")
    life.tell(life.PATH_LEAVE)
    for finish in registry.on_leaving:
        finish(reports)
    peers = {n.address: n.node_id for n in selectors.read().members if not n.is_self}
    alive = [node for node in selectors.peers() if node.liveness == Liveness.ALIVE]
    reports.report(LAST_STEP, 0, len(peers), is_urgent=True)
    table.change_own(Lifecycle.LEFT, is_member=False, reason="told to leave")
    told = life.tell(life.PATH_LEAVE, addresses=list(peers))
    if alive and not told:
        table.change_own(Lifecycle.STARTING, is_member=is_member, reason="could not tell")
        raise ClusterConflict("No other node could be told. Try again when one can be reached.")
    return [peers[address] for address in told]


def _go_back(*, is_member: bool) -> None:
    table.change_own(Lifecycle.STARTING, is_member=is_member, reason="the leave was cancelled")


def go_on(mind: Observer) -> None:
    """Carry out a leave that waits, in a thread of its own: the ticks must go on."""
    if not conf.is_enabled() or (mind.leaving is not None and mind.leaving.is_alive()):
        return
    run = progress.open_run()
    taken = progress.take(run) if run is not None else None
    if taken is not None:
        mind.leaving = threading.Thread(target=_run, args=(taken,), name="leave", daemon=True)
        mind.leaving.start()


def _run(reports: LeaveProgress) -> None:
    try:
        carry_out(reports)
    except ClusterConflict as error:
        logger.warning("this node has not left: %s", error.message)
    except Exception:
        logger.exception("this node has not left")
    finally:
        connection.close()
