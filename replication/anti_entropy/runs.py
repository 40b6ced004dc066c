"""Comparisons as rows: asked for, carried out by the worker, shown to people."""

import logging
import random
from dataclasses import asdict
from datetime import timedelta

from django.conf import settings

from cluster import selectors as cluster_selectors
from cluster.core.node import Liveness, NodeInfo
from cluster.transport import PeerError
from replication import stability
from replication.anti_entropy import compare
from replication.errors import ControlError
from replication.models import Comparison, ComparisonState
from rs3gw.common import clock
from rs3gw.common.errors import Rs3gwError

logger = logging.getLogger(__name__)
KEPT_MAX = 1000
WAITING_MAX = 50
STALE_AFTER = timedelta(hours=6)
OPEN_STATES = (ComparisonState.WAITING, ComparisonState.RUNNING)
SCHEDULE = "schedule"


def ask_for(
    *,
    peer: str = "",
    bucket: str = "",
    is_dry_run: bool = False,
    author: str,
    is_for_worker: bool = True,
) -> list[Comparison]:
    """Ask for a comparison of this node with one peer, or with every one that is alive.

    Args:
        peer: With whom; "" for all.
        bucket: Only this bucket; "" for all.
        is_dry_run: Repair nothing.
        author: Who asks.
        is_for_worker: The worker carries it out; else the caller does.

    Raises:
        ControlError: There is no such peer, or too much is waiting.
    """
    nodes = {node.node_id: node for node in _peers()}
    if peer and peer not in nodes:
        raise ControlError(f"{peer} is no other node of this region.")
    wanted = [peer] if peer else [n for n, i in nodes.items() if i.liveness == Liveness.ALIVE]
    if not wanted:
        raise ControlError("No other node of this region is alive.")
    if Comparison.objects.filter(state__in=OPEN_STATES).count() + len(wanted) > WAITING_MAX:
        raise ControlError("Too many comparisons are waiting; wait for them or cancel some.")
    now = clock.utcnow()
    state = ComparisonState.WAITING if is_for_worker else ComparisonState.RUNNING
    return [
        Comparison.objects.create(
            state=state,
            started_at=None if is_for_worker else now,
            peer=name,
            bucket=bucket,
            is_dry_run=is_dry_run,
            asked_by=author,
            created_at=now,
        )
        for name in wanted
    ]


def _peers() -> list[NodeInfo]:
    """Return the nodes to compare with: what an evicted one holds proves nothing."""
    if stability.is_rejoining():
        return []
    evicted = stability.evicted_ids()
    return [node for node in cluster_selectors.peers() if node.node_id not in evicted]


def ask_by_schedule(rng: random.Random) -> None:
    """Ask for a comparison with one random peer that is alive, unless one is under way."""
    if Comparison.objects.filter(state__in=OPEN_STATES).exists():
        return
    alive = [n.node_id for n in _peers() if n.liveness == Liveness.ALIVE]
    if alive:
        ask_for(peer=rng.choice(sorted(alive)), author=SCHEDULE)


def under_way() -> str:
    """Return why no delete may be forgotten now: a comparison could bring back what it hides."""
    is_running = Comparison.objects.filter(state=ComparisonState.RUNNING).exists()
    return "indexes are being compared" if is_running else ""


def cancel(run: Comparison) -> None:
    """Let a comparison end before its next bucket; what it repaired stays repaired."""
    Comparison.objects.filter(pk=run.pk, state=ComparisonState.WAITING).update(
        state=ComparisonState.CANCELLED, ended_at=clock.utcnow()
    )
    Comparison.objects.filter(pk=run.pk).update(is_cancelled=True)


def work() -> int:
    """Carry out what waits; return how many comparisons were made."""
    _give_up_stale()
    count = 0
    while True:
        waiting = Comparison.objects.filter(state=ComparisonState.WAITING).order_by("pk").first()
        if waiting is None:
            break
        taken = Comparison.objects.filter(pk=waiting.pk, state=ComparisonState.WAITING).update(
            state=ComparisonState.RUNNING, started_at=clock.utcnow()
        )
        if taken:
            carry_out(Comparison.objects.get(pk=waiting.pk))
            count += 1
    newest = Comparison.objects.order_by("-pk").values_list("pk", flat=True)[
        KEPT_MAX : KEPT_MAX + 1
    ]
    for pk in list(newest):
        Comparison.objects.filter(pk__lte=pk).delete()
    return count


def _give_up_stale() -> None:
    """End what a worker that was killed left running."""
    Comparison.objects.filter(
        state=ComparisonState.RUNNING, started_at__lt=clock.utcnow() - STALE_AFTER
    ).update(state=ComparisonState.FAILED, error="The worker stopped.", ended_at=clock.utcnow())


def carry_out(run: Comparison) -> Comparison:
    """Compare, and write down what came of it; return the row."""

    def progress(done: int, total: int) -> None:
        Comparison.objects.filter(pk=run.pk).update(done=done, total=total)
        if Comparison.objects.filter(pk=run.pk, is_cancelled=True).exists():
            raise compare.Cancelled

    fields: dict[str, object] = {"state": ComparisonState.DONE}
    try:
        node = cluster_selectors.member(run.peer)
        if node is None:
            raise ControlError(f"{run.peer} is no other node of this region any more.")
        repairs_max = 0 if run.is_dry_run else settings.RS3GW_COMPARE_REPAIRS_MAX
        report = compare.compare_with(
            node, bucket=run.bucket, repairs_max=repairs_max, progress=progress
        )
        fields |= asdict(report)
        fields["total"] = fields["done"] = fields.pop("buckets")
    except compare.Cancelled:
        fields = {"state": ComparisonState.CANCELLED}
    except (PeerError, Rs3gwError, ValueError, KeyError) as error:
        fields = {"state": ComparisonState.FAILED, "error": str(error)[:2000]}
    except Exception as error:
        logger.exception("comparing with %s failed", run.peer)
        fields = {"state": ComparisonState.FAILED, "error": f"{type(error).__name__}: {error}"}
    Comparison.objects.filter(pk=run.pk).update(**fields, ended_at=clock.utcnow())
    run.refresh_from_db()
    return run
