"""The way from a start to an active member, one step at a time.

1. the node reads its seeds; 2. it contacts them; 3. a seed answers with the members; 4. the node
knows the topology; 5. it copies what the region holds if it is new, else it compares itself with
what the others have of it; 6. it is active and tells all.

A node with seeds that has never met one does not become active by itself: on its first start it
cannot tell "I am alone" from "I am cut off", and two lonely nodes would elect themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cluster.core.node import Lifecycle, NodeInfo


class Step(StrEnum):
    """What a node that is not active yet does next."""

    CONTACT_SEEDS = "contact_seeds"
    JOIN = "join"
    COMPARE = "compare"
    COPY = "copy"
    ACTIVATE = "activate"
    WAIT = "wait"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that the next step depends on.

    Attributes:
        lifecycle: Where this node is.
        is_member: Whether it has been active with this data directory before.
        has_seeds: Whether other nodes than itself are configured as seeds.
        has_met_seed: Whether a seed or member answered since the start.
        has_tried: Whether the seeds were contacted since the start, answered or not.
        has_compared: Whether it asked the others since the start whether they hold more of what
            it wrote than itself.
        has_copied: Whether it copied what the region holds, since the start.
        peers: The other nodes that have not left.
    """

    lifecycle: Lifecycle
    is_member: bool
    has_seeds: bool
    has_met_seed: bool
    has_tried: bool = False
    has_compared: bool = False
    has_copied: bool = False
    peers: Sequence[NodeInfo] = ()


def next_step(at: Situation) -> Step:
    """Return what to do next."""
    if at.lifecycle == Lifecycle.STARTING:
        return _step_of_starting(at)
    if at.lifecycle == Lifecycle.JOINING:
        return _step_of_joining(at)
    return Step.NOTHING


def _step_of_starting(at: Situation) -> Step:
    if not at.has_seeds and not at.peers:
        return Step.ACTIVATE
    if at.has_met_seed or (at.is_member and at.has_tried):
        return Step.JOIN
    return Step.CONTACT_SEEDS


def _step_of_joining(at: Situation) -> Step:
    # A member that restarts has its data, and what it missed comes through the lanes, unless an
    # old copy of its data was put back. Where nobody has been active there is nothing to copy.
    if at.peers and not at.has_compared:
        return Step.COMPARE
    if at.is_member or at.has_copied or not any(peer.is_member for peer in at.peers):
        return Step.ACTIVATE
    return Step.COPY if copy_sources(at.peers) else Step.WAIT


def copy_sources(peers: Sequence[NodeInfo]) -> tuple[NodeInfo, ...]:
    """Return the members that a joining node may copy from."""
    return tuple(p for p in peers if p.is_routable and p.lifecycle == Lifecycle.ACTIVE)
