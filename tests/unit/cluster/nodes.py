"""Builders of nodes and records for the tests of the membership."""

from datetime import UTC, datetime

from cluster.core.membership import Facts, MemberRecord, Status
from cluster.core.node import Lifecycle, Liveness, NodeInfo, project

SEEN_AT = datetime(2026, 1, 1, tzinfo=UTC)


def address_of(node_id):
    return f"{node_id}:9001"


def record(node_id, incarnation=1, *, status=Status.ALIVE, lifecycle=Lifecycle.ACTIVE, **facts):
    values = {
        "region": "us-east-1",
        "address": address_of(node_id),
        "is_member": lifecycle in {Lifecycle.ACTIVE, Lifecycle.LEAVING},
        **facts,
    }
    return MemberRecord(
        node_id=node_id,
        incarnation=incarnation,
        status=status,
        facts=Facts(lifecycle=lifecycle, **values),
    )


def info(node_id, *, lifecycle=Lifecycle.ACTIVE, liveness=Liveness.ALIVE, **fields):
    values = {
        "is_member": lifecycle in {Lifecycle.ACTIVE, Lifecycle.LEAVING},
        "address": address_of(node_id),
        **fields,
    }
    return NodeInfo(
        node_id=node_id,
        state=project(lifecycle, liveness),
        last_seen=SEEN_AT,
        lifecycle=lifecycle,
        liveness=liveness,
        **values,
    )
