"""What clients and misfortune do to a world."""

from tests.simulation.world import CALM, World

KEYS = ("a", "b", "c", "versioned-d")
NAMES = ("photos", "backups")


def creates(world: World, name: str):
    """Return a client's request for a bucket."""
    return lambda node, now: node.create_bucket(name, "o", world.rng, now)


def create_photos(world: World) -> None:
    """Create a bucket, and let every node hear of it in good weather."""
    weather, failures = world.weather, world.nodes["n0"].item_failures
    world.do("n0", "create photos", creates(world, "photos"))
    world.settle()
    world.weather = weather
    for node in world.nodes.values():
        node.item_failures = failures


def objects(world: World, *, seconds: float = 12.0, rate: float = 6.0) -> None:
    """Put and delete objects on all nodes for a while, in a bucket that every node knows."""
    create_photos(world)
    misfortune(world, seconds)
    for _ in range(int(seconds * rate)):
        world.after(world.rng.random() * seconds, lambda: _object(world, "photos"))
    world.run(seconds)


def buckets(world: World, *, seconds: float = 12.0, rate: float = 8.0) -> None:
    """Create and delete buckets of few names as well, by two owners on all nodes."""
    misfortune(world, seconds)
    for _ in range(int(seconds * rate)):
        world.after(world.rng.random() * seconds, lambda: _anything(world))
    world.run(seconds)


def bucket_deleted_over_a_gap(world: World) -> None:
    """Let n0 delete a bucket after it took in a later event of n1, and before an earlier put."""
    create_photos(world)
    world.weather = CALM
    n0, n1 = world.nodes["n0"], world.nodes["n1"]
    n0.item_failures = 1.0
    world.do("n1", "put photos/a", lambda node, now: node.put("photos", "a", b"x", now))
    while not n1.disk.lanes["n0"].retry:
        world.run(0.01)
    n0.item_failures = 0.0
    for body in (b"x", None):
        world.do(
            "n1", "put or delete photos/b", lambda n, now, b=body: n.put("photos", "b", b, now)
        )
    while not n0.disk.times_applied.get((n1.actor, 3)):
        world.run(0.01)
    world.do("n0", "delete photos", lambda node, now: node.delete_bucket("photos", now))


def _object(world: World, name: str) -> None:
    if world.up():
        one_object(world, name, world.rng.choice(world.up()))


def one_object(world: World, name: str, node: str) -> None:
    """Put or delete an object on a node."""
    rng = world.rng
    key = rng.choice(KEYS)
    is_delete = rng.random() < 0.3
    body = None if is_delete else rng.randbytes(rng.choice((0, 3, 15, 40)))
    verb = "delete" if is_delete else "put"
    world.do(node, f"{verb} {name}/{key}", lambda n, now: n.put(name, key, body, now))


def _anything(world: World) -> None:
    rng = world.rng
    name = rng.choice(NAMES)
    if not world.up():
        return
    node, dice = rng.choice(world.up()), rng.random()
    if dice < 0.2:
        owner = rng.choices(("anna", "bob"), (4, 1))[0]
        world.do(node, f"create {name}", lambda n, now: n.create_bucket(name, owner, rng, now))
    elif dice < 0.4:
        if rng.random() < 0.66:
            _empty(world, node, name)
        world.do(node, f"delete bucket {name}", lambda n, now: n.delete_bucket(name, now))
    else:
        _object(world, name)


def _empty(world: World, node: str, name: str) -> None:
    for bucket, _, key, _ in world.nodes[node].listing():
        if bucket == name:
            world.do(node, f"delete {name}/{key}", lambda n, now, k=key: n.put(name, k, None, now))


def misfortune(world: World, seconds: float) -> None:
    """Set clocks wrong, and let nodes die and links break, as the weather says."""
    rng, weather = world.rng, world.weather
    for name in world.nodes:
        for _ in range(3):
            world.after(rng.random() * seconds, lambda name=name: world.set_skew(name))
        if weather.crashes:
            begin = rng.random() * seconds
            world.after(begin, lambda name=name: world.kill(name))
            world.after(begin + rng.random() * 4, lambda name=name: world.start(name))
    if weather.partitions:
        begin = rng.random() * seconds
        world.after(begin, lambda: world.split([rng.choice(list(world.nodes))]))
        world.after(begin + rng.random() * 6, lambda: world.cut.clear())
