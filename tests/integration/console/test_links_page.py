"""Peer links and backpressure, as an operator meets them: pages, REST and metrics."""

import pytest
from django.urls import reverse

from replication import links
from replication.core.circuit_breaker import Outcome
from replication.models import Lane, LinkTraffic, PeerLink
from rs3gw.console import metrics, selectors

KEY = links.of_member("node-2", LinkTraffic.DATA)


@pytest.fixture
def refused(node):
    """Make a link whose destination does not know this node."""
    Lane.objects.create(destination_kind="member", destination="node-2")
    links.ensure()
    links.record(KEY, Outcome.CONFIG_ERROR, "node-2 answered 401")
    return PeerLink.objects.get(destination="node-2", traffic="data")


def act(console, link, action, **fields):
    url = reverse("admin:replication_peerlink_changelist")
    data = {"action": action, "_selected_action": [link.pk], **fields}
    return console.post(url, data, follow=True)


def test_the_page_says_who_is_left_alone_and_why(console, refused):
    page = console.get(reverse("admin:replication_peerlink_changelist")).content.decode()
    assert "Left alone" in page
    assert "check secrets and pairing keys" in page
    assert "node-2 answered 401" in page


def test_a_link_is_forced_and_freed_on_its_page(console, refused):
    page = act(console, refused, "force_closed", minutes="5").content.decode()
    assert "1 held closed for 5 minutes" in page
    refused.refresh_from_db()
    assert (refused.force, refused.force_by) == ("closed", "olga")
    act(console, refused, "free")
    refused.refresh_from_db()
    assert refused.force == ""
    assert "Give 1 to 10080" in act(console, refused, "force_open", minutes="0").content.decode()


def test_links_are_listed_and_forced_by_rest(console, refused):
    found = console.get("/api/cluster/links").json()["links"]
    assert [(link["traffic"], link["state"]) for link in found] == [
        ("control", "closed"),
        ("data", "open"),
    ]
    wish = {"destination": "node-2", "wish": "open", "seconds": 60, "traffic": "control"}
    answer = console.post("/api/cluster/links", wish, content_type="application/json")
    assert answer.json()["effective_state"] == "open"
    wish["destination"] = "nobody"
    answer = console.post("/api/cluster/links", wish, content_type="application/json")
    assert answer.status_code == 404


def test_the_overview_and_the_metrics_say_that_somebody_must_act(console, refused):
    assert selectors.overview().verdict.headline == "Nothing is sent to node-2 until you act"
    page = metrics.page().decode()
    assert 'rs3gw_breaker_state{destination="node-2",kind="member",traffic="data"} 2.0' in page
    assert "rs3gw_backlog_events 0.0" in page


def test_backpressure_of_a_bucket_by_rest_and_on_its_page(console, bucket):
    url = "/api/buckets/photos/backpressure"
    assert console.get(url).json() == {}
    given = {"policy": "reject", "hard_age_seconds": 30}
    assert console.put(url, given, content_type="application/json").json() == given
    bad = console.put(url, {"policy": "x"}, content_type="application/json")
    assert (bad.status_code, "none, delay or reject" in bad.json()["message"]) == (400, True)
    data = {"action": "set_backpressure", "_selected_action": [bucket.pk], "policy": "delay"}
    console.post(reverse("admin:storage_bucket_changelist"), data)
    assert console.get(url).json() == {"policy": "delay", "hard_age_seconds": 30}
    shown = console.get(reverse("admin:storage_bucket_change", args=[bucket.pk]))
    assert "&quot;delay&quot;" in shown.content.decode()
    assert console.delete(url).status_code == 204
    assert console.get(url).json() == {}
