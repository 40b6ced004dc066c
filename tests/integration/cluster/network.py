"""A network of pretended peers behind the transport; what they say is decided by the real core."""

import http.client
import json
import threading

from cluster.core.gossip import answer, message_from_json
from cluster.core.membership import Membership, Status, record_from_json
from cluster.core.node import Lifecycle
from cluster.transport import PeerRefused, PeerResponse, PeerUnreachable
from tests.unit.cluster.nodes import address_of, record

HANG_SECONDS_MAX = 20


class Peer:
    """One pretended node."""

    def __init__(self, node_id, incarnation=1, **facts):
        self.node_id = node_id
        self.address = facts.get("address", address_of(node_id))
        self.table = Membership([record(node_id, incarnation, **facts)])
        self.is_down = False
        self.hang = None
        self.refusal = None
        self.received = []
        self.reaches = set()

    @property
    def own(self):
        return self.table.get(self.node_id)

    def learn(self, *records):
        self.table = self.table.merge(Membership(records))

    def handle(self, path, data):
        name = path.rpartition("/")[2]
        self.received.append((name, data))
        return getattr(self, f"_on_{name}")(data)

    def _on_join(self, data):
        self.learn(record_from_json(data["record"]))
        return {"node_id": self.node_id, "records": self.table.to_json()}

    _on_leave = _on_join

    def _on_gossip(self, data):
        message = message_from_json(data)
        self.learn(*message.records)
        return answer(self.node_id, self.table, message).to_json()

    def _on_heartbeat(self, data):
        known = [r for r in self.table if r.incarnation == data["incarnation"]]
        agrees = any(r.node_id != self.node_id and r.status != Status.LEFT for r in known)
        return {
            "node_id": self.node_id,
            "incarnation": self.own.incarnation,
            "agrees": agrees,
            "digest": self.table.digest(),
        }

    def _on_probe(self, data):
        return {"heard": [name for name in data["nodes"] if name in self.reaches]}

    def knows(self, node_id):
        """Return what this peer knows of a node: its state, or None."""
        known = self.table.get(node_id)
        if known is None:
            return None
        return Lifecycle.LEFT if known.status == Status.LEFT else known.facts.lifecycle


class Network:
    """Delivers requests to pretended peers."""

    def __init__(self):
        self.peers = {}
        self.requests = 0
        self._lock = threading.Lock()

    def add(self, node_id, **facts):
        peer = Peer(node_id, **facts)
        self.peers[peer.address] = peer
        return peer

    def introduce(self):
        """Let all pretended peers know each other."""
        everyone = [peer.own for peer in self.peers.values()]
        for peer in self.peers.values():
            peer.learn(*everyone)

    def request(self, client, method, path, *, body=b"", **_):
        with self._lock:
            self.requests += 1
        peer = self.peers.get(client.address)
        if peer is None or peer.is_down:
            raise PeerUnreachable(f"{client.address} does not answer")
        if peer.hang is not None:
            peer.hang.wait(HANG_SECONDS_MAX)
            raise PeerUnreachable(f"{client.address} does not answer in time")
        if peer.refusal is not None:
            raise PeerRefused(client.address, *peer.refusal)
        with self._lock:
            reply = peer.handle(path, json.loads(body))
        return PeerResponse(200, http.client.HTTPMessage(), json.dumps(reply).encode())
