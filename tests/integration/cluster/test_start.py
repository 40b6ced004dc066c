"""From a start to an active member."""

import pytest

from cluster import selectors, services
from cluster.core.node import Lifecycle, NodeState
from cluster.models import Node, NodeTransition, SeedContact
from cluster.services import table
from cluster.transport import PeerUnreachable
from rs3gw.common import identity


@pytest.fixture
def with_seeds(settings):
    settings.RS3GW_CLUSTER_SEED_NODES = ["node-2:9001", "node-3:9001", "node-1:9001"]


def test_a_node_with_nobody_to_find_is_active_at_once():
    node = services.start()

    assert node.state is NodeState.ACTIVE
    assert node.is_self
    assert selectors.quorum_size() == 1
    assert selectors.is_quorum_available()


def test_before_the_first_start_a_node_is_starting():
    assert selectors.self_info().state is NodeState.STARTING
    assert selectors.registered() == []


def test_a_node_without_a_cluster_is_complete(settings, ticker):
    settings.RS3GW_CLUSTER_ENABLED = False
    settings.RS3GW_CLUSTER_SEED_NODES = ["node-2:9001"]
    before = [node.state for node in selectors.members()]

    node = services.start()
    ticker.run(5)

    assert before == [NodeState.ACTIVE]
    assert node.state is NodeState.ACTIVE
    assert [n.node_id for n in selectors.members()] == ["node-1"]
    assert selectors.quorum_size() == 1
    assert services.start().state is NodeState.ACTIVE


def test_a_lonely_node_with_seeds_does_not_elect_itself(with_seeds, network, ticker, state_of):
    services.start()
    ticker.run(10)

    assert state_of() is NodeState.STARTING
    assert selectors.quorum_size() == 3
    assert not selectors.is_quorum_available()


def test_it_keeps_trying_until_a_seed_is_there(with_seeds, network, ticker, state_of):
    services.start()
    ticker.run(3)
    seed = network.add("node-2")
    ticker.run(1)

    assert state_of() is NodeState.ACTIVE
    assert seed.knows("node-1") is Lifecycle.ACTIVE
    assert selectors.quorum_size() == 3


def test_nodes_that_start_together_do_not_wait_for_each_other(
    with_seeds, network, ticker, state_of
):
    for name in ("node-2", "node-3"):
        network.add(name, lifecycle=Lifecycle.STARTING)
    services.start()
    ticker.run(1)

    assert state_of() is NodeState.ACTIVE


def test_the_seeds_share_the_whole_topology(with_seeds, network, ticker):
    network.add("node-2")
    network.add("node-4")
    network.introduce()
    services.start()
    ticker.run(1)

    assert {n.node_id for n in selectors.members()} == {"node-1", "node-2", "node-4"}
    assert SeedContact.objects.get().node_id == "node-2"


def test_a_new_node_copies_what_the_region_holds_before_it_is_active(
    with_seeds, network, ticker, hooks
):
    network.add("node-2")
    seen = []

    def copy(node):
        own = table.own_row()
        seen.append((node.node_id, own.state, own.is_member))

    hooks.on_joining.append(copy)
    services.start()
    ticker.run(1)

    assert seen == [("node-2", "joining", False)]
    assert selectors.read().own.state is NodeState.ACTIVE


def test_a_copy_that_breaks_off_is_tried_again_from_the_next_member(
    with_seeds, network, ticker, hooks, state_of
):
    network.add("node-2")
    network.add("node-3")
    network.introduce()
    asked = []

    def copy(node):
        asked.append(node.node_id)
        if len(asked) == 1:
            raise PeerUnreachable("gone")

    hooks.on_joining.append(copy)
    services.start()
    ticker.run(1)
    assert state_of() is NodeState.JOINING
    ticker.run(1)

    assert state_of() is NodeState.ACTIVE
    assert sorted(asked) == ["node-2", "node-3"]


def test_a_restart_comes_back_without_a_copy_and_beats_the_rumour_of_its_failure(
    seeded, network, ticker, hooks, state_of
):
    (seed,) = seeded("node-2")
    before = table.own_row().incarnation
    hooks.on_joining.append(lambda node: pytest.fail("copied again"))

    assert services.start().state is NodeState.STARTING
    ticker.run(1)

    assert state_of() is NodeState.ACTIVE
    assert table.own_row().incarnation > before
    assert seed.table.get("node-1").incarnation == table.own_row().incarnation


def test_a_member_stays_counted_while_it_restarts(seeded):
    seeded("node-2", "node-3", "node-4", "node-5")
    assert selectors.quorum_size() == 5

    services.start()

    assert selectors.self_info().state is NodeState.STARTING
    assert selectors.quorum_size() == 5
    assert len(selectors.registered()) == 5
    assert len(selectors.routable()) == 4


def test_a_restart_while_everyone_else_is_down_goes_on_alone(seeded, network, ticker, state_of):
    peers = seeded("node-2", "node-3")
    for peer in peers:
        peer.is_down = True
    services.start()
    ticker.run(1)
    assert state_of() is NodeState.ACTIVE
    ticker.run(20)

    assert selectors.quorum_size() == 3
    assert not selectors.is_quorum_available()


def test_a_new_disk_joins_again_and_outbids_what_is_remembered_of_the_old_one(
    seeded, network, ticker, hooks, state_of
):
    (seed,) = seeded("node-2")
    remembered = seed.table.get("node-1").incarnation
    old_actor = identity.load().actor
    Node.objects.all().delete()
    identity.write(identity.Identity(node_id="node-1", actor=old_actor + 256))
    copied = []
    hooks.on_joining.append(copied.append)

    services.start()
    ticker.run(2)

    assert state_of() is NodeState.ACTIVE
    assert [node.node_id for node in copied] == ["node-2"]
    assert seed.table.get("node-1").incarnation > remembered
    assert seed.table.get("node-1").facts.actor == old_actor + 256


def test_a_seed_known_by_another_name_is_counted_once(settings, network, ticker):
    settings.RS3GW_CLUSTER_SEED_NODES = ["alias:9001"]
    seed = network.add("node-2", address="10.0.0.2:9001")
    network.peers["alias:9001"] = seed
    services.start()
    assert selectors.quorum_size() == 2

    ticker.run(1)

    assert selectors.quorum_size() == 2
    assert SeedContact.objects.get().node_id == "node-2"


def test_a_name_that_is_taken_is_refused_by_the_seed(with_seeds, network, ticker, state_of):
    seed = network.add("node-2")
    seed.refusal = (409, b'{"code": "NodeIdTaken"}')
    services.start()
    ticker.run(2)

    assert state_of() is NodeState.STARTING


def test_a_seed_that_answers_nonsense_is_no_seed(with_seeds, network, ticker, state_of):
    seed = network.add("node-2")
    seed.handle = lambda path, data: ["what?"]
    services.start()
    ticker.run(2)

    assert state_of() is NodeState.STARTING


def test_every_step_is_in_the_history(with_seeds, network, ticker):
    network.add("node-2")
    services.start()
    ticker.run(1)

    steps = NodeTransition.objects.filter(node__node_id="node-1").order_by("id")
    assert [step.new for step in steps] == ["starting", "joining", "active"]


def test_a_worker_that_is_up_first_starts_the_node(with_seeds, network, ticker, state_of):
    network.add("node-2")
    ticker.run(1)

    assert state_of() is NodeState.ACTIVE
