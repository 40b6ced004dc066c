"""Gossip as a game of pure tables: how many rounds until all know."""

import math
import random

import pytest

from cluster.core.gossip import answer, choose_peers, closing, opening
from cluster.core.membership import Membership
from tests.unit.cluster.nodes import address_of, info, record

ROUNDS_PER_DOUBLING = 3


class World:
    """Nodes that exchange their tables; every message may be lost."""

    def __init__(self, size, *, seed, loss=0.0):
        self.rng = random.Random(seed)
        self.loss = loss
        self.names = [f"node-{number}" for number in range(size)]
        everyone = Membership([record(name) for name in self.names])
        self.tables = dict.fromkeys(self.names, everyone)
        self.by_address = {address_of(name): name for name in self.names}
        self.cut = set()

    def join(self, name, contact):
        self.names.append(name)
        self.by_address[address_of(name)] = name
        self.tables[name] = Membership([record(name)])
        self.exchange(name, contact)

    def round(self, seeds):
        for name in self.rng.sample(self.names, len(self.names)):
            peers = [info(r.node_id) for r in self.tables[name] if r.node_id != name]
            others = [address for address in seeds if address != address_of(name)]
            for address in choose_peers(peers, others, self.rng):
                self.exchange(name, self.by_address[address])

    def exchange(self, caller, callee):
        if frozenset((caller, callee)) in self.cut or self.is_lost():
            return
        ours, theirs = self.tables[caller], self.tables[callee]
        reply = answer(callee, theirs, opening(caller, ours, {}))
        if self.is_lost():
            return
        self.tables[caller] = ours = ours.merge(Membership(reply.records))
        push = closing(caller, ours, reply)
        if push is not None and not self.is_lost():
            self.tables[callee] = theirs.merge(Membership(push.records))

    def is_lost(self):
        return self.rng.random() < self.loss

    def rounds_until(self, condition, *, seeds, limit):
        for count in range(1, limit + 1):
            self.round(seeds)
            if condition(self):
                return count
        raise AssertionError(f"not within {limit} rounds")

    def agrees(self):
        return len({table.digest() for table in self.tables.values()}) == 1


def budget(size, factor=1.0):
    return math.ceil(factor * ROUNDS_PER_DOUBLING * math.log2(size))


@pytest.mark.parametrize("size", [3, 8, 32, 100])
@pytest.mark.parametrize("seed", range(3))
def test_all_know_of_a_join_in_rounds_that_grow_with_the_logarithm(size, seed):
    world = World(size, seed=seed)
    world.join("new", "node-1")

    rounds = world.rounds_until(World.agrees, seeds=[address_of("node-0")], limit=budget(size))

    assert all(table.get("new") for table in world.tables.values())
    assert rounds <= budget(size)


@pytest.mark.parametrize("seed", range(3))
def test_news_gets_through_where_a_third_of_the_messages_is_lost(seed):
    world = World(30, seed=seed, loss=0.33)
    world.tables["node-7"] = world.tables["node-7"].merge(Membership([record("node-7", 2)]))

    world.rounds_until(World.agrees, seeds=[address_of("node-0")], limit=budget(30, factor=2))

    assert {table.get("node-7").incarnation for table in world.tables.values()} == {2}


def test_two_halves_that_learned_different_things_agree_after_the_split_heals():
    world = World(10, seed=4)
    left, right = world.names[:5], world.names[5:]
    world.cut = {frozenset((one, two)) for one in left for two in right}
    for half, who in ((left, "node-1"), (right, "node-8")):
        for name in half:
            world.tables[name] = world.tables[name].merge(Membership([record(who, 5)]))
    seeds = [address_of("node-0"), address_of("node-9")]
    for _ in range(5):
        world.round(seeds)
    assert not world.agrees()

    world.cut = set()
    world.rounds_until(World.agrees, seeds=seeds, limit=budget(10))

    table = world.tables["node-0"]
    assert (table.get("node-1").incarnation, table.get("node-8").incarnation) == (5, 5)
