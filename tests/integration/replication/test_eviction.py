"""Who is away for too long is evicted; what it brings back is judged."""

import json
from datetime import timedelta

import pytest

from cluster import selectors as cluster_selectors
from cluster import transport
from cluster.core.node import Lifecycle
from cluster.models import Node, NodeTransition
from cluster.services import REMOVED_WHILE_AWAY
from replication import eviction, lanes, review, services, stability, trimming
from replication.errors import ControlError
from replication.models import (
    Delivery,
    DeliveryState,
    DestinationKind,
    Eviction,
    Lane,
    LaneState,
    MemberFrontier,
    QuarantinedVersion,
    ReplicationEventRecord,
    SkippedEvent,
)
from rs3gw.common import clock
from rs3gw.storage import collector
from rs3gw.storage import selectors as storage_selectors
from rs3gw.storage.models import ClockShard, KeptBody, ObjectVersion

PEER = 7 << 8
THIRD = 9 << 8


@pytest.fixture
def three(region):
    region.add("node-2", PEER)
    region.add("node-3", THIRD, liveness="failed")
    lanes.ensure_lanes()
    return region


def open_ids():
    cluster_selectors.forget()
    return stability.evicted_ids()


def told(**section):
    base = {"actor": PEER, "incarnation": 3, "frontiers": {str(PEER): 0}, "settled": {}}
    return {**base, **section}


def test_a_member_beyond_a_limit_is_evicted_and_holds_nothing(three, bucket, settings):
    settings.RS3GW_OUTBOX_MAX_EVENTS = 2
    for number in range(3):
        three.put(bucket, f"k{number}")
    three.say("node-2")
    trimming.enforce_limits()
    row = Eviction.objects.get()
    assert (row.node_id, row.decided_by) == ("node-3", three.own.node_id)
    assert "changes wait for it" in row.reason
    assert not Lane.objects.filter(destination="node-3").exists()
    lanes.ensure_lanes()
    assert not Lane.objects.filter(destination="node-3").exists()
    assert stability.current().cut.silent == ()


def test_a_part_without_majority_evicts_nobody(region, bucket, settings):
    region.add("node-2", PEER, liveness="failed")
    region.add("node-3", THIRD, liveness="failed")
    lanes.ensure_lanes()
    settings.RS3GW_OUTBOX_MAX_EVENTS = 1
    for number in range(3):
        region.put(bucket, f"k{number}")
    trimming.enforce_limits()
    assert not Eviction.objects.exists()


def test_a_parked_event_is_no_reason_to_evict(three, bucket, settings):
    settings.RS3GW_OUTBOX_MAX_AGE_SECONDS = 1
    three.put(bucket, "k")
    lane = Lane.objects.filter(destination="node-3").first()
    event = ReplicationEventRecord.objects.order_by("pk").last()
    old = clock.utcnow() - timedelta(seconds=60)
    ReplicationEventRecord.objects.update(created_at=old)
    Delivery.objects.create(
        lane=lane, event=event, state=DeliveryState.PARKED, created_at=old, reason="needs a person"
    )
    three.say("node-2")
    Lane.objects.update(cursor=100)
    trimming.enforce_limits()
    assert not Eviction.objects.exists()


def test_a_member_that_lacks_what_is_trimmed_is_evicted(three, bucket):
    three.put(bucket, "k")
    ReplicationEventRecord.objects.all().delete()
    three.say("node-2")
    three.say("node-3", frontiers={three.own.actor: 1})
    trimming.enforce_limits()
    assert "no longer kept" in Eviction.objects.get(node_id="node-3").reason


def test_an_operator_may_evict_and_hears_why_not(three):
    services.evict_member("node-3", reason="disk on fire", author="olga")
    assert Eviction.objects.get().decided_by == "olga"
    with pytest.raises(ControlError, match="already"):
        services.evict_member("node-3", reason="", author="olga")
    with pytest.raises(ControlError, match="not another member"):
        services.evict_member(three.own.node_id, reason="", author="olga")


def test_what_an_evicted_or_removed_node_sends_is_refused(three):
    assert not stability.is_outdated("node-3")
    services.evict_member("node-3", reason="", author="olga")
    assert stability.is_outdated("node-3")
    Node.objects.filter(node_id="node-2").update(state="left")
    cluster_selectors.forget()
    assert stability.is_outdated("node-2")
    assert not stability.is_outdated("node-9")


def test_an_eviction_spreads_and_ends_when_the_node_has_joined_again(three):
    eviction.hear("node-2", told(evicted={"node-3": [5, "away"]}))
    assert open_ids() == {"node-3"}
    assert eviction.say()["evicted"] == {"node-3": [5, "away"]}
    eviction.hear("node-3", told(actor=THIRD, rejoined=4))
    assert open_ids() == {"node-3"}
    eviction.hear("node-3", told(actor=THIRD, rejoined=6))
    assert open_ids() == set()
    assert Lane.objects.filter(destination="node-3").exists()
    eviction.hear("node-2", told(evicted={"node-3": [5, "away"]}))
    assert open_ids() == set()


def test_an_eviction_ends_with_a_new_disk_or_when_the_node_left(three):
    for field, value in (("actor", 13 << 8), ("state", "left")):
        Eviction.objects.all().delete()
        services.evict_member("node-3", reason="", author="olga")
        Node.objects.filter(node_id="node-3").update(**{field: value})
        cluster_selectors.forget()
        eviction.end_settled()
        assert open_ids() == set()


@pytest.mark.parametrize(
    "section", [None, [], {"evicted": 3}, told(frontiers=[1]), told(skipped={"": [[1, 2]]})]
)
def test_what_has_another_form_is_ignored(three, section):
    eviction.hear("node-2", section)
    assert not MemberFrontier.objects.exists()
    assert not Eviction.objects.exists()


def test_a_word_is_stored_when_it_changed_and_not_too_often(three, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    stability.forget_told("node-2")
    eviction.hear("node-2", told())
    first = MemberFrontier.objects.get(node_id="node-2")
    now[0] += 1
    eviction.hear("node-2", told(settled={str(PEER): 1}))
    assert MemberFrontier.objects.get(pk=first.pk).settled == {}
    now[0] += 2
    eviction.hear("node-2", told(settled={str(PEER): 1}))
    assert MemberFrontier.objects.get(pk=first.pk).settled == {str(PEER): 1}
    eviction.hear("node-2", told(actor=THIRD))
    assert MemberFrontier.objects.count() == 1


def test_a_gap_of_ones_own_log_may_be_told_closed(three):
    eviction.hear("node-2", told(skipped={three.own.node_id: [[PEER, 1, 3]], "": [[THIRD, 1, 3]]}))
    assert stability.own_told().frontiers[PEER] == 3
    assert THIRD not in stability.own_told().frontiers


def test_a_region_beyond_its_limit_holds_the_log_no_longer(three, bucket, settings):
    settings.RS3GW_REGION_OUTBOX_MAX_EVENTS = 1
    lane = Lane.objects.create(
        destination_kind=DestinationKind.REGION, destination="eu-west-1", shard=0
    )
    for number in range(5):
        three.put(bucket, f"k{number}")
    trimming.enforce_limits()
    states = Lane.objects.filter(destination="eu-west-1").values_list("state", flat=True)
    assert LaneState.RESYNC in states
    lane.refresh_from_db()
    lane.state = LaneState.RESYNC
    services.resume_lane(lane)
    assert Lane.objects.get(pk=lane.pk).cursor == 0


# --- the evicted node's own side -------------------------------------------------------------


def hear_of_own_eviction(three):
    eviction.hear("node-2", told(evicted={three.own.node_id: [3, "away for a week"]}))
    cluster_selectors.forget()


def test_a_node_that_hears_of_its_eviction_joins_again_once(three):
    hear_of_own_eviction(three)
    own = cluster_selectors.read().own
    assert (own.lifecycle, own.is_member) == (Lifecycle.STARTING, False)
    assert stability.is_rejoining()
    assert not lanes.due_lane_ids()
    Eviction.objects.update(ended_at=clock.utcnow())
    Node.objects.filter(is_self=True).update(state="active", is_member=True)
    cluster_selectors.forget()
    assert eviction.say()["rejoined"] == 3
    hear_of_own_eviction(three)
    assert not stability.is_rejoining()


def test_a_node_that_was_removed_while_away_joins_guarded(three):
    own = Node.objects.get(is_self=True)
    Node.objects.filter(pk=own.pk).update(is_member=False, state="starting")
    NodeTransition.objects.create(
        node=own,
        new="starting",
        incarnation=4,
        reason=REMOVED_WHILE_AWAY,
        created_at=clock.utcnow(),
    )
    cluster_selectors.forget()
    eviction.note_removal(own.node_id)
    assert stability.own_notice().reason == REMOVED_WHILE_AWAY


class Member:
    """A member that knows some of the values it is asked about."""

    def __init__(self, monkeypatch):
        self.known = {}
        monkeypatch.setattr(transport.PeerClient, "request", self._request)

    def _request(self, method, path, *, body=b"", **_):
        assert (method, path) == ("POST", review.KNOWN_PATH)
        keys = [key for _, key, *_ in json.loads(body)["keys"]]
        answers = [self.known.get(key, []) for key in keys]
        return transport.PeerResponse(200, {}, json.dumps({"known": answers}).encode())


@pytest.fixture
def member(monkeypatch):
    return Member(monkeypatch)


def reviewed(three):
    hear_of_own_eviction(three)
    return review.review(cluster_selectors.member("node-2"))


def shown(bucket):
    return sorted(
        key
        for key in ObjectVersion.objects.values_list("key", flat=True).distinct()
        if storage_selectors.find_entry(bucket, key) is not None
    )


def test_what_nobody_knows_waits_in_quarantine_and_is_not_sent(three, bucket, member):
    for key in ("unknown", "replaced", "there", "wins"):
        three.put(bucket, key)
    member.known = {
        "replaced": ["version", "applied"],
        "there": ["row", "version", "applied"],
        "wins": ["version"],
    }
    assert reviewed(three) == 1
    assert shown(bucket) == ["there", "wins"]
    assert [row.key for row in QuarantinedVersion.objects.all()] == ["unknown"]
    kinds = ReplicationEventRecord.objects.values_list("kind", "key")
    assert list(kinds.filter(key__gt="")) == [("put_object", "there"), ("put_object", "wins")]
    assert not stability.is_rejoining()
    assert sum(row.high - row.low + 1 for row in SkippedEvent.objects.all()) == 4


def test_what_was_written_after_the_notice_is_left_alone(three, bucket, member):
    hear_of_own_eviction(three)
    three.put(bucket, "new")
    assert review.review(cluster_selectors.member("node-2")) == 0
    assert shown(bucket) == ["new"]
    assert ReplicationEventRecord.objects.filter(key="new").exists()
    assert not SkippedEvent.objects.filter(actor__in=ClockShard.objects.values("actor")).filter(
        high__gte=ReplicationEventRecord.objects.get(key="new").seq
    )


def test_a_node_that_was_not_evicted_reviews_nothing(three, bucket, member):
    three.put(bucket, "k")
    assert review.review(cluster_selectors.member("node-2")) == 0
    assert shown(bucket) == ["k"]


def test_a_quarantined_object_is_written_again(three, bucket, member):
    three.put(bucket, "k", "text")
    reviewed(three)
    row = QuarantinedVersion.objects.get()
    services.accept_quarantined(row, author="olga")
    entry = storage_selectors.find_entry(bucket, "k")
    assert (entry.size_bytes, entry.seq > row.seq) == (4, True)
    assert ReplicationEventRecord.objects.filter(key="k").count() == 1
    assert not KeptBody.objects.exists()
    with pytest.raises(ControlError, match="decided already"):
        services.accept_quarantined(row, author="olga")


def test_a_quarantined_object_replaces_nothing(three, bucket, member):
    three.put(bucket, "k")
    reviewed(three)
    three.put(bucket, "k", "newer")
    row = QuarantinedVersion.objects.get()
    with pytest.raises(ControlError, match="exists by now"):
        services.accept_quarantined(row, author="olga")
    services.discard_quarantined(row, author="olga")
    row.refresh_from_db()
    assert (row.outcome, row.decided_by) == ("discarded", "olga")


def test_the_body_of_a_quarantined_object_is_kept_until_it_is_discarded(three, bucket, member):
    entry = three.put(bucket, "k", "text")
    reviewed(three)
    later = clock.now() + 10
    assert collector.collect(now=later, grace_seconds=0) == 0
    assert collector.is_named(entry.sha256)
    services.discard_quarantined(QuarantinedVersion.objects.get(), author="olga")
    assert collector.collect(now=later, grace_seconds=0) == 1


def test_a_member_says_what_it_knows_of_a_value(three, bucket):
    services.evict_member("node-2", reason="", author="olga")
    kept = three.put(bucket, "kept")
    gone = three.put(bucket, "gone")
    three.delete(bucket, "gone")
    incarnation = str(bucket.incarnation)
    asked = [
        [incarnation, "kept", "null", kept.actor, kept.seq],
        [incarnation, "gone", "null", gone.actor, gone.seq],
        [incarnation, "never", "null", PEER, 5],
        ["00000000-0000-0000-0000-000000000000", "kept", "null", PEER, 5],
    ]
    assert review.what_is_known(asked) == [
        ["row", "version", "applied", "sends"],
        ["version", "applied", "sends"],
        ["refuses"],
        ["refuses"],
    ]
