"""What must hold in a region whose nodes forget, once everybody is back and has everything."""

from collections import defaultdict

from replication.core.events import EventKind
from tests.simulation.region import Region
from tests.simulation.replica import Dot

QUIET_SECONDS = 120.0


def check_all(region: Region) -> None:
    """Check what readers see, let the region rest, and check that it has not changed."""
    readers_see_what_was_written_last(region)
    region.rest(QUIET_SECONDS)
    readers_see_what_was_written_last(region)
    nothing_is_left(region)


def set_aside(region: Region) -> set[Dot]:
    """Return the writes that wait for a person."""
    return {dot for node in region.nodes.values() for dot in node.disk.quarantine}


def expected(region: Region) -> dict[str, set[Dot]]:
    """Return the write that readers must see of each key, from what clients were told.

    Of all writes that nobody replaced who had seen them, the last by clock counts; one that was
    set aside may show or not.
    """
    hlcs = {
        (event.actor, event.seq): event.hlc
        for node in region.nodes.values()
        for event in (*node.disk.log, *region.old_logs)
    }
    writes = [w for w in region.writes if w.kind in (EventKind.PUT_OBJECT, EventKind.DELETE_OBJECT)]
    replaced = {dot for write in writes for dot in write.replaced}
    found: dict[str, set[Dot]] = defaultdict(set)
    by_version = defaultdict(list)
    for write in writes:
        if write.dot not in replaced:
            by_version[write.key, region.version_of(write)].append(write)
    tops = defaultdict(list)
    for (key, _), values in by_version.items():
        best = max(values, key=lambda w: (hlcs[w.dot], *w.dot))
        if best.kind == EventKind.PUT_OBJECT:
            tops[key].append(best)
    for key, values in tops.items():
        found[key] = {max(values, key=lambda w: (hlcs[w.dot], *w.dot)).dot}
    return found


def readers_see_what_was_written_last(region: Region) -> None:
    """All nodes show the same, and it is what the clients' writes come to."""
    wanted, aside = expected(region), set_aside(region)
    shown = {
        name: {key: dot for _, _, key, dot in node.listing()} for name, node in region.nodes.items()
    }
    first = next(iter(shown.values()))
    different = [name for name, listing in shown.items() if listing != first]
    assert not different, f"{different} show something else than n0: {shown}"
    replaced = {dot for write in region.writes for dot in write.replaced}
    again = {dot for node in region.nodes.values() for dot in node.disk.rewritten.values()}
    for key in {*wanted, *first}:
        dot = first.get(key)
        assert dot not in replaced, f"{key} shows {dot} again, which was replaced or deleted"
        is_clear = not ((aside | again) & region.dots_of(key))
        assert not is_clear or {dot} == wanted.get(key, {None}), (
            f"{key} shows {dot}, not {wanted.get(key)}"
        )


def nothing_is_left(region: Region) -> None:
    """After a rest no log holds an event, no tombstone is kept, no gap is told of."""
    for name, node in region.nodes.items():
        kept = set(range(1, len(node.disk.log) + 1)) - node.disk.gone
        assert not kept, f"{name} still keeps events {sorted(kept)}"
        tombstones = [
            (place, value.stamp)
            for place, values in node.disk.keys.items()
            for value in values
            if value.is_tombstone
        ]
        assert not tombstones, f"{name} still keeps {tombstones}"
