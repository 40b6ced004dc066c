"""A removed node is shut out under its writer id, knows it, and comes back with another one."""

import json

import pytest

from cluster import selectors, services
from cluster.core.node import Lifecycle, NodeState
from cluster.core.removal import Removal
from cluster.models import Node, NodeTransition, RemovedNode
from cluster.services import fencing, table
from rs3gw.common import identity
from tests.integration.cluster.test_peer_views import PeerCaller
from tests.unit.cluster.nodes import record


def _removal(actor=None, epoch=4, node_id="node-1"):
    actor = identity.load().actor if actor is None else actor
    return Removal(
        node_id=node_id, actor=actor, epoch=epoch, removed_by="ann on node-2", at_ms=1_000
    )


def _refusal(removal):
    return json.dumps({"code": "removed", "message": "gone", "removal": removal.to_json()}).encode()


@pytest.fixture
def removed(seeded, ticker, hooks):
    """A region from which node-2 was removed while it was away; return it and node-3."""
    two, three = seeded("node-2", "node-3")
    Node.objects.filter(node_id="node-2").update(actor=512)
    hooks.gossip_sections[fencing.SECTION] = (fencing.produce, fencing.consume)
    two.is_down = True
    ticker.run(20)
    three.received.clear()
    services.remove("node-2", removed_by="ann")
    return two, three


def test_a_removal_raises_the_epoch_and_everybody_is_told(removed):
    _, three = removed

    (row,) = RemovedNode.objects.all()
    assert (row.node_id, row.actor, row.epoch, row.removed_by) == (
        "node-2",
        512,
        1,
        "ann on node-1",
    )
    assert selectors.removals().epoch == 1
    told = [data["sections"][fencing.SECTION] for name, data in three.received if name == "gossip"]
    assert [entry["node_id"] for entry in told[0]] == ["node-2"]
    assert NodeTransition.objects.first().reason == "removed by ann on node-1, epoch 1"


@pytest.mark.parametrize("path", ["heartbeat", "gossip", "join", "leave"])
def test_the_removed_node_is_refused_under_its_writer_id(removed, settings, path):
    caller = PeerCaller("node-2", settings.RS3GW_CLUSTER_SECRET)
    body = b"{}"
    url = f"/_cluster/{path}"

    answer = caller.send("POST", url, body, caller.headers("POST", url, body, actor=512))

    assert answer.status_code == 421
    assert answer.json()["code"] == "removed"
    assert answer.json()["removal"]["epoch"] == 1
    assert "manage.py join" in answer.json()["message"]


def test_a_node_of_an_earlier_version_that_names_no_writer_id_is_refused_too(removed, settings):
    caller = PeerCaller("node-2", settings.RS3GW_CLUSTER_SECRET)

    assert caller.send("GET", "/_cluster/ping").status_code == 421


def test_the_removed_node_may_come_back_with_another_writer_id(removed, settings):
    caller = PeerCaller("node-2", settings.RS3GW_CLUSTER_SECRET)
    back = record("node-2", 9, lifecycle=Lifecycle.STARTING, is_member=False, actor=768)
    body = json.dumps({"record": back.to_json()}).encode()
    headers = caller.headers("POST", "/_cluster/join", body, actor=768)

    answer = caller.send("POST", "/_cluster/join", body, headers)

    assert answer.status_code == 200
    assert selectors.read().rows["node-2"].state == Lifecycle.STARTING


def test_a_node_that_is_told_of_its_removal_takes_itself_out(seeded, ticker, state_of):
    (two,) = seeded("node-2")

    fencing.notice_refusal(_refusal(_removal()))

    assert table.own_row().state == Lifecycle.LEFT
    assert "was removed from the cluster by ann on node-2" in selectors.closed_because()
    assert NodeTransition.objects.first().reason == "was removed by ann on node-2, epoch 4"
    two.received.clear()
    ticker.run(6)
    assert two.received == []


def test_a_removal_that_gossip_brings_takes_the_node_out_too(seeded):
    seeded("node-2")

    fencing.consume("node-2", [_removal().to_json()])

    assert table.own_row().state == Lifecycle.LEFT


def test_an_old_refusal_of_another_writer_id_changes_nothing(seeded):
    seeded("node-2")

    fencing.notice_refusal(_refusal(_removal(actor=512)))
    fencing.notice_refusal(b"421 Misdirected Request")
    fencing.notice_refusal(_refusal(_removal(node_id="node-7")))

    assert table.own_row().state == Lifecycle.ACTIVE
    assert selectors.closed_because() == ""


def test_a_restart_does_not_bring_a_removed_node_back(seeded, ticker):
    seeded("node-2")
    fencing.notice_refusal(_refusal(_removal()))

    services.start()
    ticker.run(3)

    assert table.own_row().state == Lifecycle.LEFT


def test_a_removed_node_joins_with_a_new_writer_id(seeded, ticker, hooks, state_of):
    (two,) = seeded("node-2")
    old = identity.load()
    fencing.notice_refusal(_refusal(_removal()))
    with pytest.raises(services.ClusterConflict, match="writer id"):
        services.join()
    hooks.on_renewing.append(
        lambda: identity.write(identity.Identity(node_id="node-1", actor=old.actor + 256))
    )

    services.join()
    ticker.run(2)

    assert state_of() is NodeState.ACTIVE
    assert selectors.closed_because() == ""
    assert two.table.get("node-1").facts.actor == old.actor + 256


def test_a_removed_node_joins_by_itself_where_that_is_wanted(seeded, ticker, hooks, settings):
    seeded("node-2")
    settings.RS3GW_REJOIN_REMOVED = True
    old = identity.load()
    hooks.on_renewing.append(
        lambda: identity.write(identity.Identity(node_id="node-1", actor=old.actor + 256))
    )

    fencing.notice_refusal(_refusal(_removal()))
    ticker.run(3)

    assert table.own_row().state == Lifecycle.ACTIVE


def test_a_member_that_has_just_started_takes_no_writes_until_it_has_compared(seeded, ticker):
    (two,) = seeded("node-2")
    services.start()

    assert "has just started" in selectors.closed_because()
    two.is_down = True
    ticker.run(2)
    selectors.forget()
    assert selectors.closed_because() == ""


def test_a_node_that_is_behind_itself_begins_again_and_stays_counted(seeded, ticker, hooks):
    (two,) = seeded("node-2")
    hooks.on_returning.append(lambda peers: identity.load().actor == old.actor)
    old = identity.load()
    hooks.on_renewing.append(
        lambda: identity.write(identity.Identity(node_id="node-1", actor=old.actor + 256))
    )

    services.start()
    ticker.run(3)

    said = [data["record"] for name, data in two.received if name == "join"]
    assert said[-1]["metadata"] == {"rs3gw.counted": "yes"}
    assert said[-1]["is_member"] is False
    reasons = [step.reason for step in NodeTransition.objects.all()[:6]]
    assert "an old copy of its data was put back" in reasons
    facts = two.table.get("node-1").facts
    assert (facts.lifecycle, facts.is_member, facts.metadata) == (Lifecycle.ACTIVE, True, {})


@pytest.mark.parametrize(("metadata", "size"), [({"rs3gw.counted": "yes"}, 3), ({}, 2)])
def test_a_member_with_a_new_disk_stays_in_the_count_and_confirms_nothing(seeded, metadata, size):
    seeded("node-3")
    table.absorb([record("node-2", 1, is_member=True, actor=512)])
    assert selectors.read().quorum_size == 3
    again = record(
        "node-2",
        6,
        lifecycle=Lifecycle.JOINING,
        is_member=False,
        actor=768,
        metadata=metadata,
    )

    services.receive_join("node-2", {"record": again.to_json()})

    now = selectors.read()
    assert now.quorum_size == size
    assert "node-2" not in [node.node_id for node in now.registered]


def test_a_node_with_a_new_disk_says_that_it_was_a_member(settings, network, ticker):
    settings.RS3GW_CLUSTER_SEED_NODES = ["node-2:9001"]
    two = network.add("node-2")
    two.learn(record("node-1", 40, actor=512, is_member=True))
    two.is_down = False
    services.start()

    table.absorb(tuple(two.table))

    assert table.own_row().metadata == {"rs3gw.counted": "yes"}
    ticker.run(3)
    assert table.own_row().metadata == {}
    assert table.own_row().state == Lifecycle.ACTIVE


def test_a_node_that_stops_says_so_and_a_new_start_forgets_it(seeded):
    (two,) = seeded("node-2")

    services.say_stopping()
    told = two.table.get("node-1").facts
    assert (told.lifecycle, told.metadata) == (Lifecycle.ACTIVE, {"rs3gw.stopping": "yes"})
    assert [node.node_id for node in selectors.read().routable] == ["node-1", "node-2"]

    services.start()
    assert table.own_row().metadata == {}


def test_a_peer_that_stops_is_counted_and_not_relied_on(seeded):
    two, _ = seeded("node-2", "node-3")
    stops = record("node-2", two.own.incarnation + 1, metadata={"rs3gw.stopping": "yes"})

    services.receive_gossip("node-2", {"incarnation": 2, "records": [stops.to_json()]})

    now = selectors.read()
    assert now.quorum_size == 3
    assert [node.node_id for node in now.routable] == ["node-1", "node-3"]


def test_an_old_copy_that_is_noticed_while_starting_is_in_the_history_too(seeded, hooks):
    seeded("node-2")
    services.start()

    services.begin_again()

    step = NodeTransition.objects.first()
    assert (step.old, step.new) == ("starting", "starting")
    assert step.reason == "an old copy of its data was put back"
