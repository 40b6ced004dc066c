"""What an operator does in the admin, and what the services make of it."""

import pytest
from django.urls import reverse

from replication import services as replication
from replication.errors import WriteIndeterminate, WriteRefused
from replication.models import (
    BucketReplicationConfig,
    DeliveryState,
    Lane,
    RegisterRevision,
    ReplicationEventRecord,
    ReplicationRegion,
)
from rs3gw.common import secretbox
from rs3gw.s3 import services as s3
from rs3gw.s3.models import AccessKey
from rs3gw.storage.models import Bucket, BucketState

REGION = {
    "name": "eu-west-1",
    "label": "Dublin",
    "endpoints": "10.0.0.5:9001\r\nhttp://10.0.0.6:9001\r\n",
    "pairing_key": "",
    "priority": "1",
    "is_enabled": "on",
}


def add(console, model, **fields):
    return console.post(reverse(f"admin:{model}_add"), fields)


def act(console, model, action, *rows, **more):
    data = {"action": action, "_selected_action": [row.pk for row in rows], **more}
    return console.post(reverse(f"admin:{model}_changelist"), data, follow=True)


def test_a_bucket_is_created_with_its_event(console):
    answer = add(console, "storage_bucket", name="photos", owner="olga")

    bucket = Bucket.objects.get(name="photos")
    assert answer.status_code == 302
    assert bucket.owner == "olga"
    assert ReplicationEventRecord.objects.get(bucket="photos").kind == "create_bucket"
    page = console.get(reverse("admin:storage_bucket_change", args=[bucket.pk]))
    assert "photos" in page.content.decode()


@pytest.mark.parametrize("name", ["UPPER", "ab", "admin", "10.0.0.1", "a..b", "-abc"])
def test_a_bad_bucket_name_is_refused_on_the_form(console, name):
    answer = add(console, "storage_bucket", name=name, owner="root")

    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert not Bucket.objects.exists()


def test_a_taken_bucket_name_is_told_on_the_form(console, bucket):
    answer = add(console, "storage_bucket", name="photos", owner="other")

    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert Bucket.objects.count() == 1


def test_a_refused_write_is_told_on_the_form(console, monkeypatch):
    def refuse(**_):
        raise WriteRefused

    monkeypatch.setattr(replication, "create_bucket", refuse)
    answer = add(console, "storage_bucket", name="photos", owner="root")

    assert answer.status_code == 200
    assert "Too few nodes" in answer.content.decode()


def test_an_indeterminate_write_is_told_and_the_bucket_shown(console, monkeypatch):
    create = replication.create_bucket

    def create_slowly(**fields):
        create(**fields)
        raise WriteIndeterminate(version_id="null", acked=1, needed=2)

    monkeypatch.setattr(replication, "create_bucket", create_slowly)
    answer = console.post(
        reverse("admin:storage_bucket_add"), {"name": "photos", "owner": "root"}, follow=True
    )

    assert "1 of the 2 nodes" in answer.content.decode()
    assert Bucket.objects.filter(name="photos").exists()


def test_an_empty_bucket_is_deleted_through_its_service(console, bucket):
    url = reverse("admin:storage_bucket_delete", args=[bucket.pk])
    asked = console.get(url).content.decode()
    answer = console.post(url, {"post": "yes"}, follow=True)

    assert "on every node of us-east-1" in asked
    assert "deleted successfully" in answer.content.decode()
    bucket.refresh_from_db()
    assert bucket.state == BucketState.DELETED
    assert ReplicationEventRecord.objects.filter(kind="delete_bucket").exists()


def test_a_full_bucket_stays_and_the_reason_is_told(console, bucket, put_object):
    put_object(bucket, "a.txt")
    url = reverse("admin:storage_bucket_delete", args=[bucket.pk])
    answer = console.post(url, {"post": "yes"}, follow=True)

    assert "still holds objects" in answer.content.decode()
    bucket.refresh_from_db()
    assert bucket.state == BucketState.LIVE


def test_a_new_region_shows_its_pairing_key_once(console):
    answer = add(console, "replication_replicationregion", **REGION)

    region = ReplicationRegion.objects.get()
    key = secretbox.unseal(region.sealed_pairing_key, purpose="pairing").decode()
    assert answer.status_code == 200
    assert key in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert region.endpoints == ["10.0.0.5:9001", "http://10.0.0.6:9001"]
    change = reverse("admin:replication_replicationregion_change", args=[region.pk])
    assert key not in console.get(change).content.decode()


def test_a_pasted_pairing_key_is_kept_and_not_shown(console):
    answer = add(console, "replication_replicationregion", **{**REGION, "pairing_key": "x" * 40})

    region = ReplicationRegion.objects.get()
    assert answer.status_code == 302
    assert secretbox.unseal(region.sealed_pairing_key, purpose="pairing") == b"x" * 40


def test_an_edit_without_a_key_keeps_the_key(console, region):
    change = reverse("admin:replication_replicationregion_change", args=[region.pk])
    answer = console.post(change, {**REGION, "label": "Cork", "is_enabled": ""})

    region.refresh_from_db()
    assert answer.status_code == 302
    assert region.label == "Cork"
    assert not region.is_enabled
    assert secretbox.unseal(region.sealed_pairing_key, purpose="pairing") == b"p" * 40


@pytest.mark.parametrize(
    "fields",
    [
        {"endpoints": "nonsense"},
        {"endpoints": ""},
        {"name": "us-east-1"},
        {"name": "Not A Name"},
        {"pairing_key": "short"},
    ],
)
def test_a_region_that_cannot_work_is_refused_on_the_form(console, fields):
    answer = add(console, "replication_replicationregion", **{**REGION, **fields})

    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert not ReplicationRegion.objects.exists()


def test_a_rule_is_made_changed_and_deleted(console, bucket, region):
    fields = {
        "name": "photos-out",
        "bucket": "photos",
        "region": region.pk,
        "priority": 1,
        "is_enabled": "on",
        "compression": "on",
    }
    add(console, "replication_bucketreplicationconfig", **fields)
    rule = BucketReplicationConfig.objects.get()
    change = reverse("admin:replication_bucketreplicationconfig_change", args=[rule.pk])
    console.post(change, {**fields, "compression": ""})
    rule.refresh_from_db()

    assert rule.bucket == "photos"
    assert not rule.compression
    authors = RegisterRevision.objects.filter(register__scope="rule").values_list(
        "author", flat=True
    )
    assert set(authors) == {"olga"}
    delete = reverse("admin:replication_bucketreplicationconfig_delete", args=[rule.pk])
    console.post(delete, {"post": "yes"})
    assert not BucketReplicationConfig.objects.exists()


def test_a_region_with_a_rule_cannot_be_deleted(console, bucket, region):
    replication.save_rule(name="photos-out", bucket="photos", region=region, author="olga")
    url = reverse("admin:replication_replicationregion_delete", args=[region.pk])
    answer = console.post(url, {"post": "yes"}, follow=True)

    assert "photos-out" in answer.content.decode()
    assert ReplicationRegion.objects.filter(pk=region.pk).exists()


def test_the_history_of_a_region_says_who_changed_it(console, region):
    history = reverse("admin:replication_replicationregion_history", args=[region.pk])
    page = console.get(history, follow=True).content.decode()

    assert "olga" in page
    assert "(sealed)" in page
    assert "v1." not in page


def test_an_access_key_shows_its_secret_once(console):
    s3.create_user(user_id="olga")
    answer = add(console, "s3_accesskey", name="backup", user="olga")

    key = AccessKey.objects.get()
    secret = secretbox.unseal(key.sealed_secret, purpose="access-key").decode()
    page = answer.content.decode()
    assert key.access_key_id in page
    assert secret in page
    assert key.owner == "olga"
    detail = console.get(reverse("admin:s3_accesskey_change", args=[key.pk])).content.decode()
    assert secret not in detail
    assert key.sealed_secret not in detail


def test_access_keys_are_disabled_enabled_and_deleted(console):
    add(console, "s3_accesskey", name="backup", user="root")
    key = AccessKey.objects.get()
    act(console, "s3_accesskey", "disable", key)
    key.refresh_from_db()
    assert not key.is_enabled
    act(console, "s3_accesskey", "enable", key)
    key.refresh_from_db()
    assert key.is_enabled
    console.post(reverse("admin:s3_accesskey_delete", args=[key.pk]), {"post": "yes"})
    assert not AccessKey.objects.exists()


def test_lanes_are_paused_and_resumed_in_the_list(console, lane):
    act(console, "replication_lane", "pause", lane)
    lane.refresh_from_db()
    assert lane.state == "paused"
    Lane.objects.update(attempts=4, last_error="refused")
    act(console, "replication_lane", "resume", lane)
    lane.refresh_from_db()
    assert (lane.state, lane.attempts) == ("running", 0)


def test_a_link_is_paused_and_resumed_on_the_overview(console, lane):
    for action, state in (("pause", "paused"), ("resume", "running"), ("retry", "running")):
        answer = console.post(
            reverse("admin:link", args=[action]), {"link": "member:node-2"}, follow=True
        )
        lane.refresh_from_db()
        assert lane.state == state
        assert "node-2" in answer.content.decode()


def test_an_unknown_link_is_told(console):
    answer = console.post(reverse("admin:link", args=["pause"]), {"link": "x:y"}, follow=True)

    assert "no such link" in answer.content.decode()


def test_parked_deliveries_are_retried_and_skipped_with_a_reason(console, make_events, park):
    first, second, third = park(make_events(3))
    act(console, "replication_delivery", "retry", first)
    act(console, "replication_delivery", "skip", second, reason="copied by hand")
    console.post(reverse("admin:parked", args=["retry"]), {"delivery": "all"})
    for row in (first, second, third):
        row.refresh_from_db()

    assert first.state == DeliveryState.RETRY
    assert second.state == DeliveryState.SKIPPED
    assert second.reason == "olga: copied by hand"
    assert third.state == DeliveryState.RETRY


def test_changes_by_a_link_in_a_foreign_page_are_refused(operator, lane):
    from django.test import Client

    stranger = Client(enforce_csrf_checks=True)
    stranger.force_login(operator)
    answer = stranger.post(reverse("admin:link", args=["pause"]), {"link": "member:node-2"})

    assert answer.status_code == 403


def test_the_consistency_of_a_bucket_is_changed_on_its_page(console, bucket):
    url = reverse("admin:storage_bucket_change", args=[bucket.pk])
    assert b"Writes are confirmed by" in console.get(url).content
    form = {"write": "sync", "read": "quorum", "degrade_after_seconds": 60}
    answer = console.post(url, form, follow=True)
    assert answer.status_code == 200
    known = replication.get_consistency(Bucket.objects.get(pk=bucket.pk))
    assert (known.write, known.read, known.degrade_after_seconds) == ("sync", "quorum", 60)
    refused = console.post(url, {**form, "write": "quorum"})
    assert b"needs the write mode sync" in refused.content
