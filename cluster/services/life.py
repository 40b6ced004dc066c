"""This node's own life: start and join; and removing a node that will not come back."""

import logging
import threading
from collections.abc import Mapping

from django.db import connection

from cluster import conf, selectors
from cluster.core.discovery import Situation, Step, copy_sources, next_step
from cluster.core.gossip import GossipMessage
from cluster.core.membership import MalformedMessage, MemberRecord, Status, records_from_json
from cluster.core.node import (
    LABEL_COUNTED,
    LABEL_SET,
    LABEL_STOPPING,
    Lifecycle,
    Liveness,
    NodeInfo,
)
from cluster.models import LeaveState, Node
from cluster.selectors import Snapshot
from cluster.services import fencing, progress, registry, table
from cluster.services.errors import ClusterConflict
from cluster.services.observer import Observer, observer
from cluster.transport import PeerError
from rs3gw.common import identity

logger = logging.getLogger(__name__)
STEPS_MAX = 8
JOIN_TIMEOUT_SECONDS = 2.0
ANNOUNCE_TIMEOUT_SECONDS = 1.0
PATH_JOIN = "/_cluster/join"
PATH_LEAVE = "/_cluster/leave"
PATH_GOSSIP = "/_cluster/gossip"


def start() -> NodeInfo:
    """Begin this node's life after a start of its processes; return the node.

    It sends nothing: the ticks find the seeds and make the node active. A node that has nobody
    to find is active when this returns. A node that had left joins again.
    """
    identity.ensure()
    row = table.own_row()
    if not conf.is_enabled():
        _start_alone(is_known=row is not None)
        return selectors.read().own
    cut_off = progress.open_run()
    if cut_off is not None:
        progress.finish(cut_off, LeaveState.FAILED, error="The node was restarted meanwhile.")
    if fencing.fence():
        return selectors.read().own
    if row is None:
        table.create_own(Lifecycle.STARTING, is_member=False)
    else:
        has_same_disk = row.actor == identity.load().actor
        stays = row.is_member and has_same_disk and row.state != Lifecycle.LEFT
        labels = _own_labels(row, is_member=stays)
        table.change_own(Lifecycle.STARTING, is_member=stays, reason="started", labels=labels)
    now = selectors.read()
    if not other_seeds(now) and len(now.members) == 1:
        table.change_own(Lifecycle.ACTIVE, is_member=True, reason="has nobody to find")
    return selectors.read().own


def _start_alone(*, is_known: bool) -> None:
    if not is_known:
        table.create_own(Lifecycle.ACTIVE, is_member=True)
        return
    table.change_own(Lifecycle.STARTING, is_member=True, reason="started")
    table.change_own(Lifecycle.ACTIVE, is_member=True, reason="the cluster is switched off")


def say_stopping() -> None:
    """Tell the other nodes that this process stops in a moment, so that they count without it."""
    row = table.own_row()
    if not conf.is_enabled() or row is None or row.state == Lifecycle.LEFT:
        return
    table.change_own(
        Lifecycle(row.state),
        is_member=row.is_member,
        reason="is stopping",
        labels={**_own_labels(row, is_member=row.is_member), LABEL_STOPPING: LABEL_SET},
    )
    announce()


def _own_labels(row: Node, *, is_member: bool) -> dict[str, str]:
    """Return what a node adds to its metadata: that a majority is still counted over it."""
    was_counted = row.is_member or LABEL_COUNTED in row.metadata
    is_owed = was_counted and not is_member and row.state != Lifecycle.LEFT
    return {LABEL_COUNTED: LABEL_SET} if is_owed else {}


def join() -> NodeInfo:
    """Go through joining once more, also after having left; return the node.

    What the region holds is copied again. The ticks do the rest.

    Raises:
        ClusterConflict: The cluster is switched off, or this node is just leaving.
    """
    require_enabled()
    row = table.own_row()
    if row is None:
        return start()
    reason = "told to join"
    if selectors.read().own_removal is not None:
        fencing.fence()
        reason = table.REMOVED_WHILE_AWAY
        for renew in registry.on_renewing:
            renew()
        if identity.load().actor == row.actor:
            raise ClusterConflict("This node was removed, and nothing gives it a new writer id.")
    labels = _own_labels(row, is_member=False)
    table.change_own(Lifecycle.STARTING, is_member=False, reason=reason, labels=labels)
    return selectors.read().own


def advance() -> None:
    """Take as many steps towards an active member as can be taken now."""
    mind = observer()
    if not mind.progress.acquire(blocking=False):
        return
    try:
        for _ in range(STEPS_MAX):
            if not _advance_once(mind, selectors.read()):
                return
    finally:
        mind.progress.release()


def _advance_once(mind: Observer, now: Snapshot) -> bool:
    """Take one step; return whether another one may follow at once."""
    own = now.own
    mind.notice_start(own.lifecycle)
    peers = tuple(node for node in now.members if not node.is_self)
    step = next_step(
        Situation(
            lifecycle=own.lifecycle,
            is_member=own.is_member,
            has_seeds=bool(other_seeds(now)),
            has_met_seed=mind.has_met_seed,
            has_tried=mind.has_tried,
            has_compared=mind.has_compared,
            has_copied=mind.has_copied,
            peers=peers,
        )
    )
    if step == Step.CONTACT_SEEDS:
        return _contact_seeds(mind, now)
    if step == Step.COMPARE:
        _compare(mind, peers)
        return True
    if step == Step.JOIN:
        table.change_own(Lifecycle.JOINING, is_member=own.is_member, reason="met the region")
        return True
    if step == Step.ACTIVATE:
        table.change_own(Lifecycle.ACTIVE, is_member=True, reason="has joined")
        announce()
    if step == Step.COPY:
        _start_copying(mind, peers)
    return False


def _contact_seeds(mind: Observer, now: Snapshot) -> bool:
    """Introduce this node to the seeds and the members it knows; return whether it is new."""
    seeds = other_seeds(now)
    peers = [node.address for node in now.members if not node.is_self]
    body = {"record": table.own_record().to_json()}
    answers, failures = mind.gossip.ask(
        PATH_JOIN,
        dict.fromkeys([*seeds, *peers], body),
        timeout_seconds=JOIN_TIMEOUT_SECONDS,
    )
    for failure in failures.values():
        logger.info("cannot join yet: %s", failure)
    for address, answer in answers.items():
        if _meet(address, answer, is_seed=address in seeds):
            mind.has_met_seed = True
    was_new, mind.has_tried = not mind.has_tried, True
    return mind.has_met_seed or was_new


def _meet(address: str, answer: object, *, is_seed: bool) -> bool:
    """Take in a seed's answer; return whether it is another node that is in the cluster."""
    try:
        records = _records_in(answer)
    except MalformedMessage as error:
        logger.warning("%s answers no membership: %s", address, error)
        return False
    node_id = str(answer["node_id"]) if isinstance(answer, dict) else ""
    if is_seed:
        table.note_seed(address, node_id)
    table.absorb(records)
    theirs = next((r for r in records if r.node_id == node_id), None)
    is_self = node_id == identity.load().node_id
    return not is_self and theirs is not None and theirs.status != Status.LEFT


def _records_in(answer: object) -> tuple[MemberRecord, ...]:
    if not isinstance(answer, dict) or not isinstance(answer.get("node_id"), str):
        raise MalformedMessage
    return records_from_json(answer.get("records"))


def _compare(mind: Observer, peers: tuple[NodeInfo, ...]) -> None:
    """Ask the others whether this node still holds what it wrote; begin again when it does not."""
    if any(is_behind(peers) for is_behind in registry.on_returning):
        begin_again()
    mind.has_compared = True


def begin_again() -> None:
    """Take part as with a new disk, because this node holds less than it had written.

    Its writer id is given up: numbers that it would use again stand for other changes at its
    peers. It copies what the region holds, its own lost changes among it, before it is active.
    """
    row = table.own_row()
    if row is None or row.state == Lifecycle.LEFT:
        return
    logger.error("an old copy of this node's data was put back: it joins as with a new disk")
    for renew in registry.on_renewing:
        renew()
    table.change_own(
        Lifecycle.STARTING,
        is_member=False,
        reason="an old copy of its data was put back",
        labels={LABEL_COUNTED: LABEL_SET},
        is_noted=True,
    )


def _start_copying(mind: Observer, peers: tuple[NodeInfo, ...]) -> None:
    """Copy in a thread of its own: it may take long, and the ticks must go on."""
    if mind.copying is not None and mind.copying.is_alive():
        return
    sources = copy_sources(peers)
    source = sources[mind.copy_attempts % len(sources)]
    mind.copy_attempts += 1
    mind.copying = threading.Thread(target=_copy, args=(mind, source), name="join", daemon=True)
    mind.copying.start()


def _copy(mind: Observer, source: NodeInfo) -> None:
    try:
        for copy_from in registry.on_joining:
            copy_from(source)
        mind.has_copied = True
        with mind.progress:
            advance()
    except PeerError as error:
        logger.warning(
            "copying from %s broke off, the next tick goes on: %s", source.node_id, error
        )
    except Exception:
        logger.exception("copying from %s failed, the next tick tries again", source.node_id)
    finally:
        connection.close()


def remove(node_id: str, *, is_forced: bool = False, removed_by: str = "") -> None:
    """Remove a node that failed and will not come back; if it does, it is refused until it joins.

    Args:
        node_id: Which.
        is_forced: Do it also where this node reaches no majority, so that it cannot know
            whether the others still hear the node.
        removed_by: Name of who asked for it, for the history.

    Raises:
        ClusterConflict: The node is unknown, this one, or alive; or there is no majority.
    """
    require_enabled()
    now = selectors.read()
    row = now.rows.get(node_id)
    if row is None or row.state == Lifecycle.LEFT:
        raise ClusterConflict(f"{node_id} is no member.")
    if row.is_self:
        raise ClusterConflict("This is the node itself: let it leave instead.")
    if row.liveness != Liveness.FAILED:
        raise ClusterConflict(
            f"{node_id} is {row.liveness}: only a failed node can be removed. "
            f"Let it leave by itself at {row.admin_url or row.address}."
        )
    if not is_forced and not selectors.is_quorum_available():
        raise ClusterConflict(
            "Less than half of the members can be reached, so the others may still hear "
            f"{node_id}. Force it if you know that they are gone too."
        )
    if not fencing.remove(row, removed_by=removed_by, is_forced=is_forced):
        raise ClusterConflict(f"{node_id} has changed just now; look again.")
    announce(node_id)


def wait_for_copy(timeout_seconds: float) -> None:
    """Wait until this process copies nothing any more, or the time is over."""
    copying = observer().copying
    if copying is not None:
        copying.join(timeout_seconds)


def announce(node_id: str = "") -> None:
    """Tell all peers of a node's record, this node's own by default; failures do not matter."""
    now = selectors.read()
    record = now.table.get(node_id or now.own.node_id)
    assert record is not None
    sections = {fencing.SECTION: fencing.produce()} if len(now.removals) else {}
    message = GossipMessage(incarnation=now.own.incarnation, records=(record,), sections=sections)
    addresses = [n.address for n in now.members if not n.is_self]
    _post(PATH_GOSSIP, dict.fromkeys(addresses, message.to_json()))


def tell(path: str, addresses: list[str] | None = None) -> list[str]:
    """POST this node's own record; return the addresses that took it."""
    if addresses is None:
        addresses = [node.address for node in selectors.read().members if not node.is_self]
    body = {"record": table.own_record().to_json()}
    return list(_post(path, dict.fromkeys(addresses, body)))


def _post(path: str, bodies: Mapping[str, object]) -> dict[str, object]:
    asking = observer().announcements
    answers, _ = asking.ask(path, bodies, timeout_seconds=ANNOUNCE_TIMEOUT_SECONDS)
    return answers


def other_seeds(now: Snapshot) -> list[str]:
    """Return the seed addresses that are neither this node nor one that has left."""
    gone = {row.node_id for row in now.rows.values() if row.state == Lifecycle.LEFT}
    nodes = selectors.seed_nodes(now.rows.values())
    return [s for s, node_id in nodes.items() if node_id != now.own.node_id and node_id not in gone]


def require_enabled() -> None:
    """Raise `ClusterConflict` on a node that is in no cluster."""
    if not conf.is_enabled():
        raise ClusterConflict("The cluster is switched off: set RS3GW_CLUSTER_ENABLED=true.")
