"""What a member that was evicted brings back, compared with what the region holds.

It has been away for longer than deletes are remembered, so its own objects prove nothing.
`replication.core.review` judges each: most are in the region and stay; what nobody took is written
again where it wins, and what nobody knows waits in quarantine for a person. What waited in the log
is dropped, because sent now it could bring back what the others have forgotten the delete of.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.conf import settings

from cluster import selectors as cluster_selectors
from cluster import transport
from cluster.core.node import NodeInfo
from replication import bucket_state, entries, outbox, stability
from replication.core.applied import AppliedRanges
from replication.core.review import Answer, Brought, Fate, Known, judge, uncovers
from replication.core.stability import ranges_of
from replication.models import (
    AppliedActor,
    Eviction,
    MemberFrontier,
    QuarantinedVersion,
    ReplicationEventRecord,
    SkippedEvent,
)
from rs3gw.common import clock, identity
from rs3gw.storage import attributes, commit, rows
from rs3gw.storage import services as storage
from rs3gw.storage.attributes import VersionDot
from rs3gw.storage.core.objects import NULL_VERSION, Entry
from rs3gw.storage.core.siblings import Sibling, winner
from rs3gw.storage.models import Bucket, ClockShard, KeptBody, ObjectState, ObjectVersion

logger = logging.getLogger(__name__)
KNOWN_PATH = "/_cluster/entries/known"
PAGE_ROWS = 300
KEYS_MAX = 500
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """What a review goes by.

    Attributes:
        source: The member that the index was copied from.
        others: Clients of the other members that answer.
        old: How far this node's own writers were when it was told to join again.
        shared: How far every member had taken them.
    """

    source: transport.PeerClient
    others: Sequence[transport.PeerClient]
    old: Mapping[int, int]
    shared: Mapping[int, int]


def review(node: NodeInfo) -> int:
    """Judge what this node holds, if it was evicted; return how many objects were set aside.

    Runs after the index was copied from `node`, and before this node is a member again.

    Raises:
        PeerError: The member stopped answering; reviewing again is safe.
    """
    notice = stability.own_notice()
    if notice is None:
        return 0
    scene = _scene(node, {int(actor): seq for actor, seq in notice.own_frontier.items()})
    sent: set[tuple[int, int]] = set()
    # Deletes last: until then they show what loses against them.
    count = _review_rows(scene, node, sent, deletes=False)
    _review_rows(scene, node, sent, deletes=True)
    commit.run(lambda: _drop_unsent(notice, scene.old, sent))
    outcome = f"joined again from {node.node_id}; {count} objects in quarantine"
    Eviction.objects.filter(pk=notice.pk).update(ended_at=clock.utcnow(), outcome=outcome)
    logger.warning("this node %s", outcome)
    return count


def _scene(node: NodeInfo, old: Mapping[int, int]) -> _Scene:
    registered = cluster_selectors.registered_peers()
    told = {row.node_id: row.frontiers for row in MemberFrontier.objects.all()}
    reachable = [n for n in cluster_selectors.routable() if not n.is_self and n != node]
    return _Scene(
        source=transport.client(node),
        others=[transport.client(n) for n in reachable if n.node_id != node.node_id],
        old=old,
        shared={
            actor: min((told.get(n.node_id, {}).get(str(actor), 0) for n in registered), default=0)
            for actor in old
        },
    )


def _review_rows(
    scene: _Scene, node: NodeInfo, sent: set[tuple[int, int]], *, deletes: bool
) -> int:
    """Judge all values or all deletes; return how many were set aside."""
    count = after = 0
    while page := _page(after, deletes=deletes):
        after = page[-1].row_id or 0
        known = _ask_all(scene, page)
        fates = [(e, _judge(scene, e, k)) for e, k in zip(page, known, strict=True)]
        sent |= {(entry.actor, entry.seq) for entry, fate in fates if fate == Fate.SEND}
        commit.run(lambda fates=fates: _carry_out(fates, node))  # type: ignore[misc]
        count += sum(fate == Fate.SET_ASIDE for _, fate in fates)
    return count


def _page(after: int, *, deletes: bool) -> list[Entry]:
    # What this review writes again is behind the last row, and is judged as new.
    found = ObjectVersion.objects.filter(pk__gt=after).order_by("pk")
    tombstone = ObjectState.TOMBSTONE
    found = found.filter(state=tombstone) if deletes else found.exclude(state=tombstone)
    return rows.read_entries(list(found.values_list("pk", flat=True)[:PAGE_ROWS]))


def _ask_all(scene: _Scene, page: Sequence[Entry]) -> list[Known]:
    """Return what the members know of each entry; only the source has to answer."""
    first = _ask(scene.source, page)
    unclear = [
        index
        for index, entry in enumerate(page)
        if not first[index].has_row or entry.seq > scene.shared.get(entry.actor, entry.seq)
    ]
    more: dict[int, tuple[Answer, ...]] = {}
    for client in scene.others if unclear else ():
        try:
            answers = _ask(client, [page[index] for index in unclear])
        except transport.PeerError as error:
            logger.info("reviewing without an answer: %s", error)
            continue
        for index, answer in zip(unclear, answers, strict=True):
            more[index] = (*more.get(index, ()), answer)
    return [Known(answer, more.get(index, ())) for index, answer in enumerate(first)]


def _ask(client: transport.PeerClient, page: Sequence[Entry]) -> list[Answer]:
    buckets = Bucket.objects.in_bulk({entry.bucket_id for entry in page})
    keys = [
        [str(buckets[e.bucket_id].incarnation), e.key, e.version_id, e.actor, e.seq] for e in page
    ]
    body = json.dumps({"keys": keys}).encode()
    response = client.request("POST", KNOWN_PATH, body=body, timeout_seconds=TIMEOUT_SECONDS)
    return [
        Answer(
            has_row="row" in words,
            has_version="version" in words,
            was_applied="applied" in words,
            will_send="sends" in words,
            refuses="refuses" in words,
        )
        for words in json.loads(response.body)["known"]
    ]


def what_is_known(keys: Iterable[Sequence[object]]) -> list[list[str]]:
    """Return what this node knows of values that another one brings back.

    Args:
        keys: Bucket incarnation, key, version id, and the dot of each value.

    Returns:
        For each which of these hold: `row`, it holds the value; `version`, it holds some value of
        its version; `applied`, it has applied the change that made it; `sends`, that change is in
        its log; `refuses`, it has evicted the writer.
    """
    homes: dict[str, int] = {}
    own = dict(ClockShard.objects.values_list("actor", "seq"))
    applied = {
        row.actor: AppliedRanges.from_json({"frontier": row.frontier, "islands": row.islands})
        for row in AppliedActor.objects.all()
    }
    evicted = {row.actor for row in stability.open_evictions()}
    may_send = not stability.is_rejoining()
    found = []
    for incarnation, key, version_id, writer, number in list(keys)[:KEYS_MAX]:
        name, actor, seq = str(incarnation), int(str(writer)), int(str(number))
        if name not in homes:
            bucket = Bucket.objects.filter(incarnation=name).first()
            homes[name] = 0 if bucket is None else bucket_state.home_of(bucket).pk
        values = ObjectVersion.objects.filter(bucket=homes[name], key=key, version_id=version_id)
        dots = set(values.values_list("actor", "seq"))
        ranges = applied.get(actor, AppliedRanges(own.get(actor, 0)))
        logged = ReplicationEventRecord.objects.filter(actor=actor, seq=seq)
        facts = {
            "row": (actor, seq) in dots,
            "version": bool(dots),
            "applied": ranges.contains(seq),
            "sends": may_send and logged.exists(),
            "refuses": actor & ~stability.SHARD_MASK in evicted,
        }
        found.append([name for name, is_so in facts.items() if is_so])
    return found


def _judge(scene: _Scene, entry: Entry, known: Known) -> Fate:
    best = winner(_same_version(entry))
    is_own = entry.actor in scene.old
    value = Brought(
        is_own=is_own,
        is_old=entry.seq <= scene.old.get(entry.actor, entry.seq),
        is_shared=is_own and entry.seq <= scene.shared[entry.actor],
        is_winner=best is not None
        and (best.stamp.actor, best.stamp.seq) == (entry.actor, entry.seq),
        is_named=entry.version_id != NULL_VERSION,
        is_tombstone=entry.is_tombstone,
    )
    return judge(known, value)


def _same_version(entry: Entry) -> list[Sibling]:
    held = rows.read_siblings(entry.bucket_id, entry.key)
    return [sibling for sibling in held if sibling.version_id == entry.version_id]


def _carry_out(fates: Sequence[tuple[Entry, Fate]], node: NodeInfo) -> None:
    buckets = Bucket.objects.in_bulk({entry.bucket_id for entry, _ in fates})
    for entry, fate in fates:
        bucket = buckets[entry.bucket_id]
        has_live = any(not s.is_tombstone for s in _same_version(entry))
        if uncovers(fate, is_tombstone=entry.is_tombstone, has_live_rival=has_live):
            continue
        if fate == Fate.WRITE_AGAIN:
            _write_again(entry, bucket)
        elif fate == Fate.SET_ASIDE:
            _set_aside(entry, bucket, node)
        elif fate == Fate.DROP:
            _take_out(entry)


def _write_again(entry: Entry, bucket: Bucket) -> None:
    """Make a new change of a value; it follows the value itself and all that is beside it."""
    shard = storage.shard_of(bucket.name, entry.key)
    stamp, position = rows.take_stamp(shard, clock.now_ms())
    fresh = replace(entry, row_id=None, origin_node=identity.load().node_id)
    stored = storage.write_entry(fresh, stamp=stamp, inline=None)
    event = entries.entry_event(stored, bucket, origin_region=settings.RS3GW_REGION)
    outbox.append(event, shard=shard, position=position)


def _set_aside(entry: Entry, bucket: Bucket, node: NodeInfo) -> None:
    if not QuarantinedVersion.objects.filter(actor=entry.actor, seq=entry.seq).exists():
        _quarantine(entry, bucket, node)
    _take_out(entry)


def _take_out(entry: Entry) -> None:
    storage.forget_values(
        entry.bucket_id,
        entry.key,
        entry.version_id,
        lambda values: [
            v for v in values if (v.stamp.actor, v.stamp.seq) == (entry.actor, entry.seq)
        ],
    )


def _quarantine(entry: Entry, bucket: Bucket, node: NodeInfo) -> None:
    event = entries.entry_event(
        entry,
        bucket,
        origin_region=settings.RS3GW_REGION,
        changes=attributes.read(VersionDot(entry.actor, entry.seq)),
    )
    row = QuarantinedVersion.objects.create(
        bucket=bucket.name,
        bucket_incarnation=str(bucket.incarnation),
        key=entry.key,
        version_id=entry.version_id,
        actor=entry.actor,
        seq=entry.seq,
        size_bytes=entry.size_bytes,
        reason=f"{node.node_id} and the others know neither this object nor a delete of it",
        entry=event.to_wire(),
        created_at=clock.utcnow(),
    )
    KeptBody.objects.bulk_create(
        KeptBody(sha256=sha256, holder=holder_of(row)) for sha256, _ in entries.event_bodies(event)
    )


def holder_of(row: QuarantinedVersion) -> str:
    """Return the name under which the bodies of an object in quarantine are kept."""
    return f"quarantine:{row.pk}"


def _drop_unsent(notice: Eviction, old: Mapping[int, int], sent: set[tuple[int, int]]) -> None:
    """Take from the log what this node had written of objects before it was told.

    What it had passed on for a remote region goes too: all of it was judged.
    """
    waiting = ReplicationEventRecord.objects.filter(
        pk__lte=notice.own_log_id, kind__in=[str(kind) for kind in entries.KEY_KINDS]
    )
    found = list(waiting.values_list("pk", "actor", "seq"))
    going = [row for row in found if (row[1], row[2]) not in sent]
    for start in range(0, len(going), PAGE_ROWS):
        chunk = [row_id for row_id, _, _ in going[start : start + PAGE_ROWS]]
        ReplicationEventRecord.objects.filter(pk__in=chunk).delete()
    for actor in old:
        skip(actor, [seq for _, writer, seq in going if writer == actor])


def skip(actor: int, numbers: Sequence[int], destination: str = "") -> None:
    """Tell a member, or all of them, that these events of this node will never be sent."""
    SkippedEvent.objects.bulk_create(
        SkippedEvent(
            destination=destination, actor=actor, low=low, high=high, created_at=clock.utcnow()
        )
        for low, high in ranges_of(numbers)
    )
