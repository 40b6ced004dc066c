"""Two states of a node's database, compared as two nodes' and made one.

The peer is a copy of the tables that is put in place while the peer is asked.
"""

import json
from inspect import unwrap
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from cluster import selectors as cluster_selectors
from cluster import transport as cluster_transport
from cluster.core.node import NodeInfo, NodeState
from replication import backfill, services, stability
from replication import transport as replication_transport
from replication.anti_entropy import compare, gaps, runs, scan
from replication.core.envelope import decode_batch
from replication.errors import ControlError
from replication.models import AppliedActor, Comparison, Register, RegisterRevision
from replication.peer import anti_entropy as views
from replication.peer import views as peer_views
from replication.selectors import frontiers
from rs3gw.common import clock, identity
from rs3gw.storage import blobs, selectors
from rs3gw.storage import services as storage
from rs3gw.storage.core.attributes import TAGGING
from rs3gw.storage.core.objects import ObjectHeaders
from rs3gw.storage.models import Bucket, InlineBody, ObjectVersion, VersionAttribute

TABLES = (Bucket, Register, RegisterRevision, ObjectVersion, VersionAttribute, AppliedActor)
LOST_WRITER = 4096


@pytest.fixture
def node(db, settings, monkeypatch):
    identity.ensure()
    storage.init_clock()
    settings.RS3GW_COMPARE_MARGIN_SECONDS = -60
    monkeypatch.setattr(compare, "SECOND_LOOK_SECONDS", 0)


class PeerState:
    """The other node: rows that stand in the tables only while it is asked."""

    def __init__(self):
        self.rows = capture()
        self.frontiers = {str(actor): seq for actor, seq in frontiers().items()}
        self.requests = []

    def request(self, method, path, *, body=b"", **_):
        self.requests.append((method, path))
        here = capture()
        put_in_place(self.rows)
        try:
            answer = self._answer(method, path, body)
            self.rows = capture()
        finally:
            put_in_place(here)
        return cluster_transport.PeerResponse(answer.status_code, answer.headers, answer.content)

    def _answer(self, method, path, body):
        request = Request(method, path, body)
        path = path.partition("?")[0]
        if path.endswith("/frontier"):
            return views.JsonResponse(self.frontiers)
        view = {
            "/_cluster/digest": views.digest,
            "/_cluster/written": views.written,
            "/_cluster/entries": peer_views.entries,
            "/_cluster/registers": peer_views.registers,
        }[path]
        return unwrap(view)(request)


class Request:
    """As much of a signed request as the views read."""

    def __init__(self, method, path, body):
        self.method, self.peer_body = method, body
        self.peer = SimpleNamespace(node_id="east-2", scope="cluster")
        query = path.partition("?")[2]
        self.GET = dict(pair.split("=") for pair in query.split("&") if pair)


def capture():
    return {model: list(model.objects.order_by("pk")) for model in TABLES}


def put_in_place(rows):
    for model in reversed(TABLES):
        model.objects.all().delete()
    for model in TABLES:
        model.objects.bulk_create(rows[model])


@pytest.fixture
def bucket(node):
    made = services.create_bucket(name="photos")
    for number in range(5):
        put(made, f"k{number}", f"text {number}")
    return made


@pytest.fixture
def peer(bucket, monkeypatch):
    """A peer that holds the same as this node now."""
    state = PeerState()
    told = NodeInfo(
        node_id="east-2", address="east-2:9001", state=NodeState.ACTIVE, last_seen=clock.utcnow()
    )
    monkeypatch.setattr(cluster_transport, "client", lambda _: state)
    monkeypatch.setattr(cluster_selectors, "peers", lambda: [told])
    monkeypatch.setattr(
        cluster_selectors, "member", lambda name: told if name == "east-2" else None
    )
    return state


def put(bucket, key, text):
    body = blobs.stage([text.encode()])
    return services.put_object(bucket=bucket, key=key, body=body, headers=ObjectHeaders())


def look(peer, repairs_max=1000, **options):
    return compare.compare_with(
        cluster_selectors.member("east-2"), repairs_max=repairs_max, **options
    )


def text_of(bucket, key):
    found = selectors.find_entry(bucket, key)
    return None if found is None else b"".join(services.open_body(found)).decode()


def test_nodes_that_hold_the_same_are_equal(peer):
    report = look(peer)
    assert report.is_equal
    assert report.buckets == 1
    assert ("POST", "/_cluster/digest") in peer.requests


def test_a_row_that_was_lost_here_is_found_and_taken_back(bucket, peer):
    ObjectVersion.objects.filter(key="k3").delete()
    report = look(peer, repairs_max=0)
    assert report.causes == {"missing_here": 1}
    assert report.sample == [{"bucket": "photos", "key": "k3", "cause": "missing_here"}]
    assert text_of(bucket, "k3") is None
    assert look(peer).keys_repaired == 1
    assert text_of(bucket, "k3") == "text 3"
    assert look(peer).is_equal


def test_what_the_peer_lacks_is_given_to_it(bucket, peer):
    put(bucket, "new", "only here")
    put(bucket, "k1", "changed here")
    services.delete_object(bucket=bucket, key="k2", version_id="null")
    services.set_attribute(
        bucket=bucket, key="k0", version_id=None, name=TAGGING, value=lambda _: {"a": "1"}
    )
    services.put_bucket_setting(bucket=bucket, name="tagging", value="<Tagging/>")
    report = look(peer)
    assert report.causes == {"missing_there": 1, "concurrent": 2, "attribute": 1}
    assert report.is_control_equal
    assert look(peer).is_equal
    assert capture_keys(peer.rows) == capture_keys(capture())


def capture_keys(rows):
    return sorted(
        (row.key, row.version_id, row.actor, row.seq, row.state) for row in rows[ObjectVersion]
    )


def test_deletes_that_the_peer_has_forgotten_are_no_difference(bucket, peer):
    services.delete_object(bucket=bucket, key="k4", version_id="null")
    peer.rows[ObjectVersion] = [r for r in peer.rows[ObjectVersion] if r.key != "k4"]
    peer.frontiers = {actor: seq + 10 for actor, seq in peer.frontiers.items()}
    assert look(peer).is_equal


def test_a_run_repairs_no_more_than_it_may(bucket, peer):
    ObjectVersion.objects.all().delete()
    report = look(peer, repairs_max=2)
    assert (report.keys_differing, report.keys_repaired, report.keys_left) == (5, 2, 3)


def test_what_arrives_between_two_looks_was_on_its_way(bucket, peer, monkeypatch):
    lost = list(ObjectVersion.objects.filter(key="k3"))
    ObjectVersion.objects.filter(key="k3").delete()
    monkeypatch.setattr(compare, "_pause", lambda: ObjectVersion.objects.bulk_create(lost))
    report = look(peer)
    assert report.is_equal
    assert report.keys_in_flight == 1


def test_a_run_is_a_row_that_can_be_cancelled(bucket, peer):
    [run] = runs.ask_for(author="olga")
    runs.cancel(run)
    assert runs.work() == 0
    run.refresh_from_db()
    assert run.state == "cancelled"
    [second] = runs.ask_for(peer="east-2", author="olga")
    assert runs.work() == 1
    second.refresh_from_db()
    assert (second.state, second.is_equal, second.total) == ("done", True, 1)
    with pytest.raises(ControlError):
        runs.ask_for(peer="nobody", author="olga")


def test_a_run_that_is_told_to_end_ends_before_its_next_bucket(bucket, peer):
    [run] = runs.ask_for(author="olga", is_for_worker=False)
    Comparison.objects.filter(pk=run.pk).update(is_cancelled=True)
    assert runs.carry_out(run).state == "cancelled"


def test_the_command_says_what_differs_and_repairs_it(bucket, peer, capsys):
    call_command("compare")
    assert "equal" in capsys.readouterr().out
    ObjectVersion.objects.filter(key="k3").delete()
    with pytest.raises(SystemExit) as ended:
        call_command("compare", "--json")
    assert ended.value.code == 1
    assert json.loads(capsys.readouterr().out)[0]["causes"] == {"missing_here": 1}
    call_command("compare", "--repair")
    assert "repaired" in capsys.readouterr().out
    with pytest.raises(CommandError):
        call_command("compare", "--repair", "--dry-run")
    with pytest.raises(CommandError):
        call_command("compare", "--peer", "nobody")


def test_changes_of_a_writer_that_is_gone_are_taken_from_who_has_them(bucket, peer, settings):
    settings.RS3GW_GAP_GRACE_SECONDS = 0
    gaps.watch = gaps.GapWatch()
    rows = [row for row in peer.rows[ObjectVersion] if row.key in {"k0", "k1"}]
    for seq, row in enumerate(rows, start=1):
        row.actor, row.seq, row.context = LOST_WRITER, seq, {}
        row.key = f"of-the-dead-{seq}"
    peer.frontiers[str(LOST_WRITER)] = 2
    assert gaps.close_gaps() == 2
    assert text_of(bucket, "of-the-dead-1") == "text 0"
    assert frontiers()[LOST_WRITER] == 2
    assert gaps.close_gaps() == 0


def test_a_writer_that_is_there_brings_its_changes_itself(bucket, peer, settings, monkeypatch):
    settings.RS3GW_GAP_GRACE_SECONDS = 0
    gaps.watch = gaps.GapWatch()
    alive = NodeInfo(
        node_id="east-2",
        address="east-2:9001",
        state=NodeState.ACTIVE,
        last_seen=clock.utcnow(),
        actor=LOST_WRITER,
    )
    monkeypatch.setattr(cluster_selectors, "peers", lambda: [alive])
    peer.frontiers[str(LOST_WRITER)] = 2
    assert gaps.close_gaps() == 0
    assert LOST_WRITER not in frontiers()


def test_questions_that_are_none_are_refused(node):
    for body in (b"", b"[]", b"{}", b'{"through": "x"}', b'{"through": 1, "items": ["y"]}'):
        assert unwrap(views.digest)(Request("POST", "", body)).status_code == 400
    for body in (b"", b"{}", b'{"dots": [1]}', b'{"dots": [["a", 1]]}'):
        assert views.give_or_take_entries(Request("POST", "", body)).status_code == 400
    assert views.give_or_take_entries(Request("PUT", "", b"x")).status_code == 400
    assert unwrap(views.written)(Request("GET", "?actor=x", b"")).status_code == 400


def test_entries_are_given_with_their_small_bodies(bucket):
    dots = list(ObjectVersion.objects.values_list("actor", "seq"))
    batch = decode_batch(backfill.encode_dots(dots))
    assert len(batch.events) == 5
    assert sorted(batch.inline_bodies) == sorted(
        InlineBody.objects.values_list("sha256", flat=True)
    )
    assert decode_batch(backfill.encode_dots([])).events == ()
    assert len(scan.items(2**62, "photos", range(1024))) == 5
    assert replication_transport.FRONTIER_PATH == "/_cluster/frontier"


def test_no_delete_is_forgotten_while_indexes_are_compared(bucket, peer):
    assert runs.under_way() == ""
    [run] = runs.ask_for(author="olga", is_for_worker=False)
    assert runs.under_way() == "indexes are being compared"
    assert runs.under_way in stability.holds
    runs.carry_out(run)
    assert runs.under_way() == ""
