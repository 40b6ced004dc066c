"""Several nodes, a bad network, bad clocks and crashes: the rules hold for every seed."""

import pytest

from tests.simulation import checkers, workloads
from tests.simulation.world import World, seeds


@pytest.mark.parametrize("seed", seeds(120))
def test_three_nodes_converge_whatever_happens_to_objects(seed):
    world = World(seed)
    workloads.objects(world)
    world.settle()
    checkers.check_all(world)


@pytest.mark.parametrize("seed", seeds(120))
def test_three_nodes_converge_whatever_happens_to_buckets(seed):
    world = World(seed)
    workloads.buckets(world)
    world.settle()
    checkers.check_all(world)


@pytest.mark.parametrize("seed", seeds(20))
def test_five_nodes_converge(seed):
    world = World(seed, node_count=5)
    workloads.buckets(world)
    world.settle()
    checkers.check_all(world)
