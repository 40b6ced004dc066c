"""While the membership changes, a majority of the members before and after it is asked for."""

import pytest

from cluster import selectors, services
from cluster.core.membership import Status
from cluster.models import Node
from tests.unit.cluster.nodes import record


def electorate():
    return selectors.read().electorate


@pytest.fixture
def three(seeded, ticker):
    """A settled region of node-1, node-2 and node-3."""
    peers = seeded("node-2", "node-3")
    ticker.run(5)
    assert electorate().settled == {"node-1", "node-2", "node-3"}
    return peers


def test_the_first_members_are_settled_when_a_majority_knows_them(three):
    assert [needed for _, needed in electorate().sets()] == [2]


def test_members_that_a_majority_has_not_heard_of_do_not_decide_alone(three, network, ticker):
    four, five = network.add("node-4"), network.add("node-5")
    for peer in (four, five):
        peer.learn(*three[0].table, four.own, five.own)
    for peer in three:
        peer.is_down = True
    services.receive_gossip("node-4", {"records": [four.own.to_json(), five.own.to_json()]})
    ticker.run(5)
    now = electorate()
    assert now.current == {"node-1", "node-2", "node-3", "node-4", "node-5"}
    assert now.settled == {"node-1", "node-2", "node-3"}
    assert not now.is_reached({"node-1", "node-4", "node-5"})
    assert now.is_reached({"node-1", "node-2", "node-4"})


def test_a_change_is_settled_when_those_before_it_know(three, network, ticker):
    four = network.add("node-4")
    four.learn(*three[0].table)
    services.receive_gossip("node-4", {"records": [four.own.to_json()]})
    ticker.run(20)
    assert all(peer.knows("node-4") for peer in three)
    assert electorate().settled == {"node-1", "node-2", "node-3", "node-4"}


def test_a_removal_by_force_counts_at_once(three, ticker):
    for peer in three:
        peer.is_down = True
    ticker.run(25)
    for peer in three:
        services.remove(peer.node_id, is_forced=True)
    assert electorate().is_reached({"node-1"})


def test_a_removal_by_force_counts_at_once_where_it_is_heard_of(three):
    gone = record("node-3", 99, status=Status.LEFT, is_member=False, metadata={"forced": "yes"})
    services.receive_gossip("node-2", {"records": [gone.to_json()]})
    assert not Node.objects.get(node_id="node-3").was_counted
    assert electorate().is_reached({"node-1", "node-2"})
