"""Fetching what this node should hold and lacks: those with the fewest copies first.

A few threads read from peers into files; the database is left to the thread that runs the job.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import QuerySet

from cluster.core.node import NodeInfo
from cluster.transport import PeerError
from replication import bodies, damage
from replication.core.healing import retry_seconds
from replication.healing import peers
from replication.healing.jobs import Turn
from replication.healing.throttle import Halted
from replication.models import DamagedBody, HealingItem, ItemKind
from rs3gw.common import clock
from rs3gw.storage import blobs, collector, commit, rows
from rs3gw.storage.errors import StorageError

BATCH_ITEMS = 32
WORKERS = 4
PER_SOURCE_MAX = 2
ATTEMPTS_MAX = 10
LOOK_SECONDS = 0.5
NO_SOURCE = "no node that answers has it"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one item."""

    item: HealingItem
    staged: blobs.StagedBody | None = None
    problem: str = ""


class _Sources:
    """At most `PER_SOURCE_MAX` transfers from one peer at a time."""

    def __init__(self, nodes: Sequence[NodeInfo]) -> None:
        self._slots = {node.node_id: threading.Semaphore(PER_SOURCE_MAX) for node in nodes}

    def of(self, node: NodeInfo) -> threading.Semaphore:
        return self._slots[node.node_id]


def waiting() -> QuerySet[HealingItem]:
    """Return the bodies that are to be fetched and were not given up for now."""
    return HealingItem.objects.filter(kind=ItemKind.FETCH, attempts__lt=ATTEMPTS_MAX)


def given_up() -> int:
    """Return how many bodies no node that answers had, however often it was tried."""
    return HealingItem.objects.filter(kind=ItemKind.FETCH, attempts__gte=ATTEMPTS_MAX).count()


def note_missing(found: Sequence[tuple[str, int]], *, is_urgent: bool) -> int:
    """Note bodies to be fetched; return how many.

    Args:
        found: (sha256, size in bytes) of each.
        is_urgent: Leave out those that two or more nodes have; they come later.
    """
    answers = peers.ask_all(peers.at_work(), found)
    counted = []
    for sha256, size_bytes in found:
        copies = sum(sha256 in answer.present for answer in answers.values())
        if copies <= 1 or not is_urgent:
            counted.append((sha256, size_bytes, copies))
    damage.note(ItemKind.FETCH, counted)
    return len(counted)


def work_off(turn: Turn) -> None:
    """Fetch what is due, until nothing is or the turn is over."""
    while turn.goes_on():
        due = waiting().filter(next_attempt_at__lte=clock.utcnow())
        batch = list(due.order_by("live_copies", "id")[:BATCH_ITEMS])
        if not batch:
            return
        _fetch_batch(turn, batch)


def _fetch_batch(turn: Turn, batch: Sequence[HealingItem]) -> None:
    needed = [item for item in batch if _is_needed(item)]
    nodes = peers.at_work()
    answers = peers.ask_all(nodes, [(item.sha256, item.size_bytes) for item in needed])
    sources = _Sources(nodes)
    halted = threading.Event()
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="heal") as pool:
        running: set[Future[Outcome]] = set()
        for item in needed:
            having = [n for n in nodes if item.sha256 in answers[n.node_id].present]
            running.add(pool.submit(_fetch, item, having, sources, halted))
        while running:
            done, running = wait(running, timeout=LOOK_SECONDS, return_when="FIRST_COMPLETED")
            for future in done:
                _settle(turn, future.result())
            if turn.is_halted():
                halted.set()


def _is_needed(item: HealingItem) -> bool:
    """Return whether an item is still to be fetched; one that is not is forgotten."""
    is_here = blobs.stored_bytes(item.sha256) is not None
    if is_here or not collector.is_named(item.sha256):
        _forget(item, is_repaired=is_here)
        return False
    if bodies.is_inline(item.size_bytes) and rows.read_inline(item.sha256) is not None:
        _forget(item, is_repaired=True)
        return False
    return True


def _fetch(
    item: HealingItem, having: Sequence[NodeInfo], sources: _Sources, halted: threading.Event
) -> Outcome:
    """Try the peers that have a body, one after the other; runs in a thread without database."""
    problem = NO_SOURCE
    for node in having:
        with sources.of(node):
            try:
                staged = peers.fetch(node, item.sha256, item.size_bytes, halted.is_set)
            except Halted:
                return Outcome(item, problem="halted")
            except PeerError as error:
                problem = error.message
                continue
            except StorageError as error:
                return Outcome(item, problem=error.message)
        if staged is not None:
            return Outcome(item, staged)
        problem = f"{node.node_id} gave bytes that are not those of the body"
    return Outcome(item, problem=problem)


def _settle(turn: Turn, outcome: Outcome) -> None:
    item, staged = outcome.item, outcome.staged
    if staged is not None:
        inline = staged.inline
        if inline is not None:
            commit.run(lambda: rows.upsert_inline(item.sha256, inline))
        staged.install()
        _forget(item, is_repaired=True)
        turn.moved("fetched", 1, item.size_bytes)
        return
    attempts = item.attempts + 1
    HealingItem.objects.filter(pk=item.pk).update(
        attempts=attempts,
        next_attempt_at=clock.utcnow() + timedelta(seconds=retry_seconds(attempts)),
        last_error=outcome.problem,
    )
    turn.say(f"{item.sha256[:16]}…: {outcome.problem}")


def _forget(item: HealingItem, *, is_repaired: bool) -> None:
    HealingItem.objects.filter(pk=item.pk).delete()
    if is_repaired:
        open_rows = DamagedBody.objects.filter(sha256=item.sha256, repaired_at__isnull=True)
        open_rows.update(repaired_at=clock.utcnow())
