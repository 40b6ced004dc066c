"""A worker that was killed does not keep its lanes from the next one."""

from datetime import timedelta

import pytest
from django.db import OperationalError

from replication import lanes
from replication.models import DestinationKind, Lane
from replication.tasks import sweep
from rs3gw.common import clock, identity
from rs3gw.storage import services as storage

pytestmark = pytest.mark.django_db


@pytest.fixture
def lane(db):
    identity.ensure()
    storage.init_clock()
    lanes._free_lanes_of_the_dead.cache_clear()
    return Lane.objects.create(destination_kind=DestinationKind.REGION, destination="west", shard=0)


def as_another_process(monkeypatch):
    monkeypatch.setattr(lanes, "_PROCESS", "another!")
    monkeypatch.setattr(lanes, "_held", set())


def test_a_lane_that_a_dead_worker_held_is_free_after_the_first_sweep(lane, monkeypatch):
    assert lanes.take_lease(lane.pk, clock.utcnow()) is not None
    as_another_process(monkeypatch)
    sweep()
    assert lanes.take_lease(lane.pk, clock.utcnow()) is not None


def test_a_lane_that_is_drained_now_stays_held(lane):
    sweep()
    assert lanes.take_lease(lane.pk, clock.utcnow()) is not None
    sweep()
    assert lanes.take_lease(lane.pk, clock.utcnow()) is None


def test_a_lane_that_could_not_be_given_back_is_free_after_the_next_sweep(lane, monkeypatch):
    sweep()
    held = lanes.take_lease(lane.pk, clock.utcnow())

    def fail(*_, **__):
        raise OperationalError("disk full")

    with monkeypatch.context() as broken, pytest.raises(OperationalError):
        broken.setattr(lanes, "update_held", fail)
        lanes.release(held)
    assert lanes.take_lease(lane.pk, clock.utcnow()) is None
    sweep()
    assert lanes.take_lease(lane.pk, clock.utcnow()) is not None


@pytest.mark.parametrize("field", ["next_attempt_at", "lease_until"])
def test_what_was_noted_while_the_clock_was_ahead_does_not_stop_a_lane(lane, field):
    now = clock.utcnow()
    Lane.objects.filter(pk=lane.pk).update(**{field: now + timedelta(days=1)})
    assert lanes.take_lease(lane.pk, now) is not None


@pytest.mark.parametrize("field", ["next_attempt_at", "lease_until"])
def test_a_lane_that_rests_or_is_held_is_left_alone(lane, field):
    now = clock.utcnow()
    Lane.objects.filter(pk=lane.pk).update(**{field: now + timedelta(seconds=5)})
    assert lanes.take_lease(lane.pk, now) is None
