"""Silent peers are asked about through others; who sees whom is known everywhere."""

import pytest
from django.test import Client
from django.urls import reverse

from cluster.core.membership import MalformedMessage
from cluster.core.node import Liveness, NodeState
from cluster.models import Node, PeerView
from cluster.services import ClusterConflict, hearing, receive_probe, views


def test_a_peer_that_another_member_reaches_is_suspect_and_not_failed(seeded, ticker, state_of):
    two, three = seeded("node-2", "node-3")
    three.reaches.add("node-2")
    two.is_down = True
    ticker.run(40)
    assert Node.objects.get(node_id="node-2").liveness == Liveness.SUSPECT
    assert state_of("node-2") == NodeState.ACTIVE
    three.reaches.clear()
    ticker.run(15)
    assert state_of("node-2") == NodeState.FAILED


def test_a_dead_peer_fails_in_time_although_others_are_asked(seeded, ticker, state_of):
    two, three = seeded("node-2", "node-3")
    ticker.run(5)
    two.is_down = True
    ticker.run(20)
    assert state_of("node-2") == NodeState.FAILED
    assert "probe" in [name for name, _ in three.received]


def test_a_node_that_fails_again_and_again_is_held_back(seeded, ticker, settings, row_of):
    settings.RS3GW_FLAP_LIMIT = 3
    two, _ = seeded("node-2", "node-3")
    for turn in range(1, 4):
        two.is_down = True
        ticker.run(25)
        assert row_of("node-2").liveness == Liveness.FAILED
        two.is_down = False
        ticker.run(5)
        is_held = turn == 3
        assert (row_of("node-2").held_until is not None) == is_held
        expected = Liveness.SUSPECT if is_held else Liveness.ALIVE
        assert row_of("node-2").liveness == expected
    Node.objects.filter(node_id="node-2").update(held_until=None)
    ticker.run(5)
    assert row_of("node-2").liveness == Liveness.ALIVE
    assert hearing.LAST_SEEN_STALE_INTERVALS > 1


def test_a_probe_tells_who_answers(seeded):
    two, three = seeded("node-2", "node-3")
    two._on_ping = lambda _: {"node_id": "node-2"}
    three.is_down = True
    wanted = {"nodes": ["node-2", "node-3", "nobody", "node-1"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cluster.services.probing.reaches", lambda node: node.node_id == "node-2")
        assert receive_probe("node-3", wanted) == {"heard": ["node-2"]}
    for nonsense in (None, [], {}, {"nodes": "node-2"}, {"nodes": [1]}):
        with pytest.raises(MalformedMessage):
            receive_probe("node-3", nonsense)


def test_without_a_cluster_nobody_is_probed(settings):
    settings.RS3GW_CLUSTER_ENABLED = False
    with pytest.raises(ClusterConflict):
        receive_probe("node-2", {"nodes": []})


def test_the_view_of_this_node_and_of_others_make_a_matrix(seeded, ticker, admin_client):
    _, three = seeded("node-2", "node-3")
    three.is_down = True
    ticker.run(10)
    assert {row.node_id: row.reaches for row in PeerView.objects.all()} == {
        "node-2": True,
        "node-3": False,
    }
    views.consume("node-3", {"node-1": ["alive", True, 1.5, 1_700_000_000_000]})
    found = admin_client.get("/api/cluster/matrix").json()
    assert found["nodes"] == ["node-1", "node-2", "node-3"]
    assert len(found["views"]) == 3
    assert found["one_way"] == [["node-3", "node-1"]]


@pytest.mark.parametrize(
    "section",
    [
        None,
        [],
        {"node-1": []},
        {"node-1": ["well", True, 1, 1]},
        {"node-1": ["alive", True, -1, 1]},
    ],
)
def test_a_view_of_another_form_is_not_taken(seeded, section):
    seeded("node-2")
    views.consume("node-2", section)
    assert not PeerView.objects.filter(observer="node-2").exists()


def test_own_word_about_oneself_comes_from_here_only(seeded):
    seeded("node-2")
    views.consume("node-1", {"node-2": ["failed", False, 0, 1]})
    assert not PeerView.objects.filter(observer="node-1", liveness="failed").exists()


def test_the_page_is_a_table(seeded, ticker, admin_client):
    seeded("node-2", "node-3")
    ticker.run(5)
    page = admin_client.get(reverse("admin:cluster_peerview_changelist")).content.decode()
    assert "Who sees whom" in page
    assert page.count("Not told") == 4
    assert Client().get(reverse("admin:cluster_peerview_changelist")).status_code == 302
