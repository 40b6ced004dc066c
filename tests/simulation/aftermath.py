"""What must hold in a region whose nodes forget, once everybody is back and has everything."""

from collections import defaultdict

from replication.core.events import EventKind
from tests.simulation.region import Region
from tests.simulation.replica import Dot
from tests.simulation.workloads import KEYS


def check_all(region: Region) -> None:
    """Check what readers see, let the region rest, and check that it has not changed."""
    readers_see_what_was_written_last(region)
    region.rest(lambda: not left_over(region))
    readers_see_what_was_written_last(region)
    assert not left_over(region), f"still kept: {left_over(region)[:5]}"


def set_aside(region: Region) -> set[Dot]:
    """Return the writes that wait for a person, and those that were lost with a disk."""
    return region.lost | {dot for node in region.nodes.values() for dot in node.disk.quarantine}


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
    replaced = replaced_dots(region)
    found: dict[str, set[Dot]] = defaultdict(set)
    by_version = defaultdict(list)
    for write in writes:
        if write.dot not in replaced | region.lost:
            by_version[write.key, region.version_of(write)].append(write)
    tops = defaultdict(list)
    for (key, _), values in by_version.items():
        best = max(values, key=lambda w: (hlcs[w.dot], *w.dot))
        if best.kind == EventKind.PUT_OBJECT:
            tops[key].append(best)
    for key, values in tops.items():
        found[key] = {max(values, key=lambda w: (hlcs[w.dot], *w.dot)).dot}
    return found


def replaced_dots(region: Region) -> set[Dot]:
    """Return the writes that were replaced or deleted by a change that was not lost."""
    kept = [write for write in region.writes if write.dot not in region.lost]
    return {dot for write in kept for dot in write.replaced}


def readers_see_what_was_written_last(region: Region) -> None:
    """All nodes show the same, and it is what the clients' writes come to."""
    wanted, aside = expected(region), set_aside(region)
    shown = {
        name: {key: dot for _, _, key, dot in node.listing()} for name, node in region.nodes.items()
    }
    first = next(iter(shown.values()))
    clear = {key for key in KEYS if not aside & region.dots_of(key)}
    for name, listing in shown.items():
        for key in clear:
            assert listing.get(key) == first.get(key), f"{name} and n0 differ in {key}: {shown}"
    replaced = replaced_dots(region)
    again = {dot for node in region.nodes.values() for dot in node.disk.rewritten.values()}
    for key in {*wanted, *first}:
        dot = first.get(key)
        assert dot not in replaced, f"{key} shows {dot} again, which was replaced or deleted"
        is_clear = not ((aside | again) & region.dots_of(key))
        assert not is_clear or {dot} == wanted.get(key, {None}), (
            f"{key} shows {dot}, not {wanted.get(key)}"
        )


def left_over(region: Region) -> list[object]:
    """Return what nodes still keep: events in their logs, and tombstones.

    Tombstones of writers whose disk died before all had their changes do not count, nor what they
    compete with: comparing indexes is what brings them to the others.
    """
    gone = {actor for actor, _ in region.lost}
    waiting = {write.key for write in region.writes if write.dot[0] in gone}
    found: list[object] = []
    for name, node in region.nodes.items():
        found += [(name, p) for p in range(1, len(node.disk.log) + 1) if p not in node.disk.gone]
        found += [
            (name, place, value.stamp)
            for place, values in node.disk.keys.items()
            for value in values
            if value.is_tombstone and place[1] not in waiting
        ]
    return found
