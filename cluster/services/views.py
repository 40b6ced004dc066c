"""Who sees whom: this node's view of the others, and what they tell of theirs.

A view is written when it changes, and else every few seconds; it travels with the gossip. In a
large region only what is wrong is told.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.db import transaction

from cluster import selectors
from cluster.core.membership import TEXT_CHARS_MAX
from cluster.core.node import Liveness, NodeInfo
from cluster.models import Node, PeerView
from rs3gw.common import clock, identity

logger = logging.getLogger(__name__)
SECTION = "views"
REFRESH = timedelta(seconds=10)
TOLD_IN_FULL_MAX = 50
RTT_MS_MAX = 1e6


def note(peers: Sequence[NodeInfo], round_trips_seconds: Mapping[str, float]) -> None:
    """Write down how this node sees its peers after a round of heartbeats.

    Args:
        peers: All other nodes.
        round_trips_seconds: How long each took to answer, by address; who did not is not in it.
    """
    own, now = identity.load().node_id, clock.utcnow()
    known = {row.node_id: row for row in PeerView.objects.filter(observer=own)}
    for peer in peers:
        seconds = round_trips_seconds.get(peer.address)
        row = known.pop(peer.node_id, None) or PeerView(
            observer=own, node_id=peer.node_id, since=now, told_at=now - 2 * REFRESH
        )
        is_new = (row.liveness, row.reaches) != (peer.liveness.value, seconds is not None)
        if is_new:
            row.since = now
        elif now - row.told_at < REFRESH:
            continue
        row.liveness, row.reaches = peer.liveness.value, seconds is not None
        row.rtt_ms = round((seconds or 0.0) * 1000, 1)
        row.told_at = now
        row.save()
    for gone in known.values():
        gone.delete()


def produce() -> dict[str, list[object]]:
    """Return this node's view of the others, for gossip."""
    rows = list(PeerView.objects.filter(observer=identity.load().node_id))
    if len(rows) > TOLD_IN_FULL_MAX:
        rows = [row for row in rows if not row.reaches or row.liveness != Liveness.ALIVE]
    return {
        row.node_id: [row.liveness, row.reaches, row.rtt_ms, int(row.since.timestamp() * 1000)]
        for row in rows[:TOLD_IN_FULL_MAX]
    }


def consume(observer: str, section: object) -> None:
    """Take in how a peer sees the others."""
    try:
        told = _told(observer, section)
    except (ValueError, TypeError, LookupError, OverflowError):
        logger.warning("%s tells no view of the others", observer)
        return
    with transaction.atomic():
        PeerView.objects.filter(observer=observer).delete()
        PeerView.objects.bulk_create(told)


def _told(observer: str, section: object) -> list[PeerView]:
    if not isinstance(section, dict) or observer == identity.load().node_id:
        raise ValueError
    now = clock.utcnow()
    found = []
    for node_id, (liveness, reaches, rtt_ms, since_ms) in list(section.items())[:TOLD_IN_FULL_MAX]:
        if not 0 < len(node_id) <= TEXT_CHARS_MAX or not 0 <= float(rtt_ms) <= RTT_MS_MAX:
            raise ValueError
        found.append(
            PeerView(
                observer=observer,
                node_id=node_id[:63],
                liveness=Liveness(liveness).value,
                reaches=reaches is True,
                rtt_ms=float(rtt_ms),
                since=clock.from_ms(int(since_ms)),
                told_at=now,
            )
        )
    return found


def asymmetric(rows: Sequence[PeerView]) -> list[tuple[str, str]]:
    """Return the pairs (a, b) where a reaches b but b does not reach a, as both say."""
    reached = {(row.observer, row.node_id): row.reaches for row in rows}
    return sorted(
        (a, b)
        for (a, b), is_reached in reached.items()
        if is_reached and reached.get((b, a)) is False
    )


def matrix() -> tuple[list[str], list[PeerView]]:
    """Return the nodes and all views that are known of them."""
    names = [node.node_id for node in selectors.members()]
    rows = PeerView.objects.filter(observer__in=names, node_id__in=names)
    return names, list(rows)


def forget_gone() -> None:
    """Delete the views of nodes that have left."""
    names = list(Node.objects.exclude(state="left").values_list("node_id", flat=True))
    PeerView.objects.exclude(observer__in=names).delete()
