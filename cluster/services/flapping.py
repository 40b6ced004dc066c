"""Nodes that fail and come back again and again are held back for a while."""

from datetime import datetime
from typing import Any

from django.conf import settings

from cluster.core.node import Liveness
from cluster.core.probing import held_until, recent_failures
from cluster.models import Node
from rs3gw.common import clock

FAILURES_KEPT = 32


def fields_of(row: Node, verdict: Liveness) -> dict[str, Any]:
    """Return what a verdict changes besides the liveness: a failure is counted."""
    if verdict != Liveness.FAILED:
        return {}
    now = clock.utcnow()
    known = recent_failures([datetime.fromisoformat(at) for at in row.failures], now)
    failures = [*known, now][-FAILURES_KEPT:]
    return {
        "failures": [at.isoformat() for at in failures],
        "held_until": held_until(failures, now, limit=settings.RS3GW_FLAP_LIMIT),
    }


def is_held(row: Node) -> bool:
    """Return whether a node is not used although it is heard."""
    return row.held_until is not None and clock.utcnow() < row.held_until
