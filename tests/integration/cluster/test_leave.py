"""Leaving for good, and removing who will not come back."""

import pytest

from cluster import selectors, services
from cluster.core.node import Lifecycle, NodeState
from cluster.models import Node
from cluster.services import ClusterConflict, table


def test_a_node_that_leaves_tells_its_peers_and_is_counted_no_more(seeded, ticker):
    two, three = seeded("node-2", "node-3")

    assert sorted(services.leave()) == ["node-2", "node-3"]

    assert two.knows("node-1") is three.knows("node-1") is Lifecycle.LEFT
    assert table.own_row().state == Lifecycle.LEFT
    assert selectors.peers() == []
    assert selectors.registered() == []
    said = [data["record"]["state"] for name, data in two.received if name == "leave"]
    assert said == ["leaving", "left"]
    two.received.clear()
    ticker.run(6)
    assert two.received == []


def test_what_must_be_done_first_is_done_first(seeded, hooks):
    seeded("node-2")
    states = []
    hooks.on_leaving.append(lambda _: states.append(table.own_row().state))

    services.leave()

    assert states == ["leaving"]


def test_a_node_stays_when_its_last_duties_fail(seeded, hooks):
    seeded("node-2")

    def fail(_):
        raise ClusterConflict("5 events are not delivered yet.")

    hooks.on_leaving.append(fail)
    with pytest.raises(ClusterConflict, match="5 events"):
        services.leave()
    assert selectors.read().own.state is NodeState.LEAVING
    hooks.on_leaving.clear()

    assert services.leave() == ["node-2"]


def test_leaving_alone_needs_nobody_to_be_told():
    services.start()

    assert services.leave() == []
    assert table.own_row().state == Lifecycle.LEFT
    assert services.leave() == []


def test_a_node_that_can_tell_nobody_does_not_leave(seeded):
    (two,) = seeded("node-2")
    two.is_down = True

    with pytest.raises(ClusterConflict):
        services.leave()

    assert table.own_row().state != Lifecycle.LEFT
    assert table.own_row().is_member


def test_a_node_that_left_joins_again_from_scratch(seeded, ticker, hooks, state_of):
    (two,) = seeded("node-2")
    services.leave()
    copied = []
    hooks.on_joining.append(copied.append)

    services.join()
    ticker.run(1)

    assert state_of() is NodeState.ACTIVE
    assert [node.node_id for node in copied] == ["node-2"]
    assert two.knows("node-1") is Lifecycle.ACTIVE


def test_a_peer_that_leaves_is_counted_no_more(seeded, ticker, state_of):
    two, _ = seeded("node-2", "node-3")
    left = _says(two, Lifecycle.LEFT)

    services.receive_leave("node-2", {"record": left})

    assert state_of("node-2") is None
    assert selectors.quorum_size() == 2
    assert Node.objects.get(node_id="node-2").state == Lifecycle.LEFT


def test_a_peer_that_left_does_not_come_back_by_a_heartbeat(seeded, state_of):
    (two,) = seeded("node-2")
    before = two.own.incarnation
    services.receive_leave("node-2", {"record": _says(two, Lifecycle.LEFT)})

    answer = services.receive_heartbeat("node-2", {"incarnation": before + 1})

    assert answer["agrees"] is False
    assert state_of("node-2") is None


def test_a_failed_node_can_be_removed_by_a_majority(seeded, ticker, state_of):
    two, three = seeded("node-2", "node-3")
    two.is_down = True
    ticker.run(20)

    services.remove("node-2")

    assert state_of("node-2") is None
    assert selectors.quorum_size() == 2
    assert three.knows("node-2") is Lifecycle.LEFT


def test_a_minority_removes_nobody_unless_forced(seeded, ticker):
    two, three = seeded("node-2", "node-3")
    two.is_down = three.is_down = True
    ticker.run(20)

    with pytest.raises(ClusterConflict, match="Less than half"):
        services.remove("node-2")
    services.remove("node-2", is_forced=True)

    assert selectors.member("node-2") is None


@pytest.mark.parametrize("node_id", ["node-1", "node-2", "node-9"])
def test_only_a_failed_other_node_can_be_removed(seeded, node_id):
    seeded("node-2")

    with pytest.raises(ClusterConflict):
        services.remove(node_id)


def test_without_a_cluster_there_is_nothing_to_leave(settings):
    settings.RS3GW_CLUSTER_ENABLED = False
    services.start()

    for change in (services.leave, services.join, lambda: services.remove("node-2")):
        with pytest.raises(ClusterConflict, match="RS3GW_CLUSTER_ENABLED"):
            change()


def _says(peer, lifecycle):
    word = {**peer.own.to_json(), "incarnation": peer.own.incarnation + 1}
    return {**word, "state": lifecycle.value, "status": "left", "is_member": False}
