"""Buckets end the same on every node, whatever order their events arrive in."""

import itertools
from types import SimpleNamespace

import pytest
from django.db import transaction

from replication import bucket_state, registers
from replication.core.events import EventKind, ReplicationEvent
from replication.entries import event_entry
from replication.models import AppliedActor
from replication.services import get_bucket_setting
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
        place = bucket_state.place_for(event, record(incarnation, *created))
        if place is not None and not place.is_too_late(event):
            services.merge_entry(event_entry(event, place.bucket), inline=None)
            bucket_state.settle("photos")

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


@pytest.mark.django_db
def test_a_setting_survives_that_its_bucket_turns_out_to_be_one_with_another():
    bucket = create(HIGH, B, 1, 20)() or Bucket.objects.get()
    registers.write(
        f"bucket:{HIGH}", "policy", {"text": "{}"}, stamp=Stamp(B, 2, 30), author="root"
    )
    create(LOW, A, 1, 10)()
    home = Bucket.objects.get(state="live")
    assert (str(home.incarnation), str(bucket.incarnation)) == (LOW, HIGH)
    assert get_bucket_setting(home, "policy") == "{}"


@pytest.mark.django_db
def test_a_recreated_bucket_has_no_settings_of_its_earlier_life():
    create(LOW, A, 1, 10)()
    registers.write(f"bucket:{LOW}", "policy", {"text": "{}"}, stamp=Stamp(A, 2, 20), author="root")
    delete([LOW], A, 3, 30, {A: 2})()
    create(HIGH, A, 4, 40)()
    assert get_bucket_setting(Bucket.objects.get(state="live"), "policy") is None


@pytest.mark.django_db
def test_a_bucket_that_only_an_unseen_object_kept_goes_with_that_object():
    create(LOW, A, 1, 10)()
    put(LOW, B, 1, 25, (A, 1, 10))()
    delete([LOW], A, 2, 30, {A: 1})()
    bucket = Bucket.objects.get()
    assert bucket.state == "delete_conflict"
    services.purge_versions(bucket, VectorClock({B: 1}))
    bucket_state.settle("photos")
    assert Bucket.objects.get().state == "deleted"


@pytest.mark.django_db
def test_a_bucket_is_not_deleted_while_something_in_it_is_on_its_way_here(monkeypatch):
    create(LOW, A, 1, 10)()
    tombstone = VectorClock({B: 2})
    monkeypatch.setattr(services, "bucket_histories", lambda bucket: [tombstone])
    members = [SimpleNamespace(actor=B)]
    monkeypatch.setattr(bucket_state.cluster_selectors, "members", lambda: members)
    assert bucket_state.context_of_delete(Bucket.objects.get()) is None
    AppliedActor.objects.create(actor=B, frontier=2)
    assert bucket_state.context_of_delete(Bucket.objects.get()) == tombstone
