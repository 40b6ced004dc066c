"""An event that the database has no room for is sent again; one that makes no sense is parked."""

import pytest
from django.db import OperationalError

from replication import applier
from replication.core.envelope import Batch
from replication.core.events import EventKind, ReplicationEvent
from rs3gw.common import identity
from rs3gw.storage import services as storage


@pytest.fixture
def node(db):
    identity.ensure()
    storage.init_clock()


@pytest.mark.parametrize(
    ("error", "code"),
    [(OperationalError("database or disk is full"), "retry"), (ValueError("nonsense"), "parked")],
    ids=["no room", "nonsense"],
)
def test_what_becomes_of_an_event_that_cannot_be_applied(node, monkeypatch, error, code):
    def fail(*_):
        raise error

    monkeypatch.setitem(applier._HANDLERS, EventKind.PUT_BUCKET_POLICY, fail)
    event = ReplicationEvent(kind=EventKind.PUT_BUCKET_POLICY, bucket="b", actor=5 << 8, seq=1)
    sender = applier.Sender(node_id="node-2", region="us-east-1")
    batch = Batch(
        sender_node="node-2", sender_region="us-east-1", cluster_id="a-cluster", events=(event,)
    )
    results = applier.apply_batch(batch, sender)
    assert [result.code for result in results] == [code]
