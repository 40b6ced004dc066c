"""A large body whose holder is out of reach goes to another member, and its copy counts."""

import hashlib

import pytest

from cluster import selectors as cluster_selectors
from cluster.core.config import ReplicationMode
from cluster.core.placement import Member
from replication import engine, placement
from replication.core.events import ReplicationEvent
from replication.core.healing import Plan
from rs3gw.common import identity
from tests.integration.replication.test_write_modes import node

SIZE_BYTES = 100_000


@pytest.fixture
def event(db, monkeypatch):
    """A write here of a large body, whose holders are this node and east-2."""
    own = identity.ensure().node_id
    members = tuple(Member(name) for name in (own, "east-2", "east-3"))
    plan = Plan(members=members)
    monkeypatch.setattr(placement, "current", lambda: plan)
    hashes = (hashlib.sha256(b"%d" % number).hexdigest() for number in range(1000))
    sha256 = next(h for h in hashes if set(plan.holders(h, 2)) == {own, "east-2"})
    found = ReplicationEvent.put_object(
        bucket="b", key="k", etag="e", size=SIZE_BYTES, content_type="", metadata={}
    )
    monkeypatch.setattr(engine, "event_bodies", lambda _: [(sha256, SIZE_BYTES)])
    return found


def takers_of(event, monkeypatch, *reachable):
    here = node(identity.load().node_id)
    alive = [here, *map(node, reachable)]
    monkeypatch.setattr(cluster_selectors, "routable", lambda: alive)
    (found,) = engine._body_takers(event).values()
    return set(found) - {here.node_id}


def test_holders_that_can_be_reached_take_the_copies(event, monkeypatch):
    assert takers_of(event, monkeypatch, "east-2", "east-3") == {"east-2"}


def test_another_stands_in_and_its_copy_is_enough_for_a_quorum(event, monkeypatch):
    assert takers_of(event, monkeypatch, "east-3") == {"east-3"}
    (takers,) = engine._body_takers(event).values()
    tracker = engine._body_tracker(takers, ReplicationMode.QUORUM)
    tracker.ack(identity.load().node_id)
    assert tracker.state == "pending"
    tracker.ack("east-3")
    assert tracker.state == "reached"
