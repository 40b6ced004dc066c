"""Asking other members about a peer that this node does not hear."""

import logging
import random
from collections.abc import Sequence

from cluster.core.membership import MalformedMessage
from cluster.core.node import NodeInfo
from cluster.core.probing import choose_helpers
from cluster.services.fanout import FanOut
from cluster.transport import PeerClient, PeerError

logger = logging.getLogger(__name__)
PATH_PROBE = "/_cluster/probe"
PATH_PING = "/_cluster/ping"
PING_TIMEOUT_SECONDS = 1.0


class Prober:
    """Asks others about silent peers; one question at a time to each of them."""

    def __init__(self) -> None:
        self._asking = FanOut("probe")
        self._rng = random.Random()

    def find_vouched(
        self, silent: Sequence[NodeInfo], peers: Sequence[NodeInfo], timeout_seconds: float
    ) -> set[str]:
        """Return the silent peers that another member reaches now.

        Args:
            silent: Peers that this node does not hear.
            peers: All other members.
            timeout_seconds: Longest time to wait for all answers, > 0.
        """
        asked: dict[str, list[str]] = {}
        for peer in silent:
            for helper in choose_helpers(peers, peer.node_id, self._rng):
                asked.setdefault(helper.address, []).append(peer.node_id)
        bodies: dict[str, object] = {address: {"nodes": names} for address, names in asked.items()}
        answers, _ = self._asking.ask(PATH_PROBE, bodies, timeout_seconds=timeout_seconds)
        return {name for address, said in answers.items() for name in _heard(said, asked[address])}


def _heard(said: object, asked: Sequence[str]) -> list[str]:
    heard = said.get("heard") if isinstance(said, dict) else None
    return [name for name in asked if isinstance(heard, list) and name in heard]


def names_in(data: object, names_max: int) -> list[str]:
    """Return the names that a probe asks about.

    Raises:
        MalformedMessage: It is no probe.
    """
    names = data.get("nodes") if isinstance(data, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise MalformedMessage("Send {'nodes': [names]}.")
    return names[:names_max]


def reaches(node: NodeInfo) -> bool:
    """Return whether a node answers a ping now."""
    try:
        PeerClient(node.address).request("GET", PATH_PING, timeout_seconds=PING_TIMEOUT_SECONDS)
    except PeerError:
        return False
    return True
