"""Heartbeats, gossip, and what silence leads to."""

import threading

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cluster import selectors, services
from cluster.core.membership import Status
from cluster.core.node import Lifecycle, Liveness, NodeState
from cluster.models import Node, NodeTransition
from cluster.services import table
from cluster.signals import node_state_changed
from rs3gw.common import clock
from tests.unit.cluster.nodes import record


@pytest.fixture
def told():
    """Collect what the signal says."""
    heard = []

    def note(sender, node_id, old, new, actor_changed, **_):
        heard.append((node_id, old, new, actor_changed))

    node_state_changed.connect(note)
    yield heard
    node_state_changed.disconnect(note)


def test_a_silent_peer_is_suspect_then_failed(seeded, ticker, state_of, row_of, told):
    two, _ = seeded("node-2", "node-3")
    ticker.run(10)
    told.clear()
    two.is_down = True
    ticker.run(11)
    assert row_of("node-2").liveness == Liveness.SUSPECT
    assert state_of("node-2") is NodeState.ACTIVE
    assert len(selectors.routable()) == 2
    assert told == []

    ticker.run(6)

    assert state_of("node-2") is NodeState.FAILED
    assert told == [("node-2", "active", "failed", False)]
    assert selectors.health().failed_nodes == 1
    assert selectors.quorum_size() == 3


def test_failure_is_noticed_within_the_timeout_and_one_interval(seeded, ticker, state_of):
    (two,) = seeded("node-2")
    ticker.run(7)
    two.is_down = True
    seconds = 0
    while state_of("node-2") is not NodeState.FAILED:
        ticker.run(1)
        seconds += 1

    assert 10 <= seconds <= 20


def test_a_peer_that_answers_again_is_alive_at_once(seeded, ticker, state_of, told):
    (two,) = seeded("node-2")
    two.is_down = True
    ticker.run(20)
    two.is_down = False
    told.clear()
    ticker.run(1)

    assert state_of("node-2") is NodeState.ACTIVE
    assert told == [("node-2", "failed", "active", False)]
    words = NodeTransition.objects.filter(node__node_id="node-2").order_by("id")
    assert [t.new for t in words][-3:] == ["suspect", "failed", "active"]


def test_a_peer_that_only_calls_is_heard_too(seeded, ticker, state_of, row_of):
    (two,) = seeded("node-2")
    two.is_down = True
    for _ in range(30):
        ticker.run(1)
        if ticker.now % 5 == 0:
            # The web process hears it; only the row tells the worker.
            Node.objects.filter(node_id="node-2").update(last_seen=clock.utcnow())

    assert row_of("node-2").liveness == Liveness.ALIVE


def test_a_call_from_a_failed_peer_brings_it_back(seeded, ticker, state_of):
    (two,) = seeded("node-2")
    two.is_down = True
    ticker.run(20)

    answer = services.receive_heartbeat("node-2", {"incarnation": two.own.incarnation})

    assert answer["agrees"] is True
    assert state_of("node-2") is NodeState.ACTIVE
    ticker.run(9)
    assert state_of("node-2") is NodeState.ACTIVE


def test_a_node_that_slept_does_not_blame_the_others(seeded, ticker, state_of):
    two, three = seeded("node-2", "node-3")
    ticker.run(5)
    two.is_down = three.is_down = True
    ticker.now += 300
    ticker.run(5)

    assert state_of("node-2") is NodeState.ACTIVE
    assert state_of("node-3") is NodeState.ACTIVE


def test_a_hanging_peer_does_not_stall_the_others(seeded, ticker, row_of):
    two, three = seeded("node-2", "node-3")
    ticker.run(5)
    Node.objects.update(last_seen="2020-01-01T00:00:00Z")
    two.hang = threading.Event()
    began = clock.monotonic()
    ticker.now += 1
    ticker.heartbeat()

    assert clock.monotonic() - began < 4
    assert row_of("node-3").last_seen.year > 2020
    assert row_of("node-2").last_seen.year == 2020
    two.hang.set()


def test_while_nothing_changes_a_tick_writes_nothing(seeded, ticker):
    seeded("node-2", "node-3")
    ticker.run(6)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        ticker.now += 1
        ticker.gossip()

    written = [q["sql"] for q in queries if not q["sql"].startswith(("SELECT", "PRAGMA"))]
    assert written == []
    assert len(queries) <= 5


def test_a_heartbeat_writes_once(seeded, ticker):
    seeded("node-2", "node-3")
    ticker.run(6)

    with CaptureQueriesContext(connection) as queries:
        ticker.heartbeat()

    assert len([q for q in queries if q["sql"].startswith("UPDATE")]) == 1


def test_a_round_that_agrees_sends_only_digests(seeded, network, ticker):
    two, three = seeded("node-2", "node-3")
    ticker.run(6)
    two.received.clear()
    three.received.clear()
    ticker.now += 1
    ticker.gossip()

    messages = [*two.received, *three.received]
    assert 1 <= len(messages) <= 2
    assert all(set(data) == {"incarnation", "digest"} for _, data in messages)


def test_news_of_a_third_node_arrives_by_gossip(seeded, ticker, state_of, told):
    (two,) = seeded("node-2")
    two.learn(record("node-3", 4))
    ticker.run(2)

    assert state_of("node-3") is NodeState.ACTIVE
    assert ("node-3", "", "active", False) in told
    assert selectors.quorum_size() == 3


def test_own_news_reaches_a_peer_that_missed_it(seeded, ticker):
    two, three = seeded("node-2", "node-3")
    two.table = type(two.table)([two.own, three.own])
    ticker.run(3)

    assert two.knows("node-1") is Lifecycle.ACTIVE


def test_a_new_disk_is_told_to_the_rest_of_the_node(seeded, ticker, told):
    (two,) = seeded("node-2")
    Node.objects.filter(node_id="node-2").update(actor=256)
    two.learn(record("node-2", two.own.incarnation + 1, actor=512))
    told.clear()
    ticker.run(2)

    assert told == [("node-2", "active", "active", True)]


def test_a_rumour_about_who_is_heard_is_not_believed(seeded, ticker, state_of):
    two, _ = seeded("node-2", "node-3")
    ticker.run(6)
    rumour = record("node-3", 1, status=Status.FAILED)
    table.absorb([rumour])

    assert state_of("node-3") is NodeState.ACTIVE
    Node.objects.filter(node_id="node-3").update(last_seen="2020-01-01T00:00:00Z")
    table.absorb([rumour])
    assert state_of("node-3") is NodeState.FAILED


def test_a_rumour_about_this_node_is_refuted(seeded, ticker, state_of):
    (two,) = seeded("node-2")
    own = table.own_record()
    two.learn(type(own)(**{**_parts(own), "status": Status.FAILED}))
    two.learn(record("node-9", 1))
    ticker.run(3)

    assert state_of() is NodeState.ACTIVE
    assert two.table.get("node-1").status is Status.ALIVE
    assert two.table.get("node-1").incarnation > own.incarnation


def test_a_node_that_was_removed_while_away_joins_again(seeded, ticker, hooks, state_of):
    (two,) = seeded("node-2")
    copied = []
    hooks.on_joining.append(copied.append)
    own = table.own_record()
    two.learn(type(own)(**{**_parts(own), "status": Status.LEFT}))
    ticker.run(8)

    assert state_of() is NodeState.ACTIVE
    assert [node.node_id for node in copied] == ["node-2"]
    assert two.knows("node-1") is Lifecycle.ACTIVE


def test_a_node_of_another_region_is_not_taken_in(seeded, ticker, state_of):
    (two,) = seeded("node-2")
    two.learn(record("node-8", region="eu-west-1"))
    ticker.run(2)

    assert state_of("node-8") is None


def test_sections_travel_when_they_change_and_now_and_then(seeded, ticker, hooks):
    (two,) = seeded("node-2")
    frontier = {"1": 1}
    hooks.gossip_sections["frontiers"] = (lambda: dict(frontier), lambda node_id, value: None)

    def sent_within(seconds):
        two.received.clear()
        ticker.run(seconds)
        return [d["sections"] for name, d in two.received if name == "gossip" and "sections" in d]

    assert sent_within(3) == [{"frontiers": {"1": 1}}]
    frontier["1"] = 2
    assert sent_within(3) == [{"frontiers": {"1": 2}}]
    assert len(sent_within(25)) == 2


def test_a_receiver_that_fails_does_not_stop_the_tick(seeded, ticker, state_of):
    (two,) = seeded("node-2")

    def fail(**_):
        raise RuntimeError("no")

    node_state_changed.connect(fail)
    try:
        two.is_down = True
        ticker.run(20)
    finally:
        node_state_changed.disconnect(fail)

    assert state_of("node-2") is NodeState.FAILED


def test_who_loses_the_compare_and_set_writes_no_history(seeded, row_of):
    seeded("node-2")
    first, second = row_of("node-2"), row_of("node-2")
    before = NodeTransition.objects.count()

    assert table.change(first, {"liveness": Liveness.FAILED.value}, reason="is silent")
    assert not table.change(second, {"liveness": Liveness.FAILED.value}, reason="is silent")
    assert NodeTransition.objects.count() == before + 1


def test_a_verdict_gives_way_to_a_word_that_came_in_between(seeded, row_of):
    seeded("node-2")
    stale = row_of("node-2")
    Node.objects.filter(node_id="node-2").update(last_seen=clock.utcnow())

    changed = table.change(
        stale, {"liveness": Liveness.FAILED.value}, reason="is silent", only_if_silent=True
    )

    assert not changed
    assert row_of("node-2").liveness == Liveness.ALIVE


def test_the_history_is_bounded(seeded, row_of, monkeypatch):
    monkeypatch.setattr(table, "TRANSITIONS_MAX", 10)
    seeded("node-2")
    for _ in range(15):
        table.change(row_of("node-2"), {"liveness": Liveness.FAILED.value}, reason="is silent")
        table.change(row_of("node-2"), {"liveness": Liveness.ALIVE.value}, reason="is back")

    assert NodeTransition.objects.count() == 10


def _parts(own):
    return {name: getattr(own, name) for name in ("node_id", "incarnation", "status", "facts")}
