"""Rows that nobody needs go, and rows that somebody may need stay."""

from datetime import timedelta

import pytest

from replication import eviction, forgetting, services, stability, trimming
from replication.models import (
    AppliedActor,
    Delivery,
    DeliveryState,
    DestinationKind,
    Lane,
    Register,
    RegisterRevision,
    ReplicationEventRecord,
    UpkeepCount,
)
from rs3gw.common import clock
from rs3gw.storage import selectors as storage_selectors
from rs3gw.storage.attributes import VersionDot, write
from rs3gw.storage.core.attributes import TAGGING, Attribute
from rs3gw.storage.core.siblings import Stamp
from rs3gw.storage.models import (
    Bucket,
    ClockShard,
    ObjectState,
    ObjectVersion,
    VersionAttribute,
)
from rs3gw.storage.services import shard_of

PEER = 7 << 8
THIRD = 9 << 8
LATER = timedelta(seconds=5)


def tombstones():
    return ObjectVersion.objects.filter(state=ObjectState.TOMBSTONE).count()


def trim():
    return trimming.trim(before=clock.utcnow() + LATER)


def upkeep():
    """Trim the log, then forget; as the worker does."""
    trim()
    return forgetting.forget_tombstones()


def deleted(region, bucket, key="k"):
    region.put(bucket, key)
    region.delete(bucket, key)


def finish_lanes():
    """Let every lane have passed all of the log."""
    positions = dict(ClockShard.objects.values_list("shard", "position"))
    for lane in Lane.objects.all():
        Lane.objects.filter(pk=lane.pk).update(cursor=positions[lane.shard])


def test_a_node_alone_forgets_what_it_deleted(region, bucket):
    deleted(region, bucket)
    assert tombstones() == 1
    assert upkeep() == 1
    assert tombstones() == 0
    assert not ReplicationEventRecord.objects.exists()
    assert UpkeepCount.objects.get(name="tombstones").removed == 1


def test_a_delete_that_is_not_old_enough_is_remembered(region, bucket, settings):
    settings.RS3GW_TOMBSTONE_MIN_AGE_SECONDS = 3600
    deleted(region, bucket)
    assert upkeep() == 0
    assert tombstones() == 1


@pytest.mark.parametrize("liveness", ["alive", "failed"])
def test_a_member_that_has_not_said_so_holds_log_and_delete(region, bucket, liveness):
    region.add("node-2", PEER, liveness=liveness)
    deleted(region, bucket)
    finish_lanes()
    assert upkeep() == 0
    assert ReplicationEventRecord.objects.exists()
    region.say("node-2", frontiers={})
    assert upkeep() == 0
    region.say("node-2")
    assert upkeep() == 1
    assert not ReplicationEventRecord.objects.exists()


def test_the_word_of_a_disk_that_is_gone_does_not_count(region, bucket):
    peer = region.add("node-2", PEER)
    deleted(region, bucket)
    region.say("node-2")
    peer.actor = THIRD
    peer.save()
    assert upkeep() == 0
    assert forgetting.stability.forget_strangers() == 1


def test_nothing_is_forgotten_while_a_node_joins(region, bucket):
    joiner = region.add("node-2", PEER, state="joining", is_member=False)
    deleted(region, bucket)
    assert upkeep() == 0
    assert stability.current().held == "node-2 is joining"
    joiner.delete()
    assert upkeep() == 1


def test_changes_on_their_way_hold_a_delete(region, bucket):
    region.add("node-2", PEER)
    deleted(region, bucket)
    region.say("node-2", frontiers={**_own(), PEER: 4})
    assert upkeep() == 0
    assert "node-2 are on their way" in stability.current().held


def _own():
    return dict(ClockShard.objects.values_list("actor", "seq"))


def test_a_delete_stays_while_what_it_replaced_is_in_a_log(region, bucket):
    region.add("node-2", PEER)
    region.arrive(bucket, "k", PEER, 1)
    region.delete(bucket, "k")
    told = {**_own(), PEER: 1}
    region.say("node-2", frontiers=told)
    assert upkeep() == 0
    region.say("node-2", frontiers=told, settled={PEER: 1})
    assert upkeep() == 1


def test_a_delete_and_the_value_it_beat_go_together_or_not_at_all(region, bucket):
    region.add("node-2", PEER)
    deleted(region, bucket)
    region.arrive(bucket, "k", PEER, 1, ms=clock.now_ms() - 5000)
    told = {**_own(), PEER: 1}
    region.say("node-2", frontiers=told, settled={PEER: 0})
    assert upkeep() == 0
    assert storage_selectors.find_entry(bucket, "k") is None
    region.say("node-2", frontiers=told, settled={PEER: 1})
    assert upkeep() == 2
    assert not ObjectVersion.objects.exists()


def test_a_late_event_of_a_forgotten_delete_changes_nothing(region, bucket):
    region.add("node-2", PEER)
    region.arrive(bucket, "k", PEER, 1)
    region.delete(bucket, "k")
    region.say("node-2", frontiers={**_own(), PEER: 1}, settled={PEER: 1})
    assert upkeep() == 1
    assert region.arrive(bucket, "k", PEER, 1) == "duplicate"
    assert not ObjectVersion.objects.exists()


def test_a_walk_over_more_tombstones_than_a_page_ends(region, bucket, monkeypatch):
    monkeypatch.setattr(forgetting, "BATCH_ROWS", 3)
    for number in range(10):
        deleted(region, bucket, f"k{number}")
    region.put(bucket, "stays")
    assert upkeep() == 10
    assert [v.key for v in ObjectVersion.objects.all()] == ["stays"]


def test_a_walk_that_is_cut_short_goes_on_where_it_stopped(region, bucket, monkeypatch):
    monkeypatch.setattr(forgetting, "BATCH_ROWS", 2)
    monkeypatch.setattr(forgetting, "TOMBSTONES_LOOKED_AT_MAX", 4)
    for number in range(6):
        deleted(region, bucket, f"k{number}")
    assert [upkeep(), upkeep()] == [4, 2]


def test_a_job_may_hold_what_is_forgotten(region, bucket, monkeypatch):
    monkeypatch.setattr(stability, "holds", [lambda: "indexes are compared"])
    deleted(region, bucket)
    assert upkeep() == 0
    assert stability.current().held == "indexes are compared"


def test_an_event_is_kept_for_the_lane_that_has_not_passed_it(region, bucket):
    region.add("node-2", PEER)
    deleted(region, bucket)
    region.say("node-2")
    lane = Lane.objects.create(
        destination_kind=DestinationKind.REGION,
        destination="eu-west-1",
        shard=shard_of(bucket.name, "k"),
    )
    assert upkeep() == 0
    lane.state = "resync"
    lane.save()
    assert upkeep() == 1


def test_changes_of_versions_that_are_gone_go(region, bucket):
    entry = region.put(bucket, "k")
    kept = Attribute(TAGGING, {"a": "1"}, Stamp(1, 1, 1))
    write(VersionDot(entry.actor, entry.seq), kept)
    write(VersionDot(PEER, 5), kept)
    AppliedActor.objects.create(actor=THIRD, frontier=9)
    write(VersionDot(THIRD, 5), kept)
    forgetting.tidy()
    left = set(VersionAttribute.objects.values_list("actor", "seq"))
    assert left == {(entry.actor, entry.seq), (PEER, 5)}


def test_old_values_of_a_register_go(region, bucket, monkeypatch):
    monkeypatch.setattr(forgetting, "REVISIONS_KEPT", 3)
    for number in range(6):
        services.put_bucket_setting(bucket=bucket, name="cors", value=str(number))
    register = Register.objects.get(name="cors")
    forgetting.tidy()
    left = RegisterRevision.objects.filter(register=register).order_by("pk")
    assert [row.value["text"] for row in left] == ["3", "4", "5"]


def test_settled_deliveries_go_and_open_ones_stay(region, bucket):
    region.put(bucket, "k")
    lane = Lane.objects.create(destination_kind=DestinationKind.MEMBER, destination="n", shard=0)
    event = ReplicationEventRecord.objects.order_by("pk").last()
    for state in (DeliveryState.DONE, DeliveryState.PARKED):
        Delivery.objects.all().delete()
        row = Delivery.objects.create(
            lane=lane,
            event=event,
            state=state,
            created_at=clock.utcnow() - LATER,
            settled_at=clock.utcnow() - LATER,
        )
        forgetting.tidy()
        assert Delivery.objects.filter(pk=row.pk).exists() == (state == DeliveryState.PARKED)


def test_a_deleted_bucket_goes_in_two_steps(region, bucket):
    region.add("node-2", PEER)
    deleted(region, bucket)
    services.put_bucket_setting(bucket=bucket, name="cors", value="x")
    region.say("node-2")
    upkeep()
    services.delete_bucket(bucket=bucket)
    region.say("node-2")
    for step in range(3):
        assert Bucket.objects.filter(pk=bucket.pk).exists(), step
        trim()
        region.say("node-2")
        forgetting.tidy()
    assert not Bucket.objects.exists()
    assert not Register.objects.filter(scope__startswith="bucket:").exists()
    again = services.create_bucket(name="photos")
    assert again.incarnation != bucket.incarnation


def test_a_deleted_bucket_stays_while_a_member_lacks_the_delete(region, bucket):
    region.add("node-2", PEER)
    region.say("node-2")
    services.delete_bucket(bucket=bucket)
    for _ in range(4):
        trim()
        forgetting.tidy()
    assert Bucket.objects.filter(pk=bucket.pk).exists()


def test_gaps_of_a_remote_region_close_when_its_node_has_nothing_left(region, bucket):
    region.add("node-2", PEER)
    remote = 11 << 8
    AppliedActor.objects.create(
        actor=remote, frontier=2, islands=[[5, 6], [9, 9]], is_remote=True, settled=8
    )
    region.say("node-2", settled={remote: 7})
    forgetting.tidy()
    row = AppliedActor.objects.get(actor=remote)
    assert (row.frontier, row.islands) == (7, [[9, 9]])


def test_a_skipped_event_is_told_until_the_member_has_closed_the_gap(region, bucket):
    region.add("node-2", PEER)
    region.put(bucket, "k")
    lane = Lane.objects.create(
        destination_kind=DestinationKind.MEMBER, destination="node-2", shard=0
    )
    event = ReplicationEventRecord.objects.order_by("pk").last()
    delivery = Delivery.objects.create(
        lane=lane, event=event, state=DeliveryState.PARKED, created_at=clock.utcnow()
    )
    services.skip_parked([delivery], reason="olga: broken")
    assert eviction.say()["skipped"] == {"node-2": [[event.actor, event.seq, event.seq]]}
    region.say("node-2")
    trim()
    assert "skipped" not in eviction.say()
