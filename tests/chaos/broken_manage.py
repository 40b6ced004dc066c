"""`manage.py` of a node with a deliberate fault, which the checkers must find.

python tests/chaos/broken_manage.py FAULT serve --init
"""

import itertools

from tests.crash import broken_manage


def forgets_a_write():
    """Every fifth write that arrives from another node is confirmed and not applied."""
    from replication import applier
    from replication.core.events import EventKind

    apply, count = applier._HANDLERS[EventKind.PUT_OBJECT], itertools.count(1)
    applier._HANDLERS[EventKind.PUT_OBJECT] = lambda event, scene: (
        "applied" if next(count) % 5 == 0 else apply(event, scene)
    )


def resurrects():
    """Deletes that arrive from other nodes are confirmed and not applied."""
    from replication import applier
    from replication.core.events import EventKind

    applier._HANDLERS[EventKind.DELETE_OBJECT] = lambda event, scene: "applied"


def prefers_its_own():
    """A node keeps what it wrote itself, whatever arrives later."""
    from rs3gw.storage import rows, services
    from rs3gw.storage.models import ClockShard

    merge = services.merge_entry

    def merge_entry(entry, *, inline):
        own = set(ClockShard.objects.values_list("actor", flat=True))
        siblings = rows.read_siblings(entry.bucket_id, entry.key)
        if own & {sibling.stamp.actor for sibling in siblings}:
            return "superseded", False
        return merge(entry, inline=inline)

    services.merge_entry = merge_entry


def acknowledges_alone():
    """A quorum write is answered as soon as it is on its own node."""
    from replication import engine, services

    def complete(event, *, shard, **_):
        engine.doorbell.ring(shard)

    engine.complete = complete
    engine.preflight = services.preflight = lambda *_: None


FAULTS = {
    function.__name__.replace("_", "-"): function
    for function in (forgets_a_write, resurrects, prefers_its_own, acknowledges_alone)
}


if __name__ == "__main__":
    broken_manage.MUTANTS = FAULTS
    broken_manage.main()
