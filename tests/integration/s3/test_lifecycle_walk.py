"""Lifecycle rules carried out on the database of one node."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings

from cluster import conf as cluster_conf
from cluster import selectors as cluster_selectors
from replication import services
from replication.errors import WriteRefused
from rs3gw.common import clock
from rs3gw.s3 import lifecycle, tasks
from rs3gw.s3.core.lifecycle import (
    Expiration,
    LifecycleFilter,
    LifecycleRule,
    NoncurrentExpiration,
    Transition,
)
from rs3gw.s3.core.lifecycle_writer import to_json
from rs3gw.s3.lifecycle import Position, Walk, parts_of
from rs3gw.storage import blobs, selectors
from rs3gw.storage import services as storage
from rs3gw.storage.core.objects import Entry, ObjectHeaders
from rs3gw.storage.models import MultipartUpload

EXPIRES = LifecycleRule(rule_id="e", filter=LifecycleFilter(), expiration=Expiration(days=1))
ABORTS = LifecycleRule(rule_id="a", filter=LifecycleFilter(), abort_days=1)
TIDIES = LifecycleRule(
    rule_id="t",
    filter=LifecycleFilter(),
    expiration=Expiration(expired_delete_marker=True),
    noncurrent_expiration=NoncurrentExpiration(days=1),
)


@pytest.fixture(autouse=True)
def _node(db):
    storage.init_clock()
    yield
    lifecycle._position_path().unlink(missing_ok=True)


def make(name, *rules, versioning=""):
    bucket = services.create_bucket(name=name)
    if versioning:
        services.put_bucket_setting(bucket=bucket, name="versioning", value=versioning)
    text = json.dumps({"rules": to_json(rules), "minimum": ""})
    services.put_bucket_setting(bucket=bucket, name="lifecycle", value=text)
    return selectors.get_bucket(name)


def put(bucket, key, **headers):
    body = blobs.stage([b"data"])
    return services.put_object(bucket=bucket, key=key, body=body, headers=ObjectHeaders(**headers))


def walk(start=None, *, days=2.0, is_acting=True, **more):
    now = clock.utcnow() + timedelta(seconds=10 * days)
    walked = Walk(now=now, day_seconds=10, start=start or Position(), **more)
    walked.run(is_acting=is_acting)
    return walked.position


def keys(bucket):
    return [entry.key for entry in selectors.list_keys(bucket=bucket).entries]


def versions(bucket):
    found = selectors.list_versions(bucket=bucket).entries
    return [(entry.key, entry.version_id, entry.is_delete_marker) for entry in found]


def test_objects_expire_when_they_are_due_and_not_before():
    bucket = make("photos", EXPIRES)
    other = make("other")
    for held in (bucket, other):
        put(held, "a")
    assert walk(days=0.5) == Position()
    assert keys(bucket) == ["a"]
    walk(days=1.5)
    assert keys(bucket) == []
    assert keys(other) == ["a"]


def test_a_run_does_nothing_twice():
    bucket = make("photos", EXPIRES, versioning="Enabled")
    put(bucket, "a")
    walk()
    after = versions(bucket)
    assert [is_marker for _, _, is_marker in after] == [True, False]
    walk()
    assert versions(bucket) == after


def test_replaced_versions_and_then_their_marker_are_deleted():
    bucket = make("photos", TIDIES, versioning="Enabled")
    for _ in range(3):
        put(bucket, "a")
    services.delete_object(bucket=bucket, key="a")
    put(bucket, "b")
    walk(days=0.5)
    assert len(versions(bucket)) == 5
    walk()
    assert [(key, is_marker) for key, _, is_marker in versions(bucket)] == [
        ("a", True),
        ("b", False),
    ]
    walk()
    assert [key for key, _, _ in versions(bucket)] == ["b"]


def test_locked_versions_stay():
    bucket = make("photos", TIDIES, versioning="Enabled")
    until = "2999-01-01T00:00:00.000Z"
    held = put(bucket, "a", lock={"hold": "ON"}).version_id
    retained = put(bucket, "a", lock={"mode": "GOVERNANCE", "until": until}).version_id
    put(bucket, "a")
    current = put(bucket, "a").version_id
    walk()
    assert [version_id for _, version_id, _ in versions(bucket)] == [current, retained, held]


def test_a_run_stops_after_its_share_and_the_next_one_goes_on():
    first, second = make("bucket-1", EXPIRES), make("bucket-2", EXPIRES)
    for bucket in (first, second):
        for key in ("a", "b", "c"):
            put(bucket, key)
    position = walk(keys_max=2)
    assert position == Position("bucket-1", "b")
    assert keys(first) == ["c"]
    position = walk(position, keys_max=2)
    assert position == Position("bucket-2", "a")
    assert (keys(first), keys(second)) == ([], ["b", "c"])
    assert walk(position, keys_max=2) == Position()
    assert keys(second) == []


def test_a_run_ends_when_it_is_late():
    bucket = make("photos", EXPIRES)
    put(bucket, "a")
    assert walk(is_late=lambda: True) == Position("photos")
    assert keys(bucket) == ["a"]


def test_rules_wait_while_writes_are_refused(monkeypatch):
    bucket = make("photos", EXPIRES)
    put(bucket, "a")

    def refuse(_bucket):
        raise WriteRefused

    monkeypatch.setattr(services, "preflight", refuse)
    assert walk() == Position("photos")
    assert keys(bucket) == ["a"]


def test_an_object_that_was_written_meanwhile_stays(monkeypatch):
    bucket = make("photos", EXPIRES)
    put(bucket, "a")
    renewed = []
    monkeypatch.setattr(services, "preflight", lambda _: renewed.append(put(bucket, "a")))
    walk()
    assert [entry.seq for entry in selectors.list_keys(bucket=bucket).entries] == [renewed[0].seq]


def upload(bucket, key):
    return services.create_upload(
        bucket=bucket, new=services.NewUpload(key=key, headers=ObjectHeaders())
    )


def test_every_node_aborts_its_own_old_uploads():
    bucket = make("photos", ABORTS, EXPIRES)
    put(bucket, "a")
    upload(bucket, "u")
    walk(days=0.5, is_acting=False)
    assert MultipartUpload.objects.count() == 1
    walk(is_acting=False)
    assert MultipartUpload.objects.count() == 0
    assert keys(bucket) == ["a"]


@pytest.mark.parametrize(
    ("reachable", "is_acting"), [(["node-1", "node-2"], True), (["node-0", "node-1"], False),
                                 (["node-2"], False), ([], False)]
)  # fmt: skip
def test_the_first_reachable_member_acts(monkeypatch, reachable, is_acting):
    class Member:
        def __init__(self, node_id):
            self.node_id = node_id

    monkeypatch.setattr(cluster_conf, "is_enabled", lambda: True)
    monkeypatch.setattr(cluster_selectors, "self_info", lambda: Member("node-1"))
    monkeypatch.setattr(cluster_selectors, "routable", lambda: [Member(n) for n in reachable])
    assert lifecycle.is_acting() == is_acting


def test_a_node_without_a_cluster_acts():
    assert lifecycle.is_acting()


def test_the_task_runs_and_notes_where_it_stopped(monkeypatch):
    monkeypatch.setattr(settings, "RS3GW_LIFECYCLE_DAY_SECONDS", 0)
    monkeypatch.setattr(lifecycle, "SECONDS_A_RUN_MAX", -1.0)
    bucket = make("photos", EXPIRES)
    put(bucket, "a")
    tasks.expire_objects()
    assert lifecycle._load() == Position("photos")
    assert keys(bucket) == ["a"]
    monkeypatch.setattr(lifecycle, "SECONDS_A_RUN_MAX", 60.0)
    tasks.expire_objects()
    assert lifecycle._load() == Position()
    assert keys(bucket) == []


def test_a_torn_note_begins_the_walk_again():
    lifecycle._position_path().write_text('{"bucket": "pho')
    assert lifecycle._load() == Position()


START = datetime(2026, 1, 1, tzinfo=UTC)


def entry(key, number, *, is_latest):
    return Entry(
        bucket_id=1,
        key=key,
        version_id=str(number),
        actor=1,
        seq=number,
        hlc=number,
        is_latest=is_latest,
        last_modified=START + timedelta(seconds=number),
    )


def test_replaced_versions_are_shown_in_their_class(monkeypatch):
    monkeypatch.setattr(settings, "RS3GW_LIFECYCLE_DAY_SECONDS", 1e-9)
    step = Transition(storage_class="GLACIER", days=1, newer_versions=1)
    rule = LifecycleRule(rule_id="t", filter=LifecycleFilter(), noncurrent_transitions=(step,))
    bucket = make("photos", rule, versioning="Enabled")
    for _ in range(3):
        put(bucket, "a")
    found = selectors.list_versions(bucket=bucket).entries
    shown = lifecycle.labelled(bucket, found)
    classes = [entry.headers.storage_class for entry in shown]
    assert classes == ["STANDARD", "STANDARD", "GLACIER"]
    assert lifecycle.labelled(make("other", EXPIRES), found) is found


def test_versions_are_parted_by_key_and_by_number():
    entries = [
        entry("a", 9, is_latest=True),
        *(entry("b", number, is_latest=number == 5) for number in (5, 4, 3, 2, 1)),
        entry("c", 8, is_latest=False),
    ]
    parts = list(parts_of(iter(entries), now=START, versions_max=2))
    assert [
        (
            "".join(found.version_id for found in part.facts),
            part.newer_noncurrent,
            part.is_first,
            part.is_last,
        )
        for part in parts
    ] == [
        ("9", 0, True, True),
        ("54", 0, True, False),
        ("32", 1, False, False),
        ("1", 3, False, True),
        ("8", 0, True, True),
    ]
    replaced = [
        found.became_noncurrent_at and found.became_noncurrent_at.second
        for part in parts
        for found in part.facts
    ]
    assert replaced == [None, None, 5, 4, 3, 2, None]
