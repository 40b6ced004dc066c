"""What must hold whatever happened. Each checker raises AssertionError and says what broke.

The evidence is what clients did and were told (`World.writes`) and what the writing node had seen
at that moment; the checkers trust nothing that the code under test says about causality.
"""

import itertools
import json

from replication.core.buckets import families
from replication.core.envelope import ItemResult
from replication.core.events import EventKind, ReplicationEvent
from tests.simulation.replica import Dot, Replica
from tests.simulation.world import World

OBJECT_KINDS = {EventKind.PUT_OBJECT, EventKind.DELETE_OBJECT}


def parked_result(event: ReplicationEvent) -> ItemResult:
    """Return the answer of a node that cannot take an event without a person."""
    return ItemResult(actor=event.actor, seq=event.seq, code="parked", reason="poison")


def check_all(world: World) -> None:
    """Check everything that holds once the lanes are empty."""
    nothing_is_parked(world)
    every_event_is_applied_once(world)
    all_nodes_hold_the_same(world)
    nothing_comes_back(world)
    no_write_is_lost(world)


def snapshot(node: Replica) -> bytes:
    """Return all that a node holds about objects and buckets, as bytes."""
    keys = [
        [
            place,
            [
                [s.stamp.order_key(), s.context.to_json(), s.is_tombstone, s.version_id, s.payload]
                for s in values
            ],
        ]
        for place, values in sorted(node.disk.keys.items())
    ]
    lives = [
        [life.incarnation, life.name, life.owner, life.deleted_hlc, life.delete_seen.to_json()]
        for life in sorted(node.disk.lives.values(), key=lambda life: life.incarnation)
        if life.created is not None
    ]
    content = {"keys": keys, "lives": lives, "listing": node.listing()}
    return json.dumps(content, sort_keys=True).encode()


def all_nodes_hold_the_same(world: World) -> None:
    """Nodes that received the same hold the same, byte for byte."""
    found = {name: snapshot(node) for name, node in world.nodes.items()}
    first = next(iter(found.values()))
    different = [name for name, content in found.items() if content != first]
    assert not different, f"{different} differ from n0"


def nothing_is_parked(world: World) -> None:
    """No event waits for a person."""
    parked = {
        (node.node_id, peer): lane.parked
        for node in world.nodes.values()
        for peer, lane in node.disk.lanes.items()
        if lane.parked
    }
    assert not parked, f"parked: {parked}"


def every_event_is_applied_once(world: World) -> None:
    """Each node took in each event of the others exactly once, however often it was sent."""
    for node in world.nodes.values():
        expected = {
            (event.actor, event.seq)
            for other in world.nodes.values()
            if other is not node
            for event in other.disk.log
        }
        missing = expected - set(node.disk.times_applied)
        assert not missing, f"{node.node_id} never took in {sorted(missing)}"
        twice = {dot for dot, count in node.disk.times_applied.items() if count > 1}
        assert not twice, f"{node.node_id} took in twice {sorted(twice)}"


def nothing_comes_back(world: World) -> None:
    """Nothing that a writer saw and replaced or deleted is there, or shown, afterwards."""
    object_writes = [write for write in world.writes if write.kind in OBJECT_KINDS]
    replaced = {dot for write in object_writes for dot in write.replaced}
    in_place = {((w.incarnation, w.key), dot) for w in object_writes for dot in w.replaced}
    for node in world.nodes.values():
        held = {
            (place, (s.stamp.actor, s.stamp.seq))
            for place, values in node.disk.keys.items()
            for s in values
        }
        assert not held & in_place, f"{node.node_id} holds again {sorted(held & in_place)}"
        back = {dot for _, _, _, dot in node.listing()} & replaced
        assert not back, f"{node.node_id} shows again {sorted(back)}"


def no_write_is_lost(world: World) -> None:
    """Every object that was stored is still held, was replaced by someone who had seen it, or is
    hidden by the delete of a bucket on a node that had seen it."""
    replaced = {dot for w in world.writes if w.kind in OBJECT_KINDS for dot in w.replaced}
    seen_by_bucket_deletes: set[Dot] = set()
    for write in world.writes:
        if write.kind == EventKind.DELETE_BUCKET:
            seen_by_bucket_deletes |= write.replaced
    for node in world.nodes.values():
        family_of = {
            incarnation: family
            for family in families(node.disk.lives.values(), ())
            for incarnation in family.incarnations
        }
        held = {
            (s.stamp.actor, s.stamp.seq): (place, s)
            for place, values in node.disk.keys.items()
            for s in values
        }
        for write in world.writes:
            if write.kind not in OBJECT_KINDS or write.dot in replaced:
                continue
            assert write.dot in held, f"{node.node_id} has lost {write.dot} {write.key}"
            (incarnation, _), value = held[write.dot]
            seen = family_of[incarnation].seen
            is_hidden = seen.covers(value.stamp.actor, value.stamp.seq)
            if is_hidden and not value.is_tombstone:
                assert write.dot in seen_by_bucket_deletes, (
                    f"{node.node_id}: a bucket delete removed {write.dot}, which it had not seen"
                )


def readers_see_the_last_write(world: World) -> None:
    """Where nothing was concurrent, readers see the write that happened last."""
    last: dict[str, Dot | None] = {}
    for write in world.writes:
        if write.kind in OBJECT_KINDS:
            last[write.key] = None if write.kind == EventKind.DELETE_OBJECT else write.dot
    for node in world.nodes.values():
        shown = {key: dot for _, _, key, dot in node.listing()}
        for key, dot in last.items():
            assert shown.get(key) == dot, f"{node.node_id} shows {shown.get(key)} for {key}"


def acknowledged_writes_survive_any_minority(world: World) -> None:
    """Whichever minority of the nodes is lost now, a survivor has each acknowledged write."""
    count = len(world.nodes)
    for lost in itertools.combinations(world.nodes.values(), (count - 1) // 2):
        survivors = [node for node in world.nodes.values() if node not in lost]
        for write in world.writes:
            if write.outcome == "acknowledged":
                actor, seq = write.dot
                assert any(
                    node.disk.applied[actor].contains(seq)
                    for node in survivors
                    if actor in node.disk.applied
                ), f"{write.dot} is lost with {[node.node_id for node in lost]}"
