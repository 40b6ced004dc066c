"""The metrics page and the health answers."""

import base64

import pytest
from django.db import OperationalError
from django.test import Client

from cluster import selectors as cluster
from cluster.core.node import NodeState
from replication.models import ConflictCount
from tests.integration.console.conftest import PASSWORD

SPECIFIED = {
    "rs3gw_cluster_nodes_total": "gauge",
    "rs3gw_replication_events_total": "counter",
    "rs3gw_replication_lag_seconds": "gauge",
    "rs3gw_replication_bandwidth_bytes_per_sec": "gauge",
    "rs3gw_conflicts_total": "counter",
    "rs3gw_conflicts_resolved_total": "counter",
}


@pytest.fixture
def scraper(node, settings):
    settings.RS3GW_METRICS_TOKEN = "scrape me"
    return Client(headers={"Authorization": "Bearer scrape me"})


def scrape(scraper):
    answer = scraper.get("/metrics")
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("name", sorted(SPECIFIED))
def test_every_specified_name_is_there_with_its_type(scraper, name):
    page = scrape(scraper)

    assert f"# TYPE {name} {SPECIFIED[name]}" in page
    assert any(line.startswith((f"{name} ", f"{name}{{")) for line in page.splitlines())


def test_all_five_states_are_always_there(scraper):
    page = scrape(scraper)

    for state in NodeState:
        count = 1 if state == NodeState.ACTIVE else 0
        assert f'rs3gw_cluster_nodes_total{{state="{state.value}"}} {count}.0' in page


def test_numbers_come_from_the_database(scraper, lane, make_events, park):
    park(make_events(3, age_seconds=30)[:1])
    ConflictCount.objects.create(strategy="last_write_wins", detected=42, resolved=41)
    page = scrape(scraper)
    labels = 'destination="node-2",kind="member"'

    assert 'rs3gw_conflicts_total{strategy="last_write_wins"} 42.0' in page
    assert "rs3gw_conflicts_resolved_total 41.0" in page
    assert f"rs3gw_replication_events_parked{{{labels}}} 1.0" in page or (
        'rs3gw_replication_events_parked{kind="member",destination="node-2"} 1.0' in page
    )
    lag = next(
        line for line in page.splitlines() if line.startswith("rs3gw_replication_lag_seconds ")
    )
    assert float(lag.split()[1]) >= 29


def test_no_name_stands_twice(scraper):
    types = [line for line in scrape(scraper).splitlines() if line.startswith("# TYPE")]

    assert len(types) == len(set(types))


@pytest.mark.parametrize("given", ["", "Bearer wrong", "Bearer ", "Bearer", "Token nope"])
def test_the_page_is_not_for_strangers(node, settings, given):
    settings.RS3GW_METRICS_TOKEN = "scrape me"
    headers = {"Authorization": given} if given else {}

    assert Client(headers=headers).get("/metrics").status_code == 401


def test_an_empty_token_setting_lets_nobody_in(node, settings):
    settings.RS3GW_METRICS_TOKEN = ""

    assert Client(headers={"Authorization": "Bearer "}).get("/metrics").status_code == 401


def test_staff_may_read_it_with_any_accept_header(operator):
    given = base64.b64encode(f"olga:{PASSWORD}".encode()).decode()
    staff = Client(
        headers={"Authorization": f"Basic {given}", "Accept": "application/openmetrics-text"}
    )
    answer = staff.get("/metrics")

    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize("path", ["/healthz/live", "/healthz/ready", "/healthz/ready/"])
def test_a_healthy_node_says_ok_to_anyone(client, node, path):
    answer = client.get(path)

    assert (answer.status_code, answer.content) == (200, b"ok")


def test_a_node_without_its_database_is_alive_but_not_ready(client, node, monkeypatch):
    def fail(*_):
        raise OperationalError("gone")

    with monkeypatch.context() as patch:
        patch.setattr("rs3gw.console.views.connection.cursor", fail)
        assert client.get("/healthz/live").status_code == 200
        answer = client.get("/healthz/ready")

    assert (answer.status_code, answer.content) == (503, b"database")


@pytest.mark.parametrize("state", [NodeState.JOINING, NodeState.LEAVING])
def test_a_node_that_comes_or_goes_is_not_ready(client, node, monkeypatch, state):
    from dataclasses import replace

    own = replace(cluster.self_info(), state=state)
    monkeypatch.setattr(cluster, "self_info", lambda: own)
    answer = client.get("/healthz/ready")

    assert (answer.status_code, answer.content.decode()) == (503, state.value)
