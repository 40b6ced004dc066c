"""Before a node leaves, the members get all that only it has; and it says how much is left."""

import pytest

from cluster.services import LeaveCancelled
from replication import drain, lanes, services
from replication.errors import ControlError
from replication.models import Delivery, DeliveryState, Lane, ReplicationEventRecord
from rs3gw.common import clock
from rs3gw.storage import services as storage


class Reports:
    def __init__(self, limit=None):
        self.said = []
        self.limit = limit

    def report(self, step, done, total, **_):
        self.said.append((done, total))
        if self.limit is not None and len(self.said) > self.limit:
            raise LeaveCancelled


@pytest.fixture
def lane(transactional_db, monkeypatch):
    # One shard on either database: all changes wait in one lane.
    monkeypatch.setattr(storage, "POSTGRESQL_SHARDS", 1)
    storage.init_clock()
    for name in ("one", "two", "three"):
        services.create_bucket(name=name, owner="root")
    return Lane.objects.create(destination_kind="member", destination="node-2", shard=0)


@pytest.fixture
def hands_over(monkeypatch):
    """Let each drain of the lane deliver one change."""

    def deliver(lane_id, **_):
        lane = Lane.objects.get(pk=lane_id)
        lane.cursor += 1
        lane.save()

    monkeypatch.setattr(drain, "drain", deliver)
    monkeypatch.setattr(drain, "FINISH_PAUSE_SECONDS", 0)


@pytest.mark.usefixtures("lane", "hands_over")
def test_it_says_how_much_of_it_is_delivered():
    reports = Reports()

    drain.finish_members(reports)

    assert reports.said == [(0, 3), (1, 3), (2, 3), (3, 3)]


@pytest.mark.usefixtures("lane", "hands_over")
def test_it_can_be_called_off_between_two_turns():
    with pytest.raises(LeaveCancelled):
        drain.finish_members(Reports(limit=2))


def test_what_is_sent_again_later_counts_and_what_is_parked_does_not(lane):
    Lane.objects.update(cursor=3)
    first, second, _ = ReplicationEventRecord.objects.order_by("position")
    for event, state in ((first, DeliveryState.RETRY), (second, DeliveryState.PARKED)):
        Delivery.objects.create(lane=lane, event=event, state=state, created_at=clock.utcnow())

    assert {lane.destination: n for lane, n in lanes.unfinished_member_lanes().items()} == {
        "node-2": 1
    }


def test_a_lane_that_never_moves_is_given_up(lane, monkeypatch):
    monkeypatch.setattr(drain, "drain", lambda *_, **__: 0)
    monkeypatch.setattr(drain, "FINISH_STALL_SECONDS_MAX", 0)
    monkeypatch.setattr(drain, "FINISH_PAUSE_SECONDS", 0.01)

    with pytest.raises(ControlError, match="node-2"):
        drain.finish_members(Reports())
