"""What replication does when the membership changes."""

from cluster import services as cluster_services
from cluster.core.node import NodeState
from cluster.peer.auth import register_scope_secret
from cluster.signals import node_state_changed
from replication import backfill, control, drain, lanes, links, selectors
from replication.peer.views import PAIR_PREFIX


def connect() -> None:
    """Listen to the cluster, offer it a backfill, and give it the pairing keys."""
    node_state_changed.connect(_on_node_state_changed, dispatch_uid="replication-lanes")
    cluster_services.on_joining.append(backfill.copy_from)
    cluster_services.on_leaving.append(drain.finish_members)
    register_scope_secret(PAIR_PREFIX.rstrip(":"), control.pairing_secret)
    cluster_services.gossip_sections["frontiers"] = (_produce_frontiers, _consume_frontiers)


def _on_node_state_changed(*, node_id: str = "", new: str = "", **_: object) -> None:
    lanes.ensure_lanes()
    if new == NodeState.ACTIVE:
        links.is_back(node_id)
        lanes.wake_lanes(node_id)
    elif new == NodeState.FAILED:
        links.given_up(node_id)


def _produce_frontiers() -> dict[str, int]:
    return {str(actor): seq for actor, seq in selectors.frontiers().items()}


def _consume_frontiers(node_id: str, section: object) -> None:
    """Move the lanes to a member up to what it says it has applied."""
    links.heard_of(node_id)
    if isinstance(section, dict):
        lanes.confirm_frontiers(node_id, {int(actor): int(seq) for actor, seq in section.items()})
