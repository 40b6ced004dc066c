"""What an operator asks: how healing does, and what would move if the members were others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, Sum

from cluster.core.placement import shard_of
from replication.core import healing as core
from replication.core.healing import Load, Move, Plan
from replication.errors import ControlError
from replication.healing.carry import ATTEMPTS_MAX
from replication.models import (
    DamagedBody,
    HealingCount,
    HealingItem,
    HealingJob,
    ItemKind,
    JobKind,
    JobState,
)
from replication.placement import current, current_violations
from rs3gw.storage import rows
from rs3gw.storage.models import ObjectVersion

_SINGLE = (
    "SELECT sha256, MAX(size_bytes) FROM storage_objectversion "
    "WHERE sha256 > %s AND state = 'live' GROUP BY sha256 ORDER BY sha256 LIMIT %s"
)
PAGE_ROWS = 5000
PARTED_ROWS = 100
COUNTS = ("fetched", "sent", "dropped", "scrubbed", "damaged")


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How the bodies of this node do.

    Attributes:
        violations: What placement cannot keep, as sentences.
        withheld: Why the share of failed members is not rebuilt; "" when nothing stands against it.
        given_up: Members whose share is rebuilt on others.
        missing: Bodies that this node should hold and lacks, as far as it knows.
        lost: Those of them that no node that answered had.
        suspects: Bodies that are to be read, because someone found them of a wrong size.
        damaged: Bodies that were set aside and have no good copy here yet.
    """

    violations: tuple[str, ...]
    withheld: str
    given_up: tuple[str, ...]
    missing: Load
    lost: int
    suspects: int
    damaged: int


def summary() -> Summary:
    """Return how the bodies of this node do now."""
    plan = current()
    fetch = HealingItem.objects.filter(kind=ItemKind.FETCH)
    found = fetch.aggregate(count=Count("pk"), size=Sum("size_bytes"))
    return Summary(
        violations=current_violations(),
        withheld=plan.withheld,
        given_up=plan.given_up,
        missing=Load(found["count"], int(found["size"] or 0)),
        lost=fetch.filter(attempts__gte=ATTEMPTS_MAX).count(),
        suspects=HealingItem.objects.filter(kind=ItemKind.CHECK).count(),
        damaged=DamagedBody.objects.filter(repaired_at__isnull=True, is_needed=True).count(),
    )


def counts() -> dict[str, Load]:
    """Return what was done so far, by name; every name of `COUNTS` is there."""
    known = {row.name: Load(row.bodies, row.size_bytes) for row in HealingCount.objects.all()}
    return {name: known.get(name, Load()) for name in COUNTS}


def open_job_counts() -> dict[tuple[str, str], int]:
    """Return how many jobs run and rest, by kind and state."""
    states = (JobState.RUNNING, JobState.PAUSED)
    found = HealingJob.objects.filter(state__in=states).values_list("kind", "state")
    counted = {(str(kind), str(state)): 0 for kind in JobKind for state in states}
    for kind, state in found:
        counted[kind, state] += 1
    return counted


def last_scrub_at() -> float:
    """Return when the last whole scrub ended, in seconds since 1970; 0 when none did."""
    done = HealingJob.objects.filter(kind=JobKind.SCRUB, state=JobState.DONE)
    ended = done.order_by("-id").values_list("finished_at", flat=True).first()
    return ended.timestamp() if ended is not None else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a change of the members would move, before it is made.

    Attributes:
        before: What each member holds by the present plan.
        after: What it would hold.
        moves: What is copied from where to where, largest first.
        violations: What the new plan could not keep.
    """

    before: Mapping[str, Load]
    after: Mapping[str, Load]
    moves: list[Move]
    violations: tuple[str, ...]


def preview(plan: Plan | None = None) -> Preview:
    """Return what would move if bodies were placed by another plan than the present one."""
    now, factor = current(), settings.RS3GW_REPLICATION_FACTOR
    after = plan or now
    shards = shard_loads()
    return Preview(
        before=core.loads(shards, now, factor),
        after=core.loads(shards, after, factor),
        moves=core.moves(shards, now, after, factor),
        violations=core.violations(after, factor),
    )


def plan_with(node_id: str, *, weight: float) -> Plan:
    """Return the present plan with another weight for one member; 0 is a member that leaves.

    Raises:
        ControlError: No such member takes bodies.
    """
    plan = current()
    known = [member.node_id for member in plan.members]
    if node_id not in known:
        raise ControlError(f"No member {node_id} takes bodies. There are: {', '.join(known)}.")
    return core.with_weight(plan, node_id, weight)


def shard_loads() -> dict[int, Load]:
    """Return how many bodies, and bytes, lie in each virtual shard; small bodies are left out."""
    found: dict[int, Load] = {}
    for sha256, size_bytes in _all_bodies():
        if size_bytes > settings.RS3GW_INLINE_BODY_MAX_BYTES:
            shard = shard_of(sha256)
            found[shard] = found.get(shard, Load()).plus(Load(1, size_bytes))
    return found


def _all_bodies() -> Iterator[tuple[str, int]]:
    last = ""
    while page := rows.fetch_all(_SINGLE, (last, PAGE_ROWS)):
        yield from ((str(sha256), int(size_bytes)) for sha256, size_bytes in page)
        last = page[-1][0]
    yield from _bodies_of_parts()


def _bodies_of_parts() -> Iterator[tuple[str, int]]:
    """Yield the parts of objects that were uploaded in parts; one that two share comes twice."""
    after = 0
    parted = ObjectVersion.objects.filter(sha256="", state="live").exclude(parts=[])
    while True:
        ids = list(
            parted.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:PARTED_ROWS]
        )
        if not ids:
            return
        for entry in rows.read_entries(ids):
            yield from entry.bodies()
        after = ids[-1]
