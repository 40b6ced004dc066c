"""A new writer id for a node whose old one must not write any more, and how it is noticed.

When an old copy of a node's data is put back, its next changes would take sequence numbers that
its peers have seen already, and be ignored as known. So a node that starts asks the others how far
they are in what it wrote, and a node that is behind them writes under a new id from then on. What
its log still holds of the old one keeps its dots and is sent on as before.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

from cluster import transport as cluster_transport
from cluster.core.node import NodeInfo
from replication.core.applied import AppliedRanges
from replication.models import AppliedActor
from replication.transport import FRONTIER_PATH
from rs3gw.common import clock, identity, ids
from rs3gw.common.database import release_connections
from rs3gw.common.identity import Identity
from rs3gw.storage import commit
from rs3gw.storage import services as storage
from rs3gw.storage.models import ClockShard

logger = logging.getLogger(__name__)
ASK_SECONDS = 2.0
ASKERS_MAX = 16


def is_behind(highest: Mapping[int, int]) -> bool:
    """Return whether a peer that is so far in each writer's log has more of ours than we do."""
    own = ClockShard.objects.values_list("actor", "seq")
    return any(highest.get(actor, 0) > seq for actor, seq in own)


def is_behind_peers(peers: Sequence[NodeInfo]) -> bool:
    """Ask all peers at once, each for at most `ASK_SECONDS`; silent ones are left out."""
    if not peers:
        return False
    pool = ThreadPoolExecutor(min(ASKERS_MAX, len(peers)), thread_name_prefix="compare")
    asked = [pool.submit(_ask, peer) for peer in peers]
    done, _ = wait(asked, timeout=2 * ASK_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    return any(is_behind(future.result()) for future in done)


def _ask(peer: NodeInfo) -> dict[int, int]:
    client = cluster_transport.client(peer)
    try:
        answer = client.request("GET", f"{FRONTIER_PATH}?highest=1", timeout_seconds=ASK_SECONDS)
        return {int(actor): int(seq) for actor, seq in json.loads(answer.body).items()}
    except (cluster_transport.PeerError, ValueError, AttributeError) as error:
        logger.info("%s does not say how far it is: %s", peer.node_id, error)
        return {}
    finally:
        release_connections()


def renew_actor() -> int:
    """Write under a new writer id from now on; return it.

    The new identity is written beside the old one before the database changes and replaces it
    afterwards; a crash in between is completed by the next start.
    """
    node = Identity(node_id=identity.load().node_id, actor=ids.new_actor())
    identity.propose(node)
    commit.run(lambda: _switch(node.actor))
    identity.adopt_proposed()
    logger.warning("%s writes under the id %s from now on", node.node_id, node.actor)
    return node.actor


def _switch(actor: int) -> None:
    for old_actor, seq in storage.change_actor(actor):
        if not seq:
            continue
        # What this node wrote itself it has: else its peers would send it back.
        row, _ = AppliedActor.objects.get_or_create(actor=old_actor)
        known = AppliedRanges.from_json({"frontier": row.frontier, "islands": row.islands})
        state = known.add_through(1, seq).to_json()
        row.frontier, row.islands = state["frontier"], state["islands"]
        row.last_applied_at = clock.utcnow()
        row.save()
