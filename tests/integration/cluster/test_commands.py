"""The management commands, tasks, checks and metrics of the membership."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from cluster import checks, metrics, selectors, services, tasks
from cluster.conf import cluster_config
from cluster.core.config import ClusterConfig, ConfigError
from cluster.core.node import Lifecycle, NodeState
from cluster.management.commands import leave
from cluster.models import LeaveRun, Node
from cluster.services import table


def _run(*words):
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_the_status_is_a_table_for_people(seeded):
    seeded("node-2")

    text = _run("cluster_status")

    assert "node-1  active  yes     node-1:9001" in text
    assert "2 of 2 nodes are healthy, 0 failed; quorum writes can be confirmed." in text


def test_the_status_is_json_for_programs(seeded):
    seeded("node-2")
    Node.objects.filter(node_id="node-2").update(liveness="failed")

    status = json.loads(_run("cluster_status", "--json"))

    assert (status["total_nodes"], status["failed_nodes"]) == (2, 1)
    assert status["quorum_size"] == 2
    assert status["quorum_available"] is False
    assert [node["state"] for node in status["nodes"]] == ["active", "failed"]


def test_leave_and_join(seeded, ticker, state_of, monkeypatch):
    seeded("node-2")
    monkeypatch.setattr(leave, "WORKER_SECONDS", 0)

    said = _run("leave")
    assert said.endswith("No worker runs: leaving from here.\nnode-1 has left; told: node-2.\n")
    assert "node-1 is starting" in _run("join")
    ticker.run(1)
    assert state_of() is NodeState.ACTIVE


def test_leave_waits_for_the_worker_and_shows_how_far_it_is(seeded, ticker, monkeypatch):
    seeded("node-2")
    turns = iter([_moves, lambda: ticker.run(1)])
    monkeypatch.setattr(leave.clock, "sleep", lambda _: next(turns)())

    said = _run("leave")

    first, last = said.splitlines()
    assert first == "Waiting for the worker: moving, 3 of 7, 2/s"
    assert last == "node-1 has left; told: node-2."


def _moves():
    LeaveRun.objects.update(step="moving", done=3, total=7, rate_per_second=2)


def test_a_leave_is_called_off_from_the_command_line(seeded, ticker, state_of):
    seeded("node-2")
    with pytest.raises(CommandError, match="No leave"):
        _run("leave", "--cancel")

    assert "worker" in _run("leave", "--no-wait")
    assert "called off" in _run("leave", "--cancel")
    ticker.run(2)

    assert state_of() is NodeState.ACTIVE


def test_a_command_says_why_it_cannot(settings):
    settings.RS3GW_CLUSTER_ENABLED = False

    for command in ("leave", "join"):
        with pytest.raises(CommandError, match="switched off"):
            _run(command)


def test_the_tasks_turn_the_ticks(seeded, network):
    seeded("node-2")
    before = network.requests

    tasks.gossip()
    tasks.heartbeat(later_argument=1)

    assert network.requests >= before + 2
    assert tasks.gossip.name == "cluster.tasks.gossip"
    assert tasks.heartbeat.name == "cluster.tasks.heartbeat"
    assert tasks.gossip.expires <= 1
    assert tasks.heartbeat.expires <= 5


def test_a_tick_is_left_out_while_the_previous_one_runs(seeded, network):
    seeded("node-2")
    before = network.requests

    with tasks._gossip_running, tasks._heartbeat_running:
        tasks.gossip()
        tasks.heartbeat()

    assert network.requests == before


def test_the_metrics_count_every_state(seeded):
    seeded("node-2", "node-3")
    Node.objects.filter(node_id="node-2").update(liveness="failed")
    selectors.forget()

    assert metrics.node_counts() == {
        "starting": 0,
        "joining": 0,
        "active": 2,
        "leaving": 0,
        "failed": 1,
    }


@pytest.mark.parametrize(
    ("advertised", "seeds", "found"),
    [
        ("0.0.0.0:9001", [], ["cluster.E001"]),
        ("127.0.0.1:9001", ["10.0.0.2:9001"], ["cluster.W001"]),
        ("127.0.0.1:9001", ["127.0.0.1:9011"], []),
        ("10.0.0.1:9001", ["10.0.0.2:9001"], []),
    ],
)
def test_the_checks_find_addresses_that_others_cannot_use(settings, advertised, seeds, found):
    settings.RS3GW_CLUSTER_ADVERTISE_ADDR = advertised
    settings.RS3GW_CLUSTER_SEED_NODES = seeds

    assert [message.id for message in checks.check_addresses(None)] == found
    settings.RS3GW_CLUSTER_ENABLED = False
    assert checks.check_addresses(None) == []


def test_the_node_of_the_specification(seeded):
    seeded("node-2")
    node = services.Node(cluster_config())

    assert node.start().state is NodeState.ACTIVE
    assert [n.node_id for n in node.get_members()] == ["node-1", "node-2"]
    assert node.get_health().total_nodes == 2
    assert node.leave() == ["node-2"]
    assert table.own_row().state == Lifecycle.LEFT
    other = ClusterConfig(node_id="node-1", advertise_addr="node-1:9001", bind_addr="a:1")
    with pytest.raises(ConfigError, match="bind_addr, seed_nodes"):
        services.Node(other)
