"""Breakers are rows that both processes see, and lanes keep to them."""

from datetime import timedelta

import pytest
from django.conf import settings as node_settings

from cluster import transport as cluster_transport
from replication import drain, lanes, links, pacing, receivers, services
from replication.core.circuit_breaker import BreakerState, Outcome, Permission
from replication.doorbell import Doorbell
from replication.errors import ControlError
from replication.models import Lane, LinkTraffic, PeerLink
from replication.pusher import PeerPusher
from rs3gw.common import clock, identity
from rs3gw.storage import services as storage

pytestmark = pytest.mark.usefixtures("db")
KEY = links.of_member("node-2", LinkTraffic.DATA)
CONTROL = links.of_member("node-2")


@pytest.fixture(autouse=True)
def _nobody_drains(monkeypatch):
    monkeypatch.setattr(Doorbell, "ring", lambda *_, **__: None)
    monkeypatch.setattr(links, "_probe_behind", lambda key: None)


def row(key=KEY):
    return PeerLink.objects.get(destination=key.destination, traffic=key.traffic)


def fail(times, key=KEY, outcome=Outcome.UNREACHABLE):
    for _ in range(times):
        links.record(key, outcome, "no route")


def move_probe(seconds, key=KEY):
    """Make the next probe due in so many seconds, as another process would see it."""
    PeerLink.objects.filter(destination=key.destination, traffic=key.traffic).update(
        probe_at=clock.utcnow() + timedelta(seconds=seconds), probed_at=None
    )
    links.forget()


def lane(**fields):
    return Lane.objects.create(destination_kind="member", destination="node-2", **fields)


def test_a_row_is_written_when_the_breaker_opens_and_not_before(django_assert_num_queries):
    links.get(KEY)
    with django_assert_num_queries(0):
        fail(node_settings.RS3GW_BREAKER_FAILURES - 1)
        links.record(KEY, Outcome.OK)
        fail(node_settings.RS3GW_BREAKER_FAILURES - 1)
    fail(1)
    assert (row().state, row().cause, row().reason) == ("open", "unreachable", "no route")
    links.forget()
    assert links.permission(KEY) is Permission.WAIT


def test_only_one_of_two_processes_gets_the_probe():
    fail(5)
    move_probe(-1)
    assert links.permission(KEY) is Permission.PROBE
    links.forget()
    assert links.permission(KEY) is Permission.WAIT
    assert links.record(KEY, Outcome.OK) is True
    assert row().state == "closed"
    assert links.permission(KEY) is Permission.SEND


def test_two_that_both_believe_the_probe_is_due_do_not_both_get_it():
    fail(5)
    move_probe(-1)
    assert links._claim_probe(KEY, clock.now()) is True
    assert links._claim_probe(KEY, clock.now()) is False


def test_hearing_of_a_member_wakes_its_lanes_for_a_probe():
    resting = lane(next_attempt_at=clock.utcnow() + timedelta(minutes=4))
    fail(5)
    links.heard_of("node-2")
    resting.refresh_from_db()
    assert resting.next_attempt_at is None
    assert row().state == "open"
    assert links.permission(KEY) is Permission.PROBE


def test_hearing_of_a_member_that_answers_with_errors_changes_nothing():
    fail(5, outcome=Outcome.FAILED)
    before = row().probe_at
    links.heard_of("node-2")
    assert row().probe_at == before
    links.is_back("node-2")
    assert row().probe_at < before


def test_a_failed_member_is_left_alone_at_once():
    identity.ensure()
    storage.init_clock()
    receivers._on_node_state_changed(node_id="node-2", new="failed")
    assert {r.traffic: r.state for r in PeerLink.objects.all()} == {
        "data": "open",
        "control": "open",
    }
    assert PeerPusher("node-2").is_cooling()


def test_a_lane_rests_while_its_link_is_open(monkeypatch):
    fail(5)
    resting = lane()
    monkeypatch.setattr(drain, "_route", lambda lane: object())
    held = lanes.take_lease(resting.pk, clock.utcnow())
    assert drain._drain_held(held, clock.monotonic() + 10) == (0, False)
    resting.refresh_from_db()
    assert resting.next_attempt_at == row().probe_at
    assert resting.attempts == 0


def test_a_busy_peer_gets_half_and_loses_nothing():
    busy = cluster_transport.PeerRefused("a:1", 429, b"", retry_after_seconds=3)
    held = lanes.take_lease(lane(cursor=7).pk, clock.utcnow())
    drain._back_off(held, busy)
    held.refresh_from_db()
    wait_seconds = (held.next_attempt_at - clock.utcnow()).total_seconds()
    assert 2 < wait_seconds < 5
    assert (held.cursor, held.attempts, held.last_error) == (7, 0, "")
    assert pacing.window(KEY).of(500) == 250
    assert links.get(KEY).state is BreakerState.CLOSED


def test_a_lost_lease_says_nothing_of_the_peer():
    held = lanes.take_lease(lane().pk, clock.utcnow())
    for _ in range(10):
        drain._back_off(held, links.LeftAlone("The lease was lost."))
    assert links.get(KEY).failures == 0


def test_a_peer_that_comes_back_begins_with_a_tenth():
    fail(5)
    move_probe(-1)
    assert links.permission(KEY) is Permission.PROBE
    pacing.begin_trial(KEY)
    assert pacing.window(KEY).of(500) == 1
    drain._note_success(KEY, 0.1)
    assert pacing.window(KEY).of(500) == 50


def test_a_refusal_to_know_us_is_told_and_not_repeated():
    links.record(KEY, links.outcome_of(cluster_transport.PeerRefused("a:1", 401, b"")), "401")
    assert (row().state, row().cause) == ("open", "config_error")


def test_a_person_can_hold_a_link_for_a_while():
    fail(5)
    services.force_link(row(), is_open=False, seconds=60, author="ann")
    links.forget()
    assert links.permission(KEY) is Permission.SEND
    services.force_link(row(), is_open=True, seconds=60, author="ann")
    assert links.permission(KEY) is Permission.WAIT
    assert row().force_by == "ann"
    services.free_link(row())
    assert row().force == ""
    with pytest.raises(ControlError, match="at most 7 days"):
        services.force_link(row(), is_open=True, seconds=10**9, author="ann")


def test_each_destination_has_its_links_and_those_that_left_have_none():
    gone = lane()
    Lane.objects.create(destination_kind="region", destination="west")
    links.ensure()
    found = set(PeerLink.objects.values_list("kind", "destination", "traffic"))
    assert found == {
        ("member", "node-2", "data"),
        ("member", "node-2", "control"),
        ("region", "west", "data"),
    }
    gone.delete()
    links.ensure()
    assert set(PeerLink.objects.values_list("destination", flat=True)) == {"west"}


def test_a_clock_that_was_set_back_does_not_keep_a_link_open_for_hours():
    fail(5)
    move_probe(3600 * 5)
    assert links.permission(KEY) is Permission.PROBE
