"""Where bodies belong, and what a node does about those that lie elsewhere.

A body never changes and is named by its hash, so where its copies lie is no question of
consistency, only of how many there are. One rule guards that number. A node that wants to drop a
copy first *marks* it, and from then on says that it does not hold it; only then does it ask the
holders, and it drops its copy when as many as must exist say that they hold one. Of all nodes that
drop the same body, those that confirmed it to the one that marked last were not marked then and
never will be, so their copies stay, whatever the nodes believe of the membership.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from cluster.core.placement import SHARDS, Member, holders

WEIGHT_MAX = 1000.0
PARTITION = "possible partition of this node"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """A registered member as placement looks at it.

    Attributes:
        node_id: Its name.
        weight: Its share against the others; 0 takes no new bodies.
        zone: Its failure domain; "" is one of its own.
        is_leaving: Whether it is about to leave.
        failed_since: Wall-clock seconds at which this node gave it up; None while it is heard.
    """

    node_id: str
    weight: float = 1.0
    zone: str = ""
    is_leaving: bool = False
    failed_since: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which members bodies are placed on, and why others are not.

    Attributes:
        members: Those that count, by name; weight 0 for one that only hands out.
        given_up: Failed for so long that their share is rebuilt elsewhere.
        withheld: Why members that failed will not be given up; "" when nothing stands against it.
    """

    members: tuple[Member, ...]
    given_up: tuple[str, ...] = ()
    withheld: str = ""

    def key(self) -> str:
        """Return a text that changes when bodies have to move."""
        return "\n".join(f"{m.node_id} {m.weight:g} {m.zone}" for m in self.members if m.weight)

    def holders(self, sha256: str, replication_factor: int) -> list[str]:
        """Return who should keep a body, best first."""
        return holders(sha256, self.members, replication_factor)


def parse_weight(text: str) -> float:
    """Return the weight that a node tells of itself; 1 for what is no weight."""
    try:
        weight = float(text or "1")
    except ValueError:
        return 1.0
    return weight if 0 <= weight <= WEIGHT_MAX else 1.0


def make_plan(nodes: Iterable[NodeView], *, now: float, rebuild_after_seconds: float) -> Plan:
    """Return where bodies are placed.

    A member that failed long ago is left out. Members that failed within `rebuild_after_seconds`
    of each other failed at once: when they are more than a third of those that were left, or
    when less than half of all would remain, it is rather this node that was cut off.

    Args:
        nodes: The registered members, this node included.
        now: Wall-clock seconds.
        rebuild_after_seconds: How long a member may be failed before its share is rebuilt.
    """
    known = sorted(nodes, key=lambda node: node.node_id)
    given_up: set[str] = set()
    withheld = ""
    for group in _failed_together(known, rebuild_after_seconds):
        left = len(known) - len(given_up)
        remaining = left - len(group)
        if len(group) * 3 > left or remaining * 2 < len(known):
            withheld = f"{PARTITION}: {len(group)} of {left} members failed at once"
            break
        last = max(node.failed_since or 0.0 for node in group)
        if now - last < rebuild_after_seconds:
            break
        given_up |= {node.node_id for node in group}
    members = tuple(
        Member(node.node_id, 0.0 if node.is_leaving else node.weight, node.zone)
        for node in known
        if node.node_id not in given_up
    )
    return Plan(members=members, given_up=tuple(sorted(given_up)), withheld=withheld)


def _failed_together(nodes: Sequence[NodeView], span_seconds: float) -> list[list[NodeView]]:
    """Return the failed members, oldest first, in groups that failed shortly after each other."""
    failed = [(node.failed_since, node) for node in nodes if node.failed_since is not None]
    groups: list[list[NodeView]] = []
    last = 0.0
    for since, node in sorted(failed, key=lambda pair: (pair[0], pair[1].node_id)):
        if groups and since - last < span_seconds:
            groups[-1].append(node)
        else:
            groups.append([node])
        last = since
    return groups


def with_leaving(plan: Plan, node_id: str) -> Plan:
    """Return the plan as it would be while a member leaves."""
    return with_weight(plan, node_id, 0.0)


def with_weight(plan: Plan, node_id: str, weight: float) -> Plan:
    """Return the plan as it would be if a member had another weight."""
    members = tuple(
        replace(member, weight=weight) if member.node_id == node_id else member
        for member in plan.members
    )
    return replace(plan, members=members)


def without(plan: Plan, node_id: str) -> Plan:
    """Return the plan as it would be if a member were gone."""
    return replace(plan, members=tuple(m for m in plan.members if m.node_id != node_id))


def violations(plan: Plan, replication_factor: int) -> tuple[str, ...]:
    """Return what placement cannot keep, as sentences for an operator; empty when all is well."""
    takers = [member for member in plan.members if member.weight > 0]
    found = []
    if len(takers) < replication_factor:
        found.append(
            f"Copies of each body: {replication_factor} wanted, {len(takers)} possible, one on "
            "each member that takes bodies."
        )
    zones = {member.zone or f"\0{member.node_id}" for member in takers}
    wanted = min(replication_factor or len(takers), len(takers))
    if len(zones) < wanted and any(member.zone for member in takers):
        found.append(
            f"Zones for the copies of each body: {wanted} wanted, {len(zones)} there, so two "
            "copies lie in one zone."
        )
    return tuple(found)


class Verdict(StrEnum):
    """What is to be done about one body on this node."""

    KEEP = "keep"
    FETCH = "fetch"
    OFFER = "offer"
    CHECK = "check"
    IGNORE = "ignore"


def judge(
    *, own: str, holder_ids: Collection[str], stored_bytes: int | None, size_bytes: int
) -> Verdict:
    """Return what to do about a body that the index names.

    Args:
        own: This node.
        holder_ids: Who should keep it.
        stored_bytes: Size of what lies here; None when nothing does.
        size_bytes: Size that it must have.
    """
    is_holder = own in holder_ids
    if stored_bytes is None:
        return Verdict.FETCH if is_holder else Verdict.IGNORE
    if stored_bytes != size_bytes:
        return Verdict.CHECK
    return Verdict.KEEP if is_holder else Verdict.OFFER


def says_held(*, is_marked: bool, is_on_disk: bool, is_named: bool) -> bool:
    """Return whether a node confirms that it holds a body.

    The mark must be looked at before the disk: a body that was marked, dropped and unmarked
    between the two looks would else be confirmed.

    Args:
        is_marked: Whether it is about to drop its copy.
        is_on_disk: Whether the copy is installed, and not in the trash.
        is_named: Whether its index needs the body, so that its collector leaves the copy alone.
    """
    return not is_marked and is_on_disk and is_named


def may_drop(
    *, own: str, holder_ids: Sequence[str], confirmed: Collection[str], replication_factor: int
) -> bool:
    """Return whether a node may drop its copy of a body, which it has marked before it asked.

    Args:
        own: This node.
        holder_ids: Who should keep the body.
        confirmed: Who said that it holds it, since the mark was set.
        replication_factor: Copies that must remain; 0 means one on every member.
    """
    if not replication_factor or own in holder_ids:
        return False
    return len(set(confirmed) & set(holder_ids)) >= replication_factor


@dataclass(frozen=True, slots=True)
class Load:
    """Bodies and their bytes."""

    bodies: int = 0
    size_bytes: int = 0

    def plus(self, other: "Load") -> "Load":
        """Return the sum."""
        return Load(self.bodies + other.bodies, self.size_bytes + other.size_bytes)


@dataclass(frozen=True, slots=True)
class Move:
    """What would be copied from one member to another."""

    giver: str
    taker: str
    load: Load


def moves(
    shards: Mapping[int, Load], before: Plan, after: Plan, replication_factor: int
) -> list[Move]:
    """Return what moves when one plan takes the place of another, largest first.

    A member that gains a shard takes it from one that loses it, else from the best holder.
    """
    found: dict[tuple[str, str], Load] = {}
    for shard, load in shards.items():
        old = before.holders(_name(shard), replication_factor)
        new = after.holders(_name(shard), replication_factor)
        losing = [node_id for node_id in old if node_id not in new]
        for node_id in new:
            if node_id in old or not old:
                continue
            pair = losing.pop(0) if losing else old[0], node_id
            found[pair] = found.get(pair, Load()).plus(load)
    ranked = sorted(found.items(), key=lambda item: (-item[1].size_bytes, item[0]))
    return [Move(giver, taker, load) for (giver, taker), load in ranked]


def loads(shards: Mapping[int, Load], plan: Plan, replication_factor: int) -> dict[str, Load]:
    """Return what each member of a plan would hold."""
    found = {member.node_id: Load() for member in plan.members}
    for shard, load in shards.items():
        for node_id in plan.holders(_name(shard), replication_factor):
            found[node_id] = found[node_id].plus(load)
    return found


def _name(shard: int) -> str:
    assert 0 <= shard < SHARDS
    return f"{shard:03x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkHistory:
    """What was done about placement last.

    Attributes:
        plan_key: Key of the plan that the last walk began with; None before the first.
        given_up: Whom that plan had given up.
        ended_at: Wall-clock seconds of its end; None while it is not over.
        is_paused: Whether an operator has paused it.
    """

    plan_key: str | None = None
    given_up: tuple[str, ...] = ()
    ended_at: float | None = None
    is_paused: bool = False


def next_walk(
    history: WalkHistory, plan: Plan, *, now: float, interval_seconds: float
) -> tuple[str, str] | None:
    """Return kind and reason of the walk over all bodies that is due, or None.

    A walk that is under way is replaced when bodies have other places by now; one that an
    operator paused is not.
    """
    if history.is_paused:
        return None
    if history.plan_key is None:
        return "audit", "first look at all bodies"
    if history.plan_key != plan.key():
        lost = sorted(set(plan.given_up) - set(history.given_up))
        if lost:
            return "rebuild", f"{', '.join(lost)} failed and did not come back"
        return "audit", "the members that take bodies have changed"
    if history.ended_at is not None and now - history.ended_at >= interval_seconds:
        return "audit", "regular look at all bodies"
    return None


def rest_seconds(worked_seconds: float, tranquility: float) -> float:
    """Return how long to rest after so much work; a tranquility of 2 leaves a third for work."""
    return max(0.0, worked_seconds) * max(0.0, tranquility)


def retry_seconds(attempts: int) -> float:
    """Return how long a body that could not be had is left alone: 1, 2, 4 ... up to 60 s."""
    return float(min(60, 2 ** min(attempts - 1, 6))) if attempts > 0 else 0.0
