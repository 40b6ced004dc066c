"""What replication does when the membership changes."""

from cluster import selectors as cluster_selectors
from cluster import services as cluster_services
from cluster.core.node import NodeState
from cluster.peer.auth import register_scope_secret
from cluster.signals import node_state_changed
from replication import (
    backfill,
    control,
    drain,
    eviction,
    lanes,
    links,
    renewal,
    review,
    selectors,
    stability,
)
from replication.anti_entropy import runs
from replication.healing import leaving
from replication.peer.views import PAIR_PREFIX
from replication.pusher import pusher


def connect() -> None:
    """Listen to the cluster, offer it a backfill, and give it the pairing keys."""
    node_state_changed.connect(_on_node_state_changed, dispatch_uid="replication-lanes")
    cluster_services.on_joining.extend([backfill.copy_from, review.review])
    cluster_services.on_returning.append(renewal.is_behind_peers)
    cluster_services.on_renewing.append(renewal.renew_actor)
    cluster_services.on_leaving.extend([drain.finish_members, leaving.copy_out])
    stability.holds.append(runs.under_way)
    register_scope_secret(PAIR_PREFIX.rstrip(":"), control.pairing_secret)
    cluster_services.gossip_sections["frontiers"] = (_produce_frontiers, _consume_frontiers)
    cluster_services.gossip_sections["stability"] = (eviction.say, eviction.hear)


def _on_node_state_changed(*, node_id: str = "", new: str = "", **_: object) -> None:
    eviction.note_removal(node_id)
    lanes.ensure_lanes()
    if new == NodeState.ACTIVE:
        links.is_back(node_id)
        lanes.wake_lanes(node_id)
        pusher.peer(node_id).forgive()
    elif new == NodeState.FAILED:
        links.given_up(node_id)


def _produce_frontiers() -> dict[str, int]:
    return {str(actor): seq for actor, seq in selectors.frontiers().items()}


def _consume_frontiers(node_id: str, section: object) -> None:
    """Move the lanes to a member up to what it says it has applied.

    One that has applied more of this node's writing than this node holds shows that an old copy
    of its data was put back while nobody could be asked.
    """
    links.heard_of(node_id)
    node = cluster_selectors.member(node_id)
    # Its own writers are among them: word of a disk that it has no more says nothing.
    if not isinstance(section, dict) or node is None or str(node.actor) not in section:
        return
    frontiers = {int(actor): int(seq) for actor, seq in section.items()}
    if renewal.is_behind(frontiers):
        cluster_services.begin_again()
    lanes.confirm_frontiers(node_id, frontiers)
