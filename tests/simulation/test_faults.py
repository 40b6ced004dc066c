"""One fault at a time, and what must come of it."""

import pytest

from tests.simulation import checkers, workloads
from tests.simulation.world import CALM, Weather, World, seeds


def calm_world(seed=0, **options):
    world = World(seed, weather=CALM, **options)
    workloads.create_photos(world)
    return world


def put(world, node, key, body=b"x"):
    world.do(node, f"put {key}", lambda n, now: n.put("photos", key, body, now))


def keys_on(world, node):
    return [key for _, _, key, _ in world.nodes[node].listing()]


def test_a_killed_node_catches_up():
    world = calm_world()
    world.kill("n2")
    for index in range(20):
        put(world, "n0", f"key-{index:02}")
    world.run(60)
    world.start("n2")
    world.wait_until_drained(world.nodes)
    assert len(keys_on(world, "n2")) == 20
    checkers.check_all(world)


def test_a_write_outlives_the_death_of_its_node_right_after_the_commit():
    world = calm_world()
    put(world, "n0", "a")
    world.kill("n0")
    world.run(10)
    assert keys_on(world, "n1") == []
    world.start("n0")
    world.wait_until_drained(world.nodes)
    assert keys_on(world, "n1") == ["a"]


def test_a_lost_answer_makes_a_second_delivery_harmless():
    world = calm_world()
    put(world, "n0", "a")
    while not world.nodes["n1"].disk.times_applied.get((1000, 2)):
        world.run(0.001)
    world.kill("n0")
    world.start("n0")
    world.wait_until_drained(world.nodes)
    checkers.check_all(world)


def test_an_event_that_fails_blocks_no_other():
    world = calm_world()
    node = world.nodes["n1"]
    real = node._apply_once

    def refuse_the_first(event, *rest):
        if event.key == "poison":
            return checkers.parked_result(event)
        return real(event, *rest)

    node._apply_once = refuse_the_first
    put(world, "n0", "poison")
    put(world, "n0", "after")
    world.wait_until_drained(world.nodes)
    assert keys_on(world, "n1") == ["after"]
    assert list(world.nodes["n0"].disk.lanes["n1"].parked.values()) == ["parked poison"]
    assert keys_on(world, "n2") == ["after", "poison"]


def test_a_clock_a_day_ahead_drags_nobody_along():
    world = calm_world()
    world.skews["n0"] = 86_400.0
    put(world, "n0", "a")
    world.wait_until_drained(world.nodes)
    assert keys_on(world, "n1") == []
    parked = world.nodes["n0"].disk.lanes["n1"].parked
    assert list(parked.values()) == ["parked clock_skew"]
    assert world.nodes["n1"].disk.hlc >> 16 <= (world.now + 1) * 1000


@pytest.mark.parametrize("seed", seeds(20))
def test_a_write_that_follows_another_wins_however_wrong_the_clocks_are(seed):
    world = World(seed, weather=Weather(loss=0, crashes=False, partitions=False))
    workloads.create_photos(world)
    for index in range(12):
        node = world.rng.choice(list(world.nodes))
        world.set_skew(node)
        put(world, node, world.rng.choice("ab"), None if index % 3 == 2 else b"x")
        world.wait_until_drained(world.nodes)
        checkers.readers_see_the_last_write(world)


def test_concurrent_writes_on_two_sides_of_a_partition_end_with_one_winner():
    world = calm_world()
    world.split(["n0"])
    put(world, "n0", "a")
    put(world, "n2", "a")
    world.run(5)
    world.settle()
    checkers.check_all(world)
    for node in world.nodes.values():
        (values,) = [v for (_, key), v in node.disk.keys.items() if key == "a"]
        assert len(values) == 2


def test_a_bucket_delete_loses_against_an_object_it_had_not_seen():
    world = calm_world()
    world.split(["n0"])
    put(world, "n1", "a")
    world.do("n0", "delete photos", lambda n, now: n.delete_bucket("photos", now))
    assert world.nodes["n0"].served("photos") is None
    world.run(2)
    world.settle()
    for node in world.nodes:
        assert keys_on(world, node) == ["a"]
        assert world.nodes[node].served("photos").standing == "delete_conflict"


def test_two_nodes_create_one_name_and_share_one_bucket():
    world = World(1, weather=CALM)
    for node in ("n0", "n1"):
        world.do(node, "create", workloads.creates(world, "photos"))
        put(world, node, f"of-{node}")
    world.settle()
    checkers.check_all(world)
    for node in world.nodes:
        assert keys_on(world, node) == ["of-n0", "of-n1"]


def test_a_late_event_of_a_deleted_bucket_stays_out_of_its_next_life():
    world = calm_world()
    world.kill("n2")
    put(world, "n0", "old")
    put(world, "n0", "old", None)
    world.do("n0", "delete photos", lambda n, now: n.delete_bucket("photos", now))
    world.do("n0", "create photos", workloads.creates(world, "photos"))
    put(world, "n0", "new")
    world.settle()
    checkers.check_all(world)
    assert [keys_on(world, node) for node in world.nodes] == [["new"]] * 3


def test_the_same_seed_tells_the_same_story():
    def story():
        world = World(7)
        workloads.buckets(world)
        world.settle()
        return checkers.snapshot(world.nodes["n1"])

    assert story() == story()
