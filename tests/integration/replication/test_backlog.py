"""What members lack is looked up once a second, and writers feel it as their bucket says."""

import threading

import pytest

from replication import backlog, services
from replication.core.backpressure import Backlog
from replication.doorbell import Doorbell
from replication.errors import BacklogTooLong, ControlError
from replication.models import Lane
from replication.peer import apply_queue
from rs3gw.common import identity
from rs3gw.s3.operations import pressure
from rs3gw.storage import services as storage

pytestmark = pytest.mark.usefixtures("db")


class Request:
    def __init__(self, bucket):
        self.found = {"bucket": bucket}


@pytest.fixture(autouse=True)
def _nobody_drains(monkeypatch):
    monkeypatch.setattr(Doorbell, "ring", lambda *_, **__: None)


@pytest.fixture
def bucket(db):
    identity.ensure()
    storage.init_clock()
    return services.create_bucket(name="photos")


def behind(monkeypatch, **fields):
    monkeypatch.setattr(backlog, "current", lambda: Backlog(**fields))


def test_the_backlog_is_what_the_member_furthest_behind_lacks(bucket):
    for shard in range(storage.shard_count()):
        Lane.objects.create(destination_kind="member", destination="node-2", shard=shard)
        Lane.objects.create(
            destination_kind="member", destination="node-3", shard=shard, cursor=10**6
        )
        Lane.objects.create(destination_kind="region", destination="west", shard=shard)
    found = backlog.read()
    assert found.events >= 1
    assert 0 <= found.age_seconds < 60
    Lane.objects.filter(destination="node-2").update(cursor=10**6)
    assert backlog.read() == Backlog()


def test_it_is_read_once_a_second_at_most(django_assert_num_queries):
    backlog.current()
    with django_assert_num_queries(0):
        for _ in range(100):
            backlog.current()


def test_a_write_is_told_of_a_backlog_and_goes_on(bucket, monkeypatch):
    behind(monkeypatch, age_seconds=3600.0, events=5)
    request = Request(bucket)
    pressure.heed(request, "PutObject")
    assert request.found[pressure.LAG_HEADER] == "3600.0"
    reading = Request(bucket)
    pressure.heed(reading, "GetObject")
    assert pressure.LAG_HEADER not in reading.found


def test_a_bucket_may_refuse_or_delay_writes_but_not_deletes(bucket, monkeypatch):
    behind(monkeypatch, age_seconds=3600.0, events=5)
    services.put_backpressure(bucket, {"policy": "reject"}, author="ann")
    bucket.refresh_from_db()
    with pytest.raises(BacklogTooLong):
        pressure.heed(Request(bucket), "PutObject")
    pressure.heed(Request(bucket), "DeleteObject")
    naps = []
    monkeypatch.setattr(pressure.clock, "sleep", naps.append)
    services.put_backpressure(bucket, {"policy": "delay"}, author="ann")
    bucket.refresh_from_db()
    pressure.heed(Request(bucket), "PutObject")
    assert naps == [0.25]


def test_a_bucket_follows_the_cluster_until_it_says_otherwise(bucket):
    assert services.get_backpressure(bucket) == {}
    kept = services.put_backpressure(bucket, {"policy": "delay", "hard_events": 5}, author="ann")
    assert kept == services.get_backpressure(bucket) == {"policy": "delay", "hard_events": 5}
    with pytest.raises(ControlError, match="none, delay or reject"):
        services.put_backpressure(bucket, {"policy": "perhaps"}, author="ann")
    with pytest.raises(ControlError, match="must be an object"):
        services.put_backpressure(bucket, ["reject"], author="ann")


def test_batches_that_are_too_many_are_sent_away_and_places_come_back(settings, rf):
    settings.RS3GW_APPLY_QUEUE_MAX = 1
    inside, go_on = threading.Event(), threading.Event()

    @apply_queue.limited
    def view(request):
        inside.set()
        assert go_on.wait(10)
        return "applied"

    answers = []
    first = threading.Thread(target=lambda: answers.append(view(rf.post("/"))))
    first.start()
    assert inside.wait(10)
    refused = view(rf.post("/"))
    assert (refused.status_code, refused["Retry-After"]) == (429, "1")
    go_on.set()
    first.join()
    assert answers == ["applied"]
    assert view(rf.post("/")) == "applied"
