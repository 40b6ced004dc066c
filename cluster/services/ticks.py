"""The two ticks of the worker: heartbeats to all, gossip with a few.

A tick costs one read of the table, and no write while nothing changes except, once a heartbeat,
when the peers were last seen. `now` is monotonic seconds.
"""

import json
import logging
import random
from collections.abc import Iterable, Mapping

from django.conf import settings

from cluster import conf, selectors
from cluster.core.gossip import (
    GossipReply,
    choose_peers,
    closing,
    opening,
    reply_from_json,
)
from cluster.core.membership import MalformedMessage
from cluster.core.node import Lifecycle, NodeInfo
from cluster.selectors import Snapshot
from cluster.services import hearing, leaving, registry, table, views
from cluster.services.life import PATH_GOSSIP, advance, join, other_seeds, start
from cluster.services.observer import Observer, observer
from cluster.services.settling import settle_with

logger = logging.getLogger(__name__)
PATH_HEARTBEAT = "/_cluster/heartbeat"
HEARTBEAT_WAIT_SECONDS_MAX = 2.0
GOSSIP_WAIT_SECONDS_MAX = 1.0
SECTION_RESEND_SECONDS = 10.0
ON_THE_WAY = frozenset({Lifecycle.STARTING, Lifecycle.JOINING})


def heartbeat_tick(now: float) -> None:
    """Send a heartbeat to every peer and note who answered."""
    if not conf.is_enabled():
        return
    mind, before = observer(), selectors.read()
    mind.wake(now, before.rows)
    peers = [node for node in before.members if not node.is_self]
    if not peers or before.own.lifecycle == Lifecycle.LEFT:
        return
    interval = conf.cluster_config().heartbeat_interval.total_seconds()
    body = {"incarnation": before.own.incarnation}
    answers, _ = mind.heartbeats.ask(
        PATH_HEARTBEAT,
        {peer.address: body for peer in peers},
        timeout_seconds=min(HEARTBEAT_WAIT_SECONDS_MAX, 0.8 * interval),
    )
    seen = [peer for peer in peers if peer.address in answers]
    behind = [p.address for p in seen if not _note_answer(mind, p, answers[p.address], before, now)]
    if seen:
        hearing.touch([before.own.node_id, *(peer.node_id for peer in seen)])
    if behind:
        _gossip_with(mind, behind, now)
    settle_with(before, answers, seen)
    _ask_about_silent(mind, peers, now)
    after = selectors.read()
    mind.judge(after.rows, now)
    round_trips = mind.heartbeats.round_trips_seconds
    heard = {peer.address: round_trips.get(peer.address, 0.0) for peer in seen}
    views.note([node for node in selectors.read().members if not node.is_self], heard)


def _ask_about_silent(mind: Observer, peers: list[NodeInfo], now: float) -> None:
    """Let others try to reach those that this node does not hear, before it judges them."""
    silent = [peer for peer in peers if mind.is_silent(peer.node_id, now)]
    if silent:
        interval = conf.cluster_config().heartbeat_interval.total_seconds()
        wait_seconds = min(HEARTBEAT_WAIT_SECONDS_MAX, 0.5 * interval)
        for node_id in mind.prober.find_vouched(silent, peers, wait_seconds):
            mind.vouch(node_id, now)


def _note_answer(
    mind: Observer, peer: NodeInfo, answer: object, before: Snapshot, now: float
) -> bool:
    """Note a heartbeat's answer; return whether both know the same of each other."""
    if not isinstance(answer, dict) or answer.get("node_id") != peer.node_id:
        logger.warning("%s answers as %s, not as %s", peer.address, answer, peer.node_id)
        return False
    incarnation = answer.get("incarnation", 0)
    hearing.saw(peer.node_id, incarnation, before.rows.get(peer.node_id))
    mind.heard(peer.node_id, now)
    return bool(answer.get("agrees")) and incarnation == peer.incarnation


def gossip_tick(now: float, rng: random.Random) -> None:
    """Go on with joining, exchange news with a few peers, and judge the silent ones.

    Args:
        now: Monotonic seconds.
        rng: Source of chance for the choice of peers.
    """
    if not conf.is_enabled():
        return
    mind, before = observer(), selectors.read()
    if before.own.node_id not in before.rows:
        start()
        before = selectors.read()
    mind.wake(now, before.rows)
    if before.own.lifecycle == Lifecycle.LEFT:
        _come_back(before)
        return
    leaving.go_on(mind)
    if before.own.lifecycle in ON_THE_WAY:
        advance()
        before = selectors.read()
    peers = [node for node in before.members if not node.is_self]
    if peers and before.own.lifecycle != Lifecycle.STARTING:
        _gossip_with(mind, choose_peers(peers, other_seeds(before), rng), now)
    mind.judge(selectors.read().rows, now)


def _come_back(now: Snapshot) -> None:
    """Join again after a removal where the settings say so."""
    if now.own_removal is not None and settings.RS3GW_REJOIN_REMOVED:
        join()


def _gossip_with(mind: Observer, addresses: Iterable[str], now: float) -> None:
    """Exchange news with the peers at these addresses."""
    before = selectors.snapshot()
    own, sections = before.own.node_id, _produce_sections()
    messages = {}
    for address in addresses:
        news = _untold(mind, address, sections, now)
        messages[address] = opening(own, before.table, news).to_json()
    wait_seconds = _gossip_wait_seconds()
    answers, _ = mind.gossip.ask(PATH_GOSSIP, messages, timeout_seconds=wait_seconds)
    replies = {}
    for address, answer in answers.items():
        try:
            replies[address] = reply_from_json(answer)
        except MalformedMessage as error:
            logger.warning("%s does not answer gossip: %s", address, error)
            continue
        _note_told(mind, address, messages[address], now)
        _take_reply(mind, address, replies[address], now)
    _close(mind, replies)


def _take_reply(mind: Observer, address: str, reply: GossipReply, now: float) -> None:
    if address in conf.cluster_config().other_seeds() and address not in _known_addresses():
        table.note_seed(address, reply.node_id)
    if reply.records:
        table.absorb(reply.records)
        selectors.forget()
    if reply.node_id != selectors.snapshot().own.node_id:
        row = selectors.snapshot().rows.get(reply.node_id)
        hearing.saw(reply.node_id, reply.incarnation, row)
        mind.heard(reply.node_id, now)


def _known_addresses() -> set[str]:
    return {node.address for node in selectors.snapshot().members}


def _close(mind: Observer, replies: Mapping[str, GossipReply]) -> None:
    """Tell those who lack something what they lack."""
    known = selectors.snapshot().table.digest()
    if all(reply.digest == known for reply in replies.values()):
        return
    now = selectors.read()
    lacking = {
        address: message.to_json()
        for address, reply in replies.items()
        if (message := closing(now.own.node_id, now.table, reply)) is not None
    }
    mind.gossip.ask(PATH_GOSSIP, lacking, timeout_seconds=_gossip_wait_seconds())


def _gossip_wait_seconds() -> float:
    interval = conf.cluster_config().gossip_interval.total_seconds()
    return max(0.5, min(GOSSIP_WAIT_SECONDS_MAX, interval))


def _produce_sections() -> dict[str, tuple[object, str]]:
    produced = {}
    for name, (produce, _) in registry.gossip_sections.items():
        value = produce()
        produced[name] = (value, json.dumps(value, sort_keys=True))
    return produced


def _untold(
    mind: Observer, address: str, sections: Mapping[str, tuple[object, str]], now: float
) -> dict[str, object]:
    """Return the sections that a peer has not been told, or not for a while."""
    untold = {}
    for name, (value, text) in sections.items():
        told_text, told_at = mind.sections_told.get((address, name), ("", 0.0))
        if told_text != text or now - told_at >= SECTION_RESEND_SECONDS:
            untold[name] = value
    return untold


def _note_told(mind: Observer, address: str, message: Mapping[str, object], now: float) -> None:
    sections = message.get("sections")
    if isinstance(sections, dict):
        for name, value in sections.items():
            mind.sections_told[address, name] = (json.dumps(value, sort_keys=True), now)
