"""A node with an operator, and a log of any size."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model

from cluster import selectors as cluster
from replication import services as replication
from replication.doorbell import Doorbell
from replication.models import (
    Delivery,
    DeliveryState,
    Lane,
    ReplicationEventRecord,
)
from rs3gw.common import clock, identity
from rs3gw.storage import blobs
from rs3gw.storage import services as storage
from rs3gw.storage.core.objects import ObjectHeaders

PASSWORD = "open sesame 42"


@pytest.fixture(autouse=True)
def _nobody_drains(monkeypatch):
    """There is no worker to ring for, and the bell's thread would keep a connection."""
    monkeypatch.setattr(Doorbell, "ring", lambda *_, **__: None)


@pytest.fixture
def node(db):
    identity.ensure()
    storage.init_clock()
    cluster.forget()
    yield identity.load()
    cluster.forget()


@pytest.fixture
def operator(node):
    return get_user_model().objects.create_superuser("olga", password=PASSWORD)


@pytest.fixture
def console(client, operator):
    client.force_login(operator)
    return client


@pytest.fixture
def bucket(node):
    return replication.create_bucket(name="photos", owner="root")


@pytest.fixture
def region(node):
    return replication.save_region(
        name="eu-west-1", endpoints=["10.0.0.5:9001"], pairing_key="p" * 40, author="olga"
    )


@pytest.fixture
def lane(node):
    return Lane.objects.create(destination_kind="member", destination="node-2", shard=0)


@pytest.fixture
def make_events(node):
    def make(count, *, key="a/{}", age_seconds=0, start=1000):
        now = clock.utcnow() - timedelta(seconds=age_seconds)
        return ReplicationEventRecord.objects.bulk_create(
            ReplicationEventRecord(
                shard=0,
                position=start + index,
                actor=77,
                seq=start + index,
                hlc=clock.now_ms() << 16,
                event_id=f"event-{start + index}",
                kind="put_object",
                origin_node="node-1",
                origin_region="us-east-1",
                bucket="photos",
                key=key.format(index),
                body_size_bytes=1024,
                created_at=now,
            )
            for index in range(count)
        )

    return make


@pytest.fixture
def park(lane):
    def make(events, reason="node-2 refused: AccessDenied", state=DeliveryState.PARKED):
        return Delivery.objects.bulk_create(
            Delivery(
                lane=lane,
                event=event,
                state=state,
                reason=reason,
                attempts=9,
                created_at=clock.utcnow(),
            )
            for event in events
        )

    return make


@pytest.fixture
def put_object(node):
    def put(bucket, key, data=b"hello"):
        return replication.put_object(
            bucket=bucket, key=key, body=blobs.stage([data]), headers=ObjectHeaders()
        )

    return put
