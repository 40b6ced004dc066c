"""Admin pages with nothing to show and with much, for those who may and those who may not."""

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cluster import selectors as cluster_selectors
from replication import services as replication
from replication.models import Lane

OURS = {"storage", "cluster", "replication", "s3"}
LISTS = sorted(
    f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
    for model in admin.site._registry
)
ADD_FORMS = [
    "admin:storage_bucket_add",
    "admin:replication_replicationregion_add",
    "admin:replication_bucketreplicationconfig_add",
    "admin:s3_accesskey_add",
    "admin:s3_s3user_add",
    "admin:auth_user_add",
]
RECORDS = [
    "replication_replicationeventrecord",
    "replication_delivery",
    "replication_registerrevision",
    "replication_lane",
    "storage_objectversion",
]


def queries_of(client, url):
    with CaptureQueriesContext(
        connection,
    ) as captured:
        answer = client.get(url)
    assert answer.status_code == 200
    return len(captured)


def test_every_model_an_operator_works_with_has_a_page():
    names = {model._meta.label for model in admin.site._registry}

    assert names >= {
        "replication.ReplicationRegion",
        "cluster.Node",
        "storage.Bucket",
        "storage.ObjectVersion",
        "replication.BucketReplicationConfig",
        "replication.ReplicationEventRecord",
        "replication.Lane",
        "replication.Delivery",
        "replication.RegisterRevision",
        "s3.AccessKey",
        "s3.S3User",
    }
    assert "authtoken.TokenProxy" not in names


@pytest.mark.parametrize("name", [*LISTS, *ADD_FORMS, "admin:index"])
def test_a_page_renders_on_an_empty_node(console, name):
    answer = console.get(reverse(name))

    assert answer.status_code == 200
    page = answer.content.decode()
    assert "node-1" in page
    assert "us-east-1" in page
    assert "<style" not in page
    assert " style=" not in page
    assert "<script>" not in page
    assert "onclick" not in page


@pytest.mark.parametrize("name", ["admin:index", "admin:live", *LISTS])
def test_a_page_asks_for_a_login(client, node, name):
    answer = client.get(reverse(name))

    assert answer.status_code == 302
    assert "/admin/login/" in answer["Location"]


def test_the_policy_of_every_page_forbids_foreign_and_inline_scripts(console):
    policy = console.get(reverse("admin:index"))["Content-Security-Policy"]

    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    "name",
    [
        "admin:index",
        "admin:live",
        "admin:replication_replicationeventrecord_changelist",
        "admin:replication_delivery_changelist",
        "admin:replication_lane_changelist",
        "admin:replication_registerrevision_changelist",
    ],
)
def test_the_number_of_queries_does_not_grow_with_the_rows(
    console, make_events, park, region, name, monkeypatch
):
    # A slow machine would read the membership again in one of the two.
    monkeypatch.setattr(cluster_selectors, "SNAPSHOT_SECONDS", 3600)
    url = reverse(name)
    park(make_events(1))
    queries_of(console, url)
    few = queries_of(console, url)
    park(make_events(40, start=5000))
    for shard in range(1, 20):
        Lane.objects.create(destination_kind="member", destination=f"node-{shard}", shard=shard)
    for number in range(5):
        replication.save_region(
            name=f"region-{number}", endpoints=["10.0.0.9:9001"], pairing_key="k" * 40
        )

    many = queries_of(console, url)

    assert many <= few
    assert many <= 25


def test_a_huge_list_is_counted_only_so_far(console, make_events, monkeypatch):
    monkeypatch.setattr("rs3gw.common.admin.COUNT_MAX", 20)
    make_events(60)

    page = console.get(reverse("admin:replication_replicationeventrecord_changelist"))

    assert "More than 20 events" in " ".join(page.content.decode().split())


@pytest.mark.parametrize("name", RECORDS)
def test_records_cannot_be_added_or_deleted(console, make_events, park, name):
    park(make_events(1))

    assert console.get(reverse(f"admin:{name}_add")).status_code == 403
    assert console.post(reverse(f"admin:{name}_delete", args=[1])).status_code in {302, 403}


def test_an_event_says_where_it_is(console, make_events, park, lane):
    event, waiting = make_events(2)
    park([event])
    url = reverse("admin:replication_replicationeventrecord_change", args=[event.pk])
    page = console.get(url).content.decode()

    assert "AccessDenied" in page
    assert "Parked" in page
    url = reverse("admin:replication_replicationeventrecord_change", args=[waiting.pk])
    assert "Waiting" in console.get(url).content.decode()


def test_hostile_text_is_shown_as_text(console, make_events, park):
    evil = "<img src=x onerror=alert(1)>"
    events = make_events(1, key=evil)
    park(events, reason=evil)
    for name in (
        "admin:index",
        "admin:replication_delivery_changelist",
        "admin:replication_replicationeventrecord_changelist",
    ):
        page = console.get(reverse(name)).content.decode()

        assert evil not in page
        assert "&lt;img" in page
    fragment = console.get(reverse("admin:live")).json()["fragments"]["parked"]
    assert evil not in fragment


def test_lists_can_be_searched_and_filtered(console, make_events, park, lane, bucket):
    event = make_events(1)[0]
    park([event])
    looks = [
        ("admin:replication_replicationeventrecord_changelist", f"q={event.key}", "1 event"),
        ("admin:replication_delivery_changelist", "state__exact=parked", "1 delivery"),
        ("admin:replication_delivery_changelist", "state__exact=done", "0 deliveries"),
        ("admin:replication_lane_changelist", "q=node-2", "1 lane"),
        ("admin:storage_bucket_changelist", "q=phot", "1 bucket"),
        ("admin:storage_bucket_changelist", "state=deleted", "0 buckets"),
        ("admin:storage_objectversion_changelist", "q=a/", "0 objects"),
    ]
    for name, query, expected in looks:
        page = " ".join(console.get(f"{reverse(name)}?{query}").content.decode().split())
        assert expected in page, (name, query)


def test_a_viewer_can_look_but_not_act(client, node, lane, make_events, park):
    viewer = get_user_model().objects.create_user("vera", password="look only 42", is_staff=True)
    client.force_login(viewer)
    delivery = park(make_events(1))[0]

    page = client.get(reverse("admin:index")).content.decode()
    paused = client.post(reverse("admin:link", args=["pause"]), {"link": "member:node-2"})
    skipped = client.post(reverse("admin:parked", args=["skip"]), {"delivery": delivery.pk})

    assert "Pause" not in page
    assert paused.status_code == 403
    assert skipped.status_code == 403
    lane.refresh_from_db()
    assert lane.state == "running"
