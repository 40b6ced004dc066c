"""The names and examples of the specification, in Python."""

import pytest

from cluster.core.config import ReplicationMode
from replication.core.bucket_config import BucketReplicationConfig
from replication.core.conflict import ConflictResolution, resolve
from replication.core.events import EventKind, ReplicationEvent
from replication.core.filters import ReplicationFilter
from replication.core.lag import LagSummary
from replication.core.quorum import acks_needed
from replication.core.region import ReplicationRegion, endpoint_order, route_order
from replication.core.vector_clock import Causality, VectorClock
from rs3gw.storage.core.siblings import Sibling, Stamp

US = ReplicationRegion(id="us-east-1", endpoint="https://rs3gw-us-east.example.com", priority=1)
EU = ReplicationRegion(id="eu-west-1", endpoint="https://rs3gw-eu-west.example.com", priority=2)


def test_the_eight_kinds_of_events_have_their_fields():
    made = [
        ReplicationEvent.put_object(
            bucket="test",
            key="file.txt",
            etag="abc123",
            size=1024,
            content_type="text/plain",
            metadata={"a": "b"},
        ),
        ReplicationEvent.delete_object(bucket="test", key="file.txt"),
        ReplicationEvent.create_bucket(bucket="test"),
        ReplicationEvent.delete_bucket(bucket="test"),
        ReplicationEvent.put_bucket_policy(bucket="test", policy="{}"),
        ReplicationEvent.delete_bucket_policy(bucket="test"),
        ReplicationEvent.put_bucket_tagging(bucket="test", tags="<Tagging/>"),
        ReplicationEvent.delete_bucket_tagging(bucket="test"),
    ]
    assert [event.kind for event in made] == list(EventKind)[:8]
    assert all(event.bucket == "test" and event.actor == 0 for event in made)
    assert made[0].payload == {
        "etag": "abc123",
        "size": 1024,
        "content_type": "text/plain",
        "metadata": {"a": "b"},
    }
    assert made[4].payload == {"policy": "{}"}
    assert made[6].payload == {"tags": "<Tagging/>"}


def test_a_stamped_event_has_its_dot_and_time():
    event = ReplicationEvent.create_bucket(bucket="test").stamped(
        actor=7, seq=1, hlc=5 << 16, context=VectorClock({7: 1}), event_id="id"
    )
    assert (event.actor, event.seq, event.created_at_ms, event.event_id) == (7, 1, 5, "id")


def test_a_forwarded_event_keeps_its_dot_and_names_its_way():
    event = ReplicationEvent(kind=EventKind.CREATE_BUCKET, actor=7, seq=1)
    passed_on = event.forwarded("a").forwarded("b")
    assert passed_on.via == ("a", "b")
    assert (passed_on.actor, passed_on.seq) == (7, 1)


def test_the_vector_clocks_of_the_specification_tell_concurrent_writes():
    x = VectorClock({1: 1, 2: 0, 3: 0})
    y = VectorClock({1: 1, 2: 1, 3: 0})
    assert y.compare(x) == Causality.AFTER
    assert y.compare(x.increment(1)) == Causality.CONCURRENT


def test_a_bucket_config_reads_as_in_the_specification():
    config = BucketReplicationConfig(
        source_region=US,
        destination_regions=[EU],
        filter=ReplicationFilter.prefix("important/"),
        conflict_resolution=ConflictResolution.VECTOR_CLOCK_MERGE,
        compression=True,
        encryption=True,
    )
    assert config.destinations_of("important/a", {}) == (EU,)
    assert config.destinations_of("other", {}) == ()


@pytest.mark.parametrize("destinations", [[], [EU, EU], [US]])
def test_a_bucket_config_without_sensible_destinations_is_refused(destinations):
    with pytest.raises(ValueError, match="region|source"):
        BucketReplicationConfig(source_region=US, destination_regions=destinations)


def test_filters_combine_as_in_the_specification():
    rule = ReplicationFilter.and_(
        [ReplicationFilter.prefix("data/"), ReplicationFilter.tags([("replicate", "true")])]
    )
    assert rule.matches("data/x", {"replicate": "true", "more": "1"})
    assert not rule.matches("data/x", {"replicate": "false"})
    assert not rule.matches("x", {"replicate": "true"})


def test_regions_are_served_by_priority_and_endpoints_that_failed_go_last():
    assert route_order([EU, US]) == [US, EU]
    assert EU.endpoints == (EU.endpoint,)
    many = ReplicationRegion(id="x", endpoints=("a:1", "b:2", "c:3"))
    assert many.endpoint == "a:1"
    assert endpoint_order(many.endpoints, {"a:1"}) == ["b:2", "c:3", "a:1"]


@pytest.mark.parametrize(
    "fields", [{"id": ""}, {"id": "x"}, {"id": "x", "endpoint": "a:1", "priority": 0}]
)
def test_a_region_that_cannot_be_reached_is_refused(fields):
    with pytest.raises(ValueError, match="region"):
        ReplicationRegion(**fields)


@pytest.mark.parametrize(
    ("mode", "count", "needed"),
    [("async", 3, 1), ("quorum", 3, 2), ("quorum", 5, 3), ("quorum", 4, 3), ("sync", 3, 3)],
)
def test_acks_as_the_specification_counts_them(mode, count, needed):
    assert acks_needed(ReplicationMode(mode), count) == needed


def test_a_custom_resolution_is_refused_without_a_resolver():
    one = Sibling(Stamp(1, 1, 1), VectorClock())
    with pytest.raises(ValueError, match="registered resolver"):
        resolve([one], ConflictResolution.CUSTOM)
    with pytest.raises(ValueError, match="nothing"):
        resolve([], ConflictResolution.LAST_WRITE_WINS)


def test_first_and_last_write_win_as_they_say():
    old, new = (Sibling(Stamp(a, 1, a), VectorClock()) for a in (1, 2))
    deleted = Sibling(Stamp(3, 1, 0), VectorClock(), is_tombstone=True)
    both = [new, old, deleted]
    assert resolve(both, ConflictResolution.LAST_WRITE_WINS).winner == new
    assert resolve(both, ConflictResolution.FIRST_WRITE_WINS).winner == old
    assert resolve(both, ConflictResolution.VECTOR_CLOCK_MERGE).losers == (deleted, old)


def test_lag_is_summed_up_by_nearest_rank():
    ages = [float(age) for age in range(1, 101)]
    assert LagSummary.of(ages) == LagSummary(50.5, 100.0, 95.0)
    assert LagSummary.of([]) == LagSummary()
    assert LagSummary.of([3.0]) == LagSummary(3.0, 3.0, 3.0)
