"""What arrives from other nodes becomes rows here, once.

All events of a batch are applied in one transaction, each in a savepoint, together with the
record of their dots: so a batch that is delivered again, in part or in another order, changes
nothing. An event that cannot be applied gets a result of its own and takes no other along.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from django.conf import settings
from django.db import transaction
from django.db.models import F

from replication import bodies, bucket_state, control, entries, outbox, registers, travel
from replication.bucket_state import Place
from replication.core.applied import AppliedRanges
from replication.core.conflict import ConflictResolution
from replication.core.envelope import Batch, ItemResult
from replication.core.events import EventKind, ReplicationEvent
from replication.doorbell import doorbell
from replication.models import AppliedActor, ConflictCount
from rs3gw.common import clock, hlc
from rs3gw.common.errors import SealError
from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage import attributes, commit, rows
from rs3gw.storage import services as storage
from rs3gw.storage.core.siblings import Newer, Stamp, newer_than

logger = logging.getLogger(__name__)
CONTROL_KINDS = frozenset({EventKind.PUT_REGISTER, EventKind.DELETE_REGISTER})
SETTING_NAMES = {
    EventKind.PUT_BUCKET_POLICY: ("policy", "policy"),
    EventKind.DELETE_BUCKET_POLICY: ("policy", ""),
    EventKind.PUT_BUCKET_TAGGING: ("tagging", "tags"),
    EventKind.DELETE_BUCKET_TAGGING: ("tagging", ""),
    EventKind.PUT_BUCKET_SETTING: ("", "text"),
    EventKind.DELETE_BUCKET_SETTING: ("", ""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sent a batch, as its signature proves.

    Attributes:
        node_id: The sending node.
        region: Its region: ours for a member, the paired region's name otherwise.
    """

    node_id: str
    region: str

    def is_member(self) -> bool:
        """Return whether it is a member of this region."""
        return self.region == settings.RS3GW_REGION


class _Scene:
    """A batch while it is applied, and the buckets it has met."""

    def __init__(self, batch: Batch, sender: Sender) -> None:
        self.batch = batch
        self.sender = sender
        self.newer: dict[tuple[int, int], Newer] = {}
        self._places: dict[str, Place] = {}

    def place(self, event: ReplicationEvent) -> Place | None:
        """Return where an event belongs; None when it is too late, or its bucket is unknown."""
        incarnation = event.bucket_incarnation
        place = self._places.get(incarnation)
        if place is None:
            record = self.batch.bucket_records.get(incarnation)
            place = bucket_state.place_for(event, record)
            if place is not None:
                self._places[incarnation] = place
        return None if place is None or place.is_too_late(event) else place

    def forget_buckets(self) -> None:
        """Look buckets up again: one of them has changed."""
        self._places.clear()


def apply_batch(batch: Batch, sender: Sender) -> list[ItemResult]:
    """Apply a batch and return the result of each of its events, in their order."""
    refused: dict[tuple[int, int], ItemResult] = {}
    accepted: list[ReplicationEvent] = []
    for event in batch.events:
        result = _refusal(event, batch, sender)
        if result is None:
            try:
                accepted.append(_readable_here(event, sender))
            except SealError as error:
                result = _result(event, "parked", error.message)
        if result is not None:
            refused[event.actor, event.seq] = result
    applied, forwarded_shards = commit.run(lambda: _apply_all(accepted, _Scene(batch, sender)))
    if not sender.is_member():
        _note_settled(batch)
    for shard in forwarded_shards:
        doorbell.ring(shard)
    results = refused | {(result.actor, result.seq): result for result in applied}
    unknown = [
        ItemResult(actor=actor, seq=seq, code="parked", reason=reason)
        for actor, seq, reason in batch.unknown
    ]
    return [*(results[event.actor, event.seq] for event in batch.events), *unknown]


def _note_settled(batch: Batch) -> None:
    """Note up to where a remote region's node has nothing left to send of its own changes."""
    for actor, seq in batch.through.items():
        AppliedActor.objects.filter(actor=actor, is_remote=True, settled__lt=seq).update(
            settled=seq
        )


def _readable_here(event: ReplicationEvent, sender: Sender) -> ReplicationEvent:
    """Return an event with the key of its object, if it has one, wrapped by our own keyring."""
    if sender.is_member():
        return event
    return travel.from_region(event, control.pairing_secret(sender.region))


def _result(event: ReplicationEvent, code: str, reason: str = "") -> ItemResult:
    return ItemResult(actor=event.actor, seq=event.seq, code=code, reason=reason)


def _refusal(event: ReplicationEvent, batch: Batch, sender: Sender) -> ItemResult | None:
    """Return why an event cannot be applied now; looks at nothing that changes rows."""
    if not sender.is_member():
        if event.kind in CONTROL_KINDS:
            return _result(event, "parked", "another region may not change our control plane")
        if event.origin_region != sender.region:
            return _result(event, "parked", "the event is not of the region that sent it")
    ahead_ms = hlc.drift_ms(event.hlc, clock.now_ms())
    if ahead_ms > settings.RS3GW_CLOCK_SKEW_MAX_SECONDS * 1000:
        return _result(event, "parked", f"clock_skew: its clock is {ahead_ms / 1000:.0f} s ahead")
    for sha256, size_bytes in entries.event_bodies(event):
        inline = batch.inline_bodies.get(sha256)
        if inline is not None:
            if not bodies.check_inline(sha256, inline):
                return _result(event, "parked", f"the body is not that of hash {sha256}")
        elif _is_needed(sha256, size_bytes, sender):
            return _result(event, "need_body", sha256)
    return None


def _is_needed(sha256: str, size_bytes: int, sender: Sender) -> bool:
    if bodies.is_inline(size_bytes):
        return not bodies.has_body(sha256)
    return bodies.wants_body(sha256, from_member=sender.is_member())


def _apply_all(
    events: Sequence[ReplicationEvent], scene: _Scene
) -> tuple[list[ItemResult], set[int]]:
    results: list[ItemResult] = []
    shards: set[int] = set()
    ranges = _load_ranges({event.actor for event in events})
    counts = dict.fromkeys(ranges, 0)
    for event in events:
        if ranges[event.actor].contains(event.seq):
            results.append(_again(event, scene))
            continue
        try:
            with transaction.atomic():
                code, shard = _apply(event, scene)
        except Exception as error:
            logger.exception("event %s.%s cannot be applied", event.actor, event.seq)
            results.append(_result(event, "parked", f"{type(error).__name__}: {error}"))
            continue
        ranges[event.actor], _ = ranges[event.actor].add(event.seq)
        counts[event.actor] += 1
        results.append(replace(_result(event, code), newer=scene.newer.get(_dot(event))))
        shards |= {shard} if shard is not None else set()
    remote = {e.actor for e in events if e.origin_region != settings.RS3GW_REGION}
    _save_ranges(ranges, counts, remote)
    return results, shards


def _dot(event: ReplicationEvent) -> tuple[int, int]:
    return event.actor, event.seq


def _again(event: ReplicationEvent, scene: _Scene) -> ItemResult:
    """Return the result of an event that was applied before; a writer may wait for it only now."""
    result = _result(event, "duplicate")
    if event.kind not in entries.OBJECT_KINDS or not scene.sender.is_member():
        return result
    place = scene.place(event)
    if place is None:
        return result
    entry = entries.event_entry(event, place.bucket)
    siblings = rows.read_siblings(entry.bucket_id, entry.key)
    return replace(result, newer=newer_than(siblings, storage.sibling_of(entry)))


def _load_ranges(actors: set[int]) -> dict[int, AppliedRanges]:
    found = AppliedActor.objects.select_for_update().filter(actor__in=actors).order_by("actor")
    loaded = {
        row.actor: AppliedRanges.from_json({"frontier": row.frontier, "islands": row.islands})
        for row in found
    }
    return {actor: loaded.get(actor, AppliedRanges()) for actor in actors}


def _save_ranges(
    ranges: dict[int, AppliedRanges], counts: dict[int, int], remote: set[int]
) -> None:
    now = clock.utcnow()
    for actor, applied in ranges.items():
        if not counts[actor]:
            continue
        state = applied.to_json()
        row, is_new = AppliedActor.objects.get_or_create(actor=actor)
        row.frontier, row.islands = state["frontier"], state["islands"]
        row.is_remote = row.is_remote or actor in remote
        row.events_applied += counts[actor]
        row.last_applied_at = now
        row.save()


def _apply(event: ReplicationEvent, scene: _Scene) -> tuple[str, int | None]:
    """Apply one event; return its result code and the shard it is passed on in, if it is."""
    shard = storage.shard_of(event.bucket, event.key if event.kind in entries.KEY_KINDS else "")
    storage.observe_clock(shard, event.hlc)
    code = _HANDLERS[event.kind](event, scene)
    if scene.sender.is_member() or event.kind in CONTROL_KINDS:
        return code, None
    # From another region: this node tells the members of its own, under the event's own dot.
    position = rows.take_position(shard)
    outbox.append(event.forwarded(scene.sender.node_id), shard=shard, position=position)
    return code, shard


def _apply_object(event: ReplicationEvent, scene: _Scene) -> str:
    place = scene.place(event)
    if place is None:
        return "stale_bucket"
    for sha256, _ in entries.event_bodies(event):
        inline = scene.batch.inline_bodies.get(sha256)
        if inline is not None:
            rows.upsert_inline(sha256, inline)
    entry = entries.event_entry(event, place.bucket)
    merged = storage.merge_entry(entry, inline=None)
    if merged.is_conflict:
        _count_conflict()
    if merged.newer is not None:
        scene.newer[_dot(event)] = merged.newer
    if place.is_shaky():
        bucket_state.settle(bucket_state.base_name(place.bucket))
        scene.forget_buckets()
    return merged.outcome


def _apply_attribute(event: ReplicationEvent, scene: _Scene) -> str:
    if scene.place(event) is None:
        return "stale_bucket"
    version, attribute = entries.event_attribute(event)
    if attributes.write(version, attribute):
        return "applied"
    scene.newer[_dot(event)] = Newer(attributes.newest_hlc(version), VectorClock())
    return "superseded"


def _count_conflict() -> None:
    """Count two concurrent writes of one key; the later one by its clock is served."""
    strategy = ConflictResolution.LAST_WRITE_WINS
    ConflictCount.objects.get_or_create(strategy=strategy)
    ConflictCount.objects.filter(strategy=strategy).update(
        detected=F("detected") + 1, resolved=F("resolved") + 1
    )


def _apply_create_bucket(event: ReplicationEvent, scene: _Scene) -> str:
    scene.forget_buckets()
    bucket_state.apply_create(
        name=event.bucket,
        incarnation=event.bucket_incarnation,
        owner=str(event.payload.get("owner", "root")),
        region=str(event.payload.get("region", event.origin_region)),
        stamp=Stamp(event.actor, event.seq, event.hlc),
    )
    return "applied"


def _apply_delete_bucket(event: ReplicationEvent, scene: _Scene) -> str:
    scene.forget_buckets()
    named = event.payload.get("incarnations")
    incarnations = [str(i) for i in named] if isinstance(named, list) else []
    context = event.payload.get("context")
    seen = VectorClock.from_json(context if isinstance(context, dict) else {})
    bucket_state.apply_delete(event, incarnations or [event.bucket_incarnation], seen)
    return "applied"


def _apply_setting(event: ReplicationEvent, scene: _Scene) -> str:
    if scene.place(event) is None:
        return "stale_bucket"
    name, field = SETTING_NAMES[event.kind]
    name = name or str(event.payload["name"])
    value = {"text": str(event.payload[field])} if field else None
    author = str(event.payload.get("author", ""))
    stamp = Stamp(event.actor, event.seq, event.hlc)
    scope = f"bucket:{event.bucket_incarnation}"
    if registers.write(scope, name, value, stamp=stamp, author=author):
        return "applied"
    scene.newer[_dot(event)] = Newer(registers.hlc_of(scope, name), VectorClock())
    return "superseded"


def _apply_register(event: ReplicationEvent, scene: _Scene) -> str:
    scope, name = str(event.payload["scope"]), str(event.payload["name"])
    if not registers.is_defined(scope):
        raise ValueError(f"this node knows no register scope {scope!r}: upgrade it")
    value = event.payload.get("value")
    wins = registers.write(
        scope,
        name,
        value if isinstance(value, dict) else None,
        stamp=Stamp(event.actor, event.seq, event.hlc),
        author=str(event.payload.get("author", "")),
    )
    return "applied" if wins else "superseded"


_HANDLERS: dict[EventKind, Callable[[ReplicationEvent, _Scene], str]] = {
    EventKind.PUT_OBJECT: _apply_object,
    EventKind.DELETE_OBJECT: _apply_object,
    EventKind.PUT_DELETE_MARKER: _apply_object,
    EventKind.DELETE_OBJECT_VERSION: _apply_object,
    EventKind.PUT_OBJECT_TAGGING: _apply_attribute,
    EventKind.PUT_OBJECT_ACL: _apply_attribute,
    EventKind.PUT_OBJECT_RETENTION: _apply_attribute,
    EventKind.PUT_OBJECT_LEGAL_HOLD: _apply_attribute,
    EventKind.CREATE_BUCKET: _apply_create_bucket,
    EventKind.DELETE_BUCKET: _apply_delete_bucket,
    EventKind.PUT_BUCKET_POLICY: _apply_setting,
    EventKind.DELETE_BUCKET_POLICY: _apply_setting,
    EventKind.PUT_BUCKET_TAGGING: _apply_setting,
    EventKind.DELETE_BUCKET_TAGGING: _apply_setting,
    EventKind.PUT_BUCKET_SETTING: _apply_setting,
    EventKind.DELETE_BUCKET_SETTING: _apply_setting,
    EventKind.PUT_REGISTER: _apply_register,
    EventKind.DELETE_REGISTER: _apply_register,
}
