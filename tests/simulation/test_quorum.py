"""What an acknowledgement promises in each write mode."""

import pytest

from cluster.core.config import ReplicationMode
from tests.simulation import checkers, workloads
from tests.simulation.replica import Rules
from tests.simulation.world import CALM, Weather, World, seeds


def quorum_world(seed, *, node_count=5, rules=None, weather=None):
    world = World(seed, node_count=node_count, rules=rules, weather=weather)
    for node in world.nodes.values():
        node.mode = ReplicationMode.QUORUM
    return world


def outcomes(world, node):
    return [w.outcome for w in world.writes if w.node_id == node and w.key]


@pytest.mark.parametrize("seed", seeds(30))
def test_an_acknowledged_quorum_write_survives_the_loss_of_any_minority(seed):
    world = quorum_world(seed)
    workloads.objects(world)
    assert any(write.outcome == "acknowledged" for write in world.writes)
    checkers.acknowledged_writes_survive_any_minority(world)
    world.settle()
    checkers.check_all(world)


def test_counting_too_few_acks_is_caught():
    def one_is_enough(mode, members):
        return 1

    caught = 0
    for seed in range(10):
        world = quorum_world(seed, rules=Rules(acks_needed=one_is_enough))
        workloads.objects(world)
        try:
            checkers.acknowledged_writes_survive_any_minority(world)
        except AssertionError:
            caught += 1
    assert caught == 10


@pytest.mark.parametrize("seed", seeds(10))
def test_a_minority_acknowledges_nothing_and_the_majority_goes_on(seed):
    world = quorum_world(seed, weather=CALM)
    workloads.create_photos(world)
    world.split(["n0", "n1"])
    for node in world.nodes:
        world.do(node, "put", lambda n, now, k=node: n.put("photos", k, b"x", now))
    world.run(5)
    assert outcomes(world, "n0") + outcomes(world, "n1") == ["indeterminate"] * 2
    for node in ("n2", "n3", "n4"):
        assert outcomes(world, node) == ["acknowledged"]
    world.settle()
    checkers.check_all(world)
    # An indeterminate write is rolled forward, never undone.
    assert [key for _, _, key, _ in world.nodes["n4"].listing()] == sorted(world.nodes)


@pytest.mark.parametrize("seed", seeds(10))
def test_a_synchronous_write_is_on_every_node_when_it_is_acknowledged(seed):
    world = World(seed, weather=Weather(crashes=False, partitions=False, loss=0.05))
    for node in world.nodes.values():
        node.mode = ReplicationMode.SYNCHRONOUS
    workloads.objects(world)
    done = [write for write in world.writes if write.outcome == "acknowledged"]
    assert done
    for write in done:
        actor, seq = write.dot
        assert all(n.disk.applied[actor].contains(seq) for n in world.nodes.values())


@pytest.mark.parametrize("seed", seeds(10))
def test_a_slow_member_does_not_hold_up_a_quorum(seed):
    world = quorum_world(seed, node_count=3, weather=CALM)
    workloads.create_photos(world)
    world.kill("n2")
    before = world.now
    world.do("n0", "put", lambda n, now: n.put("photos", "a", b"x", now))
    while world.writes[-1].outcome != "acknowledged":
        world.run(0.01)
    assert world.now - before < 0.1
