"""A worker that was killed does not keep its lanes from the next one."""

import pytest

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
    lanes.free_lanes_of_the_dead.cache_clear()
    return Lane.objects.create(destination_kind=DestinationKind.REGION, destination="west", shard=0)


def test_a_lane_that_a_dead_worker_held_is_free_after_the_first_sweep(lane):
    assert lanes.take_lease(lane.pk, clock.utcnow()) is not None
    sweep()
    assert lanes.take_lease(lane.pk, clock.utcnow()) is not None


def test_a_lane_that_this_worker_holds_stays_held(lane):
    sweep()
    assert lanes.take_lease(lane.pk, clock.utcnow()) is not None
    sweep()
    assert lanes.take_lease(lane.pk, clock.utcnow()) is None
