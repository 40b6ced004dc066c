"""The applier's rows end where the simulated replicas end, whatever order events arrive in.

The simulator makes histories of three nodes that create, fill, empty and delete buckets of the
same names at once, with partitions, crashes and wrong clocks. Their events are then applied here
in the order of their clocks and in random orders, each time to an empty database.
"""

from dataclasses import replace

import pytest
from django.conf import settings
from django.db import transaction

from replication.applier import Sender, apply_batch
from replication.core.envelope import Batch
from replication.core.events import EventKind
from rs3gw.common import identity
from rs3gw.storage import services
from rs3gw.storage.models import Bucket, BucketState, ObjectVersion
from tests.simulation import workloads
from tests.simulation.world import Weather, World, seeds


class Rolled(Exception):
    """Ends a transaction that must leave nothing."""


def rows_served():
    return sorted(
        (
            bucket.name,
            bucket.owner,
            str(bucket.state),
            tuple(
                ObjectVersion.objects.filter(bucket=bucket, state="live", is_latest=True)
                .order_by("key")
                .values_list("key", "actor", "seq")
            ),
        )
        for bucket in Bucket.objects.exclude(state=BucketState.DELETED)
    )


def replica_serves(node):
    return sorted(
        (
            family.name,
            family.owner,
            str(family.standing),
            tuple((key, *dot) for name, _, key, dot in node.listing() if name == family.name),
        )
        for family in node.buckets()
    )


def record(life):
    stamp = life.created
    fields = {"actor": stamp.actor, "seq": stamp.seq, "hlc": stamp.hlc}
    return {"name": life.name, "owner": life.owner, "region": settings.RS3GW_REGION, **fields}


def apply(event, nodes):
    """Apply one event as if its node had sent it alone."""
    sender = nodes[event.origin_node]
    payload = dict(event.payload)
    if event.kind == EventKind.PUT_OBJECT:
        payload = {"etag": "e", "size": event.body_size_bytes}
    inline = {event.body_sha256: sender.disk.bodies[event.body_sha256]} if event.body_sha256 else {}
    batch = Batch(
        sender_node=event.origin_node,
        sender_region=settings.RS3GW_REGION,
        cluster_id="simulated",
        events=(replace(event, origin_region=settings.RS3GW_REGION, payload=payload),),
        inline_bodies=inline,
        bucket_records={
            event.bucket_incarnation: record(sender.disk.lives[event.bucket_incarnation])
        },
    )
    (result,) = apply_batch(batch, Sender(node_id=event.origin_node, region=settings.RS3GW_REGION))
    assert result.code in {"applied", "superseded", "stale_bucket"}


def served_after(events, nodes):
    try:
        with transaction.atomic():
            for event in events:
                apply(event, nodes)
            found = rows_served()
            raise Rolled
    except Rolled:
        return found


@pytest.mark.django_db
@pytest.mark.parametrize("seed", seeds(12))
def test_every_order_of_arrival_ends_where_the_model_ends(seed):
    identity.ensure()
    services.init_clock()
    world = World(seed, weather=Weather(skew_seconds_max=1.0))
    workloads.buckets(world, seconds=5, rate=6)
    world.settle()
    expected = replica_serves(world.nodes["n0"])
    events = [event for node in world.nodes.values() for event in node.disk.log]
    events.sort(key=lambda event: (event.hlc, event.actor))
    assert served_after(events, world.nodes) == expected
    for _ in range(2):
        world.rng.shuffle(events)
        assert served_after(events, world.nodes) == expected
