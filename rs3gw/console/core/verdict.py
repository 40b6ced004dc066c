"""The one sentence an operator reads first, and the state of each link.

The worst thing is said first; harm to data goes before harm to speed. A link is all lanes to
one destination.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rs3gw.common.units import format_bytes, format_duration

BEHIND_SECONDS = 5.0


class LinkState(StrEnum):
    """How a link does."""

    ON_TIME = "On time"
    COPYING = "Copying"
    BEHIND = "Behind"
    FAILING = "Failing"
    PAUSED = "Paused"
    PARTLY_PAUSED = "Partly paused"
    HELD = "Held"


LINK_TONES = {
    LinkState.ON_TIME: "ok",
    LinkState.COPYING: "ok",
    LinkState.BEHIND: "warn",
    LinkState.FAILING: "bad",
    LinkState.PAUSED: "info",
    LinkState.PARTLY_PAUSED: "info",
    LinkState.HELD: "warn",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFacts:
    """What is known of one link.

    Attributes:
        destination: Name of the node or region it leads to.
        kind: `member` or `region`.
        waiting: Changes that have not arrived there, parked ones left out.
        waiting_bytes: Bytes of their bodies.
        lag_seconds: Age of the oldest of them; 0 when none waits.
        rate_bytes_per_second: What it copies now.
        parked: Changes that need a person.
        lanes: How many lanes it has.
        lanes_paused: How many of them an operator stopped.
        lanes_held: How many of them wait for a decision.
        error: What last went wrong, "" when the last attempt went well.
        last_success_at: When something last arrived.
        blocked: Why nothing is sent until somebody acts, "" when nothing is in the way.
    """

    destination: str
    kind: str
    blocked: str = ""
    waiting: int = 0
    waiting_bytes: int = 0
    lag_seconds: float = 0.0
    rate_bytes_per_second: float = 0.0
    parked: int = 0
    lanes: int = 1
    lanes_paused: int = 0
    lanes_held: int = 0
    error: str = ""
    last_success_at: datetime | None = None

    @property
    def state(self) -> LinkState:
        """Return how the link does."""
        if self.lanes_paused:
            whole = self.lanes_paused == self.lanes
            return LinkState.PAUSED if whole else LinkState.PARTLY_PAUSED
        if self.lanes_held:
            return LinkState.HELD
        if self.error and self.waiting:
            return LinkState.FAILING
        if self.lag_seconds > BEHIND_SECONDS:
            return LinkState.BEHIND
        return LinkState.COPYING if self.waiting else LinkState.ON_TIME

    @property
    def tone(self) -> str:
        """Return the colour that underlines the state."""
        return LINK_TONES[self.state]

    @property
    def lag_text(self) -> str:
        """Return the lag as people read it; a dash when nothing waits."""
        return format_duration(self.lag_seconds) if self.waiting else "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What is known of one node of this region.

    Attributes:
        node_id: Its name.
        state: Its life-cycle state in words.
        tone: The colour that underlines the state.
        is_self: Whether it is the node that answers.
        is_up: Whether it is heard of.
        counts: Whether it is registered and so counts for a majority.
        is_evicted: Whether it was away for too long and has to join again.
        last_seen_at: When it was last heard of.
    """

    node_id: str
    state: str
    tone: str
    is_self: bool = False
    is_up: bool = True
    is_evicted: bool = False
    counts: bool = True
    last_seen_at: datetime | None = None
    address: str = ""
    version: str = ""
    admin_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A sentence, what follows from it, and how bad it is.

    Attributes:
        tone: `ok`, `info`, `warn` or `bad`.
        headline: One sentence.
        detail: What it means and what to do; may be "".
    """

    tone: str
    headline: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worries:
    """What is not right beside nodes and links.

    Attributes:
        quarantined: Objects that an evicted node brought back and that wait for a decision.
        pressure: What writers feel of a backlog, "" when nothing.
        degraded: Buckets that go on without members that must confirm their writes.
        differs_from: Node whose index was found to differ from this one's, "" for none.
    """

    quarantined: int = 0
    pressure: str = ""
    degraded: Sequence[str] = ()
    differs_from: str = ""


NO_WORRIES = Worries()


def judge(
    nodes: Sequence[NodeFacts],
    links: Sequence[LinkFacts],
    *,
    now: datetime,
    is_quorum_available: bool = True,
    mode: str = "async",
    worries: Worries = NO_WORRIES,
) -> Verdict:
    """Return the worst of what is known, as a sentence.

    Args:
        nodes: The nodes of this region.
        links: The links of this node.
        now: For ages.
        is_quorum_available: Whether a majority can be reached.
        mode: The cluster's write mode.
        worries: What is not right beside them.
    """
    down = [node for node in nodes if not node.is_up and node.counts]
    evicted = [node for node in nodes if node.is_evicted]
    if not is_quorum_available and mode != "async":
        return _no_quorum(nodes, down)
    if evicted:
        return _evicted(evicted)
    if down:
        return _nodes_down(down, links, now)
    parked = sum(link.parked for link in links)
    if parked:
        return _parked(parked, [link for link in links if link.parked])
    worst_worry = _worst_worry(worries, links)
    if worst_worry is not None:
        return worst_worry
    worst = _worst(links)
    if worst is not None:
        return _slow_link(worst)
    return _all_well(nodes, links)


def _worst_worry(worries: Worries, links: Sequence[LinkFacts]) -> Verdict | None:
    if worries.quarantined:
        return _quarantine(worries.quarantined)
    blocked = [link for link in links if link.blocked]
    if blocked:
        return Verdict(
            tone="bad",
            headline=f"Nothing is sent to {blocked[0].destination} until you act",
            detail=blocked[0].blocked,
        )
    if worries.degraded:
        return _degraded(worries.degraded)
    if worries.differs_from:
        return Verdict(
            tone="warn",
            headline=f"This node and {worries.differs_from} do not hold the same",
            detail="See Comparisons for the keys and the reasons, and repair them from there.",
        )
    if worries.pressure:
        return Verdict(tone="warn", headline="Other nodes fall behind", detail=worries.pressure)
    return None


def _degraded(buckets: Sequence[str]) -> Verdict:
    named = ", ".join(buckets[:3]) + (" and others" if len(buckets) > 3 else "")
    return Verdict(
        tone="bad",
        headline="Synchronous buckets go on without a silent member",
        detail=f"{named}: a write is on one node only until it has been copied.",
    )


def since(moment: datetime | None, now: datetime) -> str:
    """Return when something last was, as `14:02 UTC`, with the date when that is not today."""
    if moment is None:
        return "it was first configured"
    day = "" if now - moment < timedelta(hours=20) else f"{moment:%d %B }"
    return f"{day}{moment:%H:%M} UTC"


def changes(count: int) -> str:
    """Return a number of changes with the right word."""
    return f"{count:,} change" + ("" if count == 1 else "s")


def _no_quorum(nodes: Sequence[NodeFacts], down: Sequence[NodeFacts]) -> Verdict:
    counted = sum(node.counts for node in nodes)
    return Verdict(
        tone="bad",
        headline="Too few nodes answer: writes are refused here",
        detail=(
            f"{counted - len(down)} of {counted} registered nodes can be reached. Reads go on "
            "from local data. Bring a node back, or let one that is gone for good leave."
        ),
    )


def _nodes_down(down: Sequence[NodeFacts], links: Sequence[LinkFacts], now: datetime) -> Verdict:
    first = down[0]
    names = {node.node_id for node in down}
    waiting = max((link.waiting for link in links if link.destination in names), default=0)
    waits = f"{changes(waiting)} {'waits' if waiting == 1 else 'wait'}"
    if len(down) == 1:
        headline = f"{first.node_id} does not answer since {since(first.last_seen_at, now)}"
        tail = f": {waits} for it" if waiting else ""
    else:
        headline = f"{len(down)} nodes do not answer: {', '.join(sorted(names))}"
        tail = f"; up to {waits} for them" if waiting else ""
    return Verdict(
        tone="bad",
        headline=headline + tail,
        detail="What waits is kept and sent by itself when the node is back.",
    )


def _evicted(evicted: Sequence[NodeFacts]) -> Verdict:
    names = ", ".join(sorted(node.node_id for node in evicted))
    return Verdict(
        tone="bad",
        headline=f"{names} was away for too long and has to join again",
        detail=(
            "Nothing is kept for it any more. It joins again by itself when it is back; what "
            "only it holds then waits in quarantine. Remove it if it is gone for good."
        ),
    )


def _quarantine(count: int) -> Verdict:
    waits = "object waits" if count == 1 else "objects wait"
    return Verdict(
        tone="warn",
        headline=f"{count:,} {waits} in quarantine for your decision",
        detail="This node brought them back, and the region does not know them.",
    )


def _parked(parked: int, links: Sequence[LinkFacts]) -> Verdict:
    return Verdict(
        tone="bad",
        headline=f"{changes(parked)} cannot be delivered and {_need(parked)} you",
        detail="To " + ", ".join(link.destination for link in links) + ". Retry or skip below.",
    )


def _need(count: int) -> str:
    return "needs" if count == 1 else "need"


def _worst(links: Sequence[LinkFacts]) -> LinkFacts | None:
    rank = [LinkState.FAILING, LinkState.HELD, LinkState.BEHIND, LinkState.PAUSED]
    bad = [link for link in links if link.state in rank or link.lanes_paused]
    order = {state: index for index, state in enumerate(rank)}
    return min(
        bad, key=lambda link: (order.get(link.state, len(rank)), -link.lag_seconds), default=None
    )


def _slow_link(link: LinkFacts) -> Verdict:
    name, waiting = link.destination, changes(link.waiting)
    size = f" ({format_bytes(link.waiting_bytes)})" if link.waiting_bytes else ""
    if link.state in (LinkState.PAUSED, LinkState.PARTLY_PAUSED):
        waits = f"{waiting}{size} waiting" if link.waiting else "nothing waits yet"
        return Verdict(
            tone="info",
            headline=f"The link to {name} is {str(link.state).lower()}: {waits}",
            detail="Nothing is lost; it goes on from there when you resume it.",
        )
    if link.state is LinkState.HELD:
        return Verdict(
            tone="warn",
            headline=f"The link to {name} waits for your decision: {waiting} behind it",
            detail=link.error,
        )
    headline = f"{name} is {format_duration(link.lag_seconds)} behind: {waiting}{size} waiting"
    if link.state is LinkState.FAILING:
        return Verdict(tone="bad", headline=headline, detail=f"Last attempt: {link.error}")
    if link.rate_bytes_per_second > 0 and link.waiting_bytes:
        left = format_duration(link.waiting_bytes / link.rate_bytes_per_second)
        return Verdict(
            tone="warn", headline=headline, detail=f"At the present rate it needs about {left}."
        )
    return Verdict(tone="warn", headline=headline)


def _all_well(nodes: Sequence[NodeFacts], links: Sequence[LinkFacts]) -> Verdict:
    if not links:
        return Verdict(
            tone="ok",
            headline="This node works alone",
            detail="What is written here is kept here only. Add nodes or a region to copy it.",
        )
    waiting = max(link.waiting for link in links)
    if waiting:
        return Verdict(tone="ok", headline=f"{changes(waiting)} on the way, none late")
    regions = [link for link in links if link.kind == "region"]
    where = "every node" if len(nodes) > 1 or not regions else "its region"
    if regions and len(nodes) > 1:
        where = "every node and region"
    return Verdict(tone="ok", headline=f"Everything written here has reached {where}")
