"""One real node, node-1, and a network of pretended peers."""

import random

import pytest

from cluster import conf, selectors, services, transport
from cluster.core.node import NodeState
from cluster.models import Node
from cluster.services import life, observer, registry
from rs3gw.common import identity
from tests.integration.cluster.network import Network

HEARTBEAT_EVERY_SECONDS = 5


@pytest.fixture(autouse=True)
def own_node(transactional_db, settings):
    """Give the test a node of its own, in a cluster, that has not been started."""
    settings.RS3GW_CLUSTER_ENABLED = True
    settings.RS3GW_CLUSTER_ADVERTISE_ADDR = "node-1:9001"
    settings.RS3GW_CLUSTER_SEED_NODES = []
    settings.ROOT_URLCONF = "tests.integration.cluster.urls"
    _forget()
    kept = identity.ensure()
    yield
    if identity.load() != kept:
        identity.write(kept)
    _forget()


def _forget():
    for module in (conf, selectors, observer):
        module.forget()


@pytest.fixture
def hooks():
    """Let the test hook in, and take its hooks out again."""
    lists = registry.on_joining, registry.on_leaving, registry.on_returning, registry.on_renewing
    kept, kept_sections = [list(hooked) for hooked in lists], dict(registry.gossip_sections)
    for hooked in (*lists, registry.gossip_sections):
        hooked.clear()
    yield registry
    for hooked, before in zip(lists, kept, strict=True):
        hooked[:] = before
    registry.gossip_sections.clear()
    registry.gossip_sections.update(kept_sections)


@pytest.fixture
def network(monkeypatch, hooks):
    """Replace the way out to other nodes by pretended ones."""
    made = Network()

    def request(client, method, path, **kwargs):
        return made.request(client, method, path, **kwargs)

    monkeypatch.setattr(transport.PeerClient, "request", request)
    yield made
    for peer in made.peers.values():
        if peer.hang is not None:
            peer.hang.set()


class Ticker:
    """The worker's clockwork, turned by hand."""

    def __init__(self):
        self.now = 1000.0
        self._rng = random.Random(7)

    def gossip(self):
        services.gossip_tick(self.now, self._rng)
        life.wait_for_copy(10)
        leaving = observer.observer().leaving
        if leaving is not None:
            leaving.join(10)

    def heartbeat(self):
        services.heartbeat_tick(self.now)

    def run(self, seconds):
        """Let time pass: gossip every second, heartbeats every five."""
        for _ in range(seconds):
            self.now += 1
            self.gossip()
            if self.now % HEARTBEAT_EVERY_SECONDS == 0:
                self.heartbeat()


@pytest.fixture
def ticker():
    return Ticker()


@pytest.fixture
def state_of():
    """Return how a node shows now."""

    def read(node_id="node-1"):
        selectors.forget()
        node = selectors.member(node_id)
        return node.state if node else None

    return read


@pytest.fixture
def seeded(settings, network, ticker):
    """Return a function that makes an active region of node-1 and these peers."""

    def make(*names):
        settings.RS3GW_CLUSTER_SEED_NODES = [f"{name}:9001" for name in names]
        _forget()
        peers = [network.add(name) for name in names]
        network.introduce()
        services.start()
        ticker.gossip()
        assert selectors.read().own.state is NodeState.ACTIVE
        return peers

    return make


@pytest.fixture
def row_of():
    def read(node_id):
        return Node.objects.get(node_id=node_id)

    return read
