"""A node with members that are rows only, and changes as they would arrive from them."""

import pytest

from cluster import conf, selectors
from cluster.models import Node
from replication import services
from replication.applier import Sender, apply_batch
from replication.core.envelope import Batch
from replication.core.events import EventKind, ReplicationEvent
from replication.doorbell import Doorbell
from replication.models import MemberFrontier
from replication.transport import bucket_records
from rs3gw.common import clock, hlc, identity
from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage import blobs
from rs3gw.storage import services as storage
from rs3gw.storage.core.objects import ObjectHeaders
from rs3gw.storage.models import ClockShard


class Region:
    """This node, and members that exist as rows."""

    def __init__(self):
        self.own = identity.load()
        self.told = {}

    def add(self, node_id, actor, **fields):
        values = {
            "region": "us-east-1",
            "address": f"{node_id}:9001",
            "state": "active",
            "is_member": True,
            "incarnation": 3,
            "actor": actor,
            "last_seen": clock.utcnow(),
            "state_changed_at": clock.utcnow(),
        }
        row = Node.objects.create(node_id=node_id, **{**values, **fields})
        selectors.forget()
        return row

    def say(self, node_id, frontiers=None, settled=None):
        """Let a member have said how far it is; by default it has all that this node has."""
        row = Node.objects.get(node_id=node_id)
        own = dict(ClockShard.objects.values_list("actor", "seq"))
        MemberFrontier.objects.update_or_create(
            node_id=node_id,
            actor=row.actor,
            defaults={
                "incarnation": row.incarnation,
                "frontiers": {row.actor: 0, **(own if frontiers is None else frontiers)},
                "settled": {row.actor: 0, **(settled or {})},
                "told_at": clock.utcnow(),
            },
        )

    def put(self, bucket, key, text="x"):
        body = blobs.stage([text.encode()])
        return services.put_object(bucket=bucket, key=key, body=body, headers=ObjectHeaders())

    def delete(self, bucket, key):
        services.delete_object(bucket=bucket, key=key)

    def arrive(self, bucket, key, actor, seq, *, context=None, is_delete=False, ms=None):
        """Let a change of a member arrive."""
        event = ReplicationEvent(
            kind=EventKind.DELETE_OBJECT if is_delete else EventKind.PUT_OBJECT,
            bucket=bucket.name,
            key=key,
            bucket_incarnation=str(bucket.incarnation),
            origin_node="node-2",
            origin_region="us-east-1",
            version_id="null",
            payload={} if is_delete else {"etag": "e", "size": 0},
        )
        stamp = hlc.pack(clock.now_ms() if ms is None else ms)
        event = event.stamped(actor=actor, seq=seq, hlc=stamp, context=VectorClock(context or {}))
        batch = Batch(
            sender_node="node-2",
            sender_region="us-east-1",
            cluster_id="c",
            events=(event,),
            bucket_records=bucket_records({str(bucket.incarnation)}),
        )
        (result,) = apply_batch(batch, Sender(node_id="node-2", region="us-east-1"))
        return result.code


@pytest.fixture
def region(db, settings, monkeypatch):
    settings.RS3GW_CLUSTER_ENABLED = True
    settings.RS3GW_CLUSTER_SEED_NODES = []
    settings.RS3GW_EVENT_RETENTION_SECONDS = 0
    settings.RS3GW_TOMBSTONE_MIN_AGE_SECONDS = 0
    monkeypatch.setattr(Doorbell, "ring", lambda *_, **__: None)
    identity.ensure()
    storage.init_clock()
    for module in (conf, selectors):
        module.forget()
    made = Region()
    made.add(made.own.node_id, made.own.actor, is_self=True)
    yield made
    for module in (conf, selectors):
        module.forget()


@pytest.fixture
def bucket(region):
    return services.create_bucket(name="photos")
