"""Versions, delete markers, tags, locks and settings arrive at another node in any order.

A history is made through the front door; its events are then applied to an empty database in
random orders, and the rows must end as they were where the history was made.
"""

import random

import pytest
from django.conf import settings
from django.db import transaction

from replication import outbox, services
from replication.applier import Sender, apply_batch
from replication.core.envelope import Batch
from replication.models import AppliedActor, Register, RegisterRevision, ReplicationEventRecord
from replication.transport import bucket_records
from rs3gw.common import identity
from rs3gw.storage import blobs, selectors
from rs3gw.storage import services as storage
from rs3gw.storage.core.attributes import LEGAL_HOLD, RETENTION, TAGGING, retention_value
from rs3gw.storage.core.objects import ObjectHeaders
from rs3gw.storage.models import Bucket, ObjectVersion, VersionAttribute

UNTIL = "2040-01-01T00:00:00.000Z"


class Rolled(Exception):
    """Ends a transaction that must leave nothing."""


@pytest.fixture
def node(db):
    identity.ensure()
    storage.init_clock()


def put(bucket, key, text, **headers):
    body = blobs.stage([text.encode()])
    entry = services.put_object(bucket=bucket, key=key, body=body, headers=ObjectHeaders(**headers))
    return entry.version_id


def fresh(bucket):
    return selectors.get_bucket(bucket.name)


def history():
    """Make a bucket that has seen everything that can happen to versions."""
    bucket = services.create_bucket(name="photos")
    put(bucket, "old", "before versions")
    put(bucket, "gone", "before versions")
    services.delete_object(bucket=bucket, key="gone")
    services.put_bucket_setting(bucket=bucket, name="versioning", value="Enabled")
    bucket = fresh(bucket)
    first = put(bucket, "k", "one", tags={"a": "1"})
    second = put(bucket, "k", "two")
    put(bucket, "old", "with versions")
    services.delete_object(bucket=bucket, key="k", version_id=second)
    services.delete_object(bucket=bucket, key="k")
    services.delete_object(bucket=bucket, key="old", version_id="null")
    for name, value in (
        (TAGGING, {"a": "2", "b": "3"}),
        (RETENTION, retention_value("GOVERNANCE", UNTIL, {})),
        (LEGAL_HOLD, {"hold": "ON"}),
        (LEGAL_HOLD, {"hold": "OFF"}),
    ):
        services.set_attribute(
            bucket=bucket, key="k", version_id=first, name=name, value=lambda _, v=value: v
        )
    services.put_bucket_setting(bucket=bucket, name="versioning", value="Suspended")
    bucket = fresh(bucket)
    put(bucket, "k", "null again")
    services.delete_object(bucket=bucket, key="k")
    services.put_bucket_setting(bucket=bucket, name="cors", value="<CORSConfiguration/>")


def state():
    bucket = Bucket.objects.get(name="photos")
    versions = ObjectVersion.objects.order_by("key", "version_id", "hlc").values_list(
        "key", "version_id", "state", "is_latest", "actor", "seq", "headers", "tags", "etag"
    )
    shown = selectors.list_versions(bucket=bucket).entries
    return (
        bucket.versioning,
        services.get_bucket_settings(bucket),
        list(versions),
        [(entry.key, entry.version_id, entry.is_latest) for entry in shown],
    )


def arrive(events, records):
    batch = Batch(
        sender_node="other",
        sender_region=settings.RS3GW_REGION,
        cluster_id="test",
        events=tuple(events),
        inline_bodies={},
        bucket_records=records,
    )
    return apply_batch(batch, Sender(node_id="other", region=settings.RS3GW_REGION))


def state_after(events, records):
    """Return what these events leave in an empty node; small bodies are there already."""
    models = (
        ObjectVersion,
        VersionAttribute,
        AppliedActor,
        RegisterRevision,
        Register,
        ReplicationEventRecord,
        Bucket,
    )
    try:
        with transaction.atomic():
            for model in models:
                model.objects.all().delete()
            for event in events:
                (result,) = arrive([event], records)
                assert result.code in {"applied", "superseded"}, result
            found = state()
            raise Rolled
    except Rolled:
        return found


def test_every_order_of_arrival_ends_where_the_history_was_made(node):
    history()
    expected = state()
    assert expected[0] == "Suspended"
    assert [(key, version) for key, version, _ in expected[3]][0] == ("k", "null")
    logged = [
        entry.event
        for shard in range(storage.shard_count())
        for entry in outbox.read_after(shard, 0, 1000)
    ]
    records = bucket_records({event.bucket_incarnation for event in logged})
    logged.sort(key=lambda event: (event.hlc, event.actor))
    assert state_after(logged, records) == expected
    for seed in range(20):
        random.Random(seed).shuffle(logged)
        assert state_after(logged, records) == expected, seed


def test_a_joining_node_copies_versions_and_what_was_changed_of_them(node):
    from replication import backfill

    history()
    expected = state()
    snapshot, page = backfill.control_snapshot(), backfill.encode_page(0)
    try:
        with transaction.atomic():
            for model in (ObjectVersion, VersionAttribute, RegisterRevision, Register, Bucket):
                model.objects.all().delete()
            backfill._apply_snapshot(snapshot)
            backfill.join_page(backfill.decode_batch(page))
            assert state() == expected
            assert VersionAttribute.objects.count() == 3
            raise Rolled
    except Rolled:
        pass
