"""Buckets end the same on every node, whatever order their events arrive in."""

import itertools

import pytest
from django.db import transaction

from replication import bucket_state
from replication.core.events import EventKind, ReplicationEvent
from replication.entries import event_entry
from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage import services
from rs3gw.storage.core.siblings import Stamp
from rs3gw.storage.models import Bucket, ObjectVersion
from rs3gw.storage.selectors import SERVED_STATES

LOW = "00000000-0000-4000-8000-000000000001"
HIGH = "ffffffff-0000-4000-8000-000000000002"
A, B = 256, 512


class Rolled(Exception):
    """Ends a transaction that must leave nothing."""


def create(incarnation, actor, seq, hlc, owner="root"):
    stamp = Stamp(actor, seq, hlc)

    def apply():
        bucket_state.apply_create(
            name="photos", incarnation=incarnation, owner=owner, region="r", stamp=stamp
        )

    return apply


def record(incarnation, actor, seq, hlc):
    return {
        "name": "photos",
        "owner": "root",
        "region": "r",
        "actor": actor,
        "seq": seq,
        "hlc": hlc,
    }


def put(incarnation, actor, seq, hlc, created):
    event = ReplicationEvent(
        kind=EventKind.PUT_OBJECT,
        bucket="photos",
        bucket_incarnation=incarnation,
        key=f"key-{actor}-{seq}",
        version_id="null",
        actor=actor,
        seq=seq,
        hlc=hlc,
        origin_region="r",
        payload={"etag": "e", "size": 0},
    )

    def apply():
        bucket = bucket_state.bucket_for(event, record(incarnation, *created))
        if bucket is not None:
            services.merge_entry(event_entry(event, bucket), inline=None)

    return apply


def delete(incarnations, actor, seq, hlc, seen):
    event = ReplicationEvent(
        kind=EventKind.DELETE_BUCKET,
        bucket="photos",
        bucket_incarnation=incarnations[0],
        actor=actor,
        seq=seq,
        hlc=hlc,
        origin_region="r",
    )
    return lambda: bucket_state.apply_delete(event, incarnations, VectorClock(seen))


def outcome():
    """Return what S3 clients would see: served buckets with owner and keys."""
    return sorted(
        (
            bucket.name,
            bucket.owner,
            tuple(
                ObjectVersion.objects.filter(bucket=bucket, state="live")
                .order_by("key")
                .values_list("key", flat=True)
            ),
        )
        for bucket in Bucket.objects.filter(state__in=SERVED_STATES)
    )


def outcomes_of_all_orders(events):
    found = set()
    for order in itertools.permutations(events):
        try:
            with transaction.atomic():
                for apply in order:
                    apply()
                found.add(str(outcome()))
                raise Rolled
        except Rolled:
            pass
    return found


SCENARIOS = {
    "two nodes create one name at once": (
        [
            create(LOW, A, 1, 10),
            create(HIGH, B, 1, 20),
            put(LOW, A, 2, 30, (A, 1, 10)),
            put(HIGH, B, 2, 40, (B, 1, 20)),
        ],
        [("photos", "root", ("key-256-2", "key-512-2"))],
    ),
    "the canonical life is deleted while the other lives": (
        [
            create(LOW, A, 1, 10),
            create(HIGH, B, 1, 20),
            delete([LOW], A, 2, 30, {A: 1}),
        ],
        [("photos", "root", ())],
    ),
    "a merged bucket is deleted": (
        [
            create(LOW, A, 1, 10),
            create(HIGH, B, 1, 20),
            put(HIGH, B, 2, 25, (B, 1, 20)),
            delete([LOW, HIGH], A, 2, 30, {A: 1, B: 2}),
        ],
        [],
    ),
    "an empty bucket is deleted": (
        [create(LOW, A, 1, 10), delete([LOW], A, 2, 30, {A: 1})],
        [],
    ),
    "a delete loses against an object it had not seen": (
        [
            create(LOW, A, 1, 10),
            put(LOW, B, 1, 25, (A, 1, 10)),
            delete([LOW], A, 2, 30, {A: 1}),
        ],
        [("photos", "root", ("key-512-1",))],
    ),
    "an event that the delete had seen stays away from the next life": (
        [
            create(LOW, A, 1, 10),
            delete([LOW], A, 3, 30, {A: 2}),
            create(HIGH, A, 4, 40),
        ],
        [("photos", "root", ())],
    ),
    "an unseen object of an earlier life joins the next": (
        [
            create(LOW, A, 1, 10),
            put(LOW, B, 1, 25, (A, 1, 10)),
            delete([LOW], A, 2, 30, {A: 1}),
            create(HIGH, A, 3, 40),
        ],
        [("photos", "root", ("key-512-1",))],
    ),
    "two owners: the earlier one keeps the name": (
        [create(HIGH, A, 1, 10, owner="anna"), create(LOW, B, 1, 20, owner="bob")],
        [("photos", "anna", ())],
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_order_of_arrival_ends_the_same(name):
    events, expected = SCENARIOS[name]
    assert outcomes_of_all_orders(events) == {str(expected)}


@pytest.mark.django_db
def test_a_losing_owner_keeps_its_objects_under_another_name():
    create(HIGH, A, 1, 10, owner="anna")()
    create(LOW, B, 1, 20, owner="bob")()
    hidden = Bucket.objects.get(owner="bob")
    assert hidden.name.startswith("photos--conflict-")
    assert hidden.state == "renamed"
