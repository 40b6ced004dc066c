"""Short stories in which one missing rule brings a deleted object back."""

from replication.core.events import EventKind
from tests.simulation import checkers, workloads
from tests.simulation.member import LIMITS
from tests.simulation.region import Region
from tests.simulation.world import CALM

FORGET_SECONDS = 12.0


def put(region: Region, node: str, key: str, body: bytes | None = b"x") -> None:
    """Put an object, or delete it."""
    verb = "delete" if body is None else "put"
    region.do(node, f"{verb} {key}", lambda n, now: n.put("photos", key, body, now))


def a_rival_is_on_its_way(region: Region) -> None:
    """Everyone has a delete, but one has not the write that was made beside it."""
    workloads.create_photos(region)
    region.weather = CALM
    region.skews = dict.fromkeys(region.nodes, 0.0)
    n2 = region.nodes["n2"]
    take = n2._apply_once
    is_held = True

    def hold_the_put(event, *rest):
        if is_held and event.key == "a" and event.kind == EventKind.PUT_OBJECT:
            answer = checkers.parked_result(event)
            return type(answer)(actor=answer.actor, seq=answer.seq, code="retry", reason="full")
        return take(event, *rest)

    n2._apply_once = hold_the_put
    put(region, "n0", "a")
    region.skews["n1"] = 0.5
    put(region, "n1", "a", None)
    region.run(FORGET_SECONDS)
    is_held = False


def half_a_write_and_a_long_absence(region: Region) -> None:
    """A write reached one of two, was deleted there, and its node comes back much later."""
    workloads.create_photos(region)
    region.weather = CALM
    region.skews = dict.fromkeys(region.nodes, 0.0)
    region.cut = {frozenset(("n0", "n2"))}
    put(region, "n2", "a")
    while not region.nodes["n1"].disk.times_applied.get((region.nodes["n2"].actor, 1)):
        region.run(0.05)
    region.split(["n2"])
    put(region, "n1", "a", None)
    for number in range(LIMITS.events + 2):
        put(region, "n0", f"other-{number}")
    region.run(FORGET_SECONDS)
    region.cut.clear()
