"""Writes that other members confirm: who is counted, what beats them, who decides about a key.

The other members are played by a function that answers each push and each question.
"""

import json

import pytest

from cluster import selectors as cluster_selectors
from cluster.core.config import ReplicationMode
from cluster.core.electorate import Electorate
from cluster.core.node import NodeInfo, NodeState
from replication import engine, polling, reading, services, session
from replication.errors import KeyClaimed, ReadRefused, WriteIndeterminate
from replication.models import ReplicationEventRecord
from rs3gw.common import clock, hlc, identity
from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage import blobs, selectors
from rs3gw.storage import services as storage
from rs3gw.storage.core.attributes import TAGGING
from rs3gw.storage.core.objects import ObjectHeaders
from rs3gw.storage.core.siblings import Newer
from rs3gw.storage.errors import BucketNotEmpty

PEERS = ("east-2", "east-3")


def node(node_id):
    return NodeInfo(
        node_id=node_id,
        address="127.0.0.1:1",
        state=NodeState.ACTIVE,
        last_seen=clock.utcnow(),
    )


@pytest.fixture
def region(db, monkeypatch, settings):
    """A region of three in which this node's peers answer what the test says."""
    identity.ensure()
    storage.init_clock()
    settings.RS3GW_WRITE_TIMEOUT_SECONDS = 0.2
    peers = [node(name) for name in PEERS]
    monkeypatch.setattr(cluster_selectors, "registered_peers", lambda: peers)
    here = node(identity.load().node_id)
    monkeypatch.setattr(cluster_selectors, "routable", lambda: [*peers, here])
    monkeypatch.setattr(cluster_selectors, "quorum_size", lambda: 3)
    everybody = Electorate(frozenset({identity.load().node_id, *PEERS}))
    monkeypatch.setattr(cluster_selectors, "electorate", lambda: everybody)
    played = Played()
    monkeypatch.setattr(engine.pusher, "push", played.push)
    monkeypatch.setattr(polling, "ask", played.ask)
    monkeypatch.setattr(polling, "tell", lambda *_: None)
    return played


class Played:
    """What the peers do."""

    def __init__(self):
        self.on_push = lambda write, peer: write.confirm(peer)
        self.answers = dict.fromkeys(PEERS, b"")
        self.pushed = []

    def push(self, write, peers):
        self.pushed.append(write.event)
        for peer in peers:
            self.on_push(write, peer)

    def ask(self, members, question, *, is_enough, **_):
        heard = {}
        for name, answer in self.answers.items():
            if is_enough(heard):
                break
            if answer is not None:
                heard[name] = answer
        return heard


@pytest.fixture
def bucket(region):
    made = services.create_bucket(name="photos")
    services.save_consistency(bucket=made, wanted=services.make_consistency("quorum"))
    region.pushed.clear()
    return selectors.get_bucket("photos")


def put(bucket, key="k", text="text", **options):
    body = blobs.stage([text.encode()])
    return services.put_object(
        bucket=bucket, key=key, body=body, headers=ObjectHeaders(), **options
    )


def refuse_existing(current):
    if current is not None:
        raise BucketNotEmpty


def test_a_bucket_asks_for_its_own_mode(region, bucket):
    assert services.write_mode(bucket) == ReplicationMode.QUORUM
    put(bucket)
    assert len(region.pushed) == 1
    other = services.create_bucket(name="plain")
    region.pushed.clear()
    put(other)
    assert region.pushed == []


def test_one_of_two_peers_is_enough_and_none_is_not(region, bucket):
    region.on_push = lambda write, peer: (
        write.confirm(peer) if peer == "east-2" else write.fail(peer)
    )
    put(bucket, "one")
    region.on_push = lambda write, peer: write.fail(peer)
    with pytest.raises(WriteIndeterminate) as caught:
        put(bucket, "none")
    assert caught.value.outcome().endswith("acked=1/2")
    assert selectors.find_entry(bucket, "none") is not None


def test_a_write_that_a_member_shows_something_newer_of_is_stamped_above_it(region, bucket):
    ahead = Newer(hlc.pack(clock.now_ms() + 5000), VectorClock({77: 3}))

    def overtake_once(write, peer):
        if len(region.pushed) == 1:
            write.overtake(peer, ahead)
        else:
            write.confirm(peer)

    region.on_push = overtake_once
    entry = put(bucket)
    first, second = region.pushed
    assert entry.hlc > ahead.hlc
    assert (entry.actor, entry.seq) == (second.actor, second.seq)
    assert second.context.covers(77, 3) and second.context.covers(first.actor, first.seq)
    assert second.version_id == first.version_id
    assert selectors.find_entry(bucket, "k").seq == second.seq
    kinds = ReplicationEventRecord.objects.filter(key="k").values_list("kind", flat=True)
    assert list(kinds) == ["put_object", "put_object"]


@pytest.mark.parametrize("change", ["delete", "tags", "setting"])
def test_other_changes_are_stamped_again_too(region, bucket, change):
    put(bucket)
    region.pushed.clear()
    ahead = Newer(hlc.pack(clock.now_ms() + 5000), VectorClock())
    region.on_push = lambda write, peer: (
        write.overtake(peer, ahead) if len(region.pushed) == 1 else write.confirm(peer)
    )
    if change == "delete":
        services.delete_object(bucket=bucket, key="k")
        assert selectors.find_entry(bucket, "k") is None
    elif change == "tags":
        services.set_attribute(
            bucket=bucket, key="k", version_id=None, name=TAGGING, value=lambda _: {"a": "1"}
        )
        assert selectors.find_entry(bucket, "k").headers.tags == {"a": "1"}
    else:
        services.put_bucket_setting(bucket=bucket, name="tagging", value="<a/>")
        assert services.get_bucket_setting(bucket, "tagging") == "<a/>"
    assert len(region.pushed) == 2
    assert region.pushed[1].hlc > ahead.hlc


def test_a_write_that_is_beaten_again_and_again_is_indeterminate(region, bucket):
    region.on_push = lambda write, peer: write.overtake(
        peer, Newer(write.event.hlc + 1, VectorClock())
    )
    with pytest.raises(WriteIndeterminate):
        put(bucket)
    assert len(region.pushed) == engine.RESTAMPS_MAX + 1


def test_a_conditional_write_is_decided_while_its_key_is_claimed(region, bucket):
    region.answers = dict.fromkeys(PEERS, b"granted")
    with pytest.raises(KeyClaimed), pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "CLAIM_WAIT_SECONDS_MAX", 0.05)
        region.answers = dict.fromkeys(PEERS, b"held")
        put(bucket, "new", condition=refuse_existing)
    assert selectors.find_entry(bucket, "new") is None


def test_a_conditional_write_without_a_majority_stores_nothing(region, bucket):
    region.answers = dict.fromkeys(PEERS)
    with pytest.raises(ReadRefused):
        put(bucket, "new", condition=refuse_existing)
    assert selectors.find_entry(bucket, "new") is None


def test_a_read_takes_over_what_a_majority_has(region, bucket):
    services.save_consistency(bucket=bucket, wanted=services.make_consistency("quorum", "quorum"))
    bucket = selectors.get_bucket("photos")
    put(bucket, "k", "old")
    old = reading.state_of(bucket, "k")
    put(bucket, "k", "new")
    new = reading.answer(bucket, "k", "")
    # As if the newer write had never come here.
    storage.purge_versions(bucket, VectorClock({e.actor: e.seq for e in old.events}))
    region.answers = {"east-2": new, "east-3": None}
    services.prepare_read(bucket, "k")
    found = selectors.find_entry(bucket, "k")
    assert b"".join(services.open_body(found)) == b"new"


def test_a_read_that_asks_a_majority_is_refused_without_one(region, bucket):
    services.save_consistency(bucket=bucket, wanted=services.make_consistency("", "quorum"))
    bucket = selectors.get_bucket("photos")
    region.answers = dict.fromkeys(PEERS)
    with pytest.raises(ReadRefused):
        services.prepare_read(bucket, "k")


def test_the_same_state_is_answered_with_nothing(region, bucket):
    put(bucket)
    digest = reading.digest_of(reading.state_of(bucket, "k"))
    assert reading.answer(bucket, "k", digest) == b""
    assert reading.answer(None, "k", reading.digest_of(reading.state_of(bucket, "none"))) == b""
    services.set_attribute(
        bucket=bucket, key="k", version_id=None, name=TAGGING, value=lambda _: {"a": "1"}
    )
    assert reading.answer(bucket, "k", digest) != b""


def test_a_request_knows_what_it_wrote(region, bucket):
    session.begin()
    entry = put(bucket)
    assert str(session.token()) == f"{entry.actor}:{entry.seq}"
    assert services.wait_for(session.token())
    session.begin()
    assert str(session.token()) == ""
    assert not services.wait_for(services.parse_token("5:1"))


def test_a_silent_member_degrades_a_bucket_that_allows_it(region, bucket, monkeypatch):
    services.save_consistency(bucket=bucket, wanted=services.make_consistency("sync", "local", 30))
    bucket = selectors.get_bucket("photos")
    assert services.write_mode(bucket) == ReplicationMode.SYNCHRONOUS
    monkeypatch.setattr("replication.consistency.silences_seconds", lambda: [31.0])
    assert services.write_mode(bucket) == ReplicationMode.ASYNCHRONOUS
    assert services.degraded_buckets() == ["photos"]


def test_a_setting_that_cannot_be_read_is_read_carefully(region, bucket):
    services.put_bucket_setting(bucket=bucket, name="consistency", value=json.dumps({"x": 1}))
    bucket = selectors.get_bucket("photos")
    assert services.write_mode(bucket) == ReplicationMode.QUORUM


def test_a_peer_that_counts_other_members_asks_for_their_majority_too(region, bucket):
    elsewhere = frozenset({"east-2", "east-3", "east-4", "east-5"})

    def confirm(write, peer):
        write.consider([elsewhere])
        write.confirm(peer)

    region.on_push = confirm
    with pytest.raises(WriteIndeterminate):
        put(bucket)
    region.on_push = lambda write, peer: (
        write.consider([elsewhere]) or [write.confirm(name) for name in (peer, "east-4")]
    )
    put(bucket)
