"""Buckets and their settings: created, deleted and set on any node."""

from uuid import uuid4

from django.conf import settings

from replication import bucket_state, consistency, engine, outbox, registers
from replication.core.consistency import Consistency
from replication.core.events import EventKind, ReplicationEvent
from replication.errors import BucketStillFilling, ControlError
from rs3gw.common import clock, hlc, identity, ids
from rs3gw.storage import commit, rows, selectors
from rs3gw.storage import services as storage
from rs3gw.storage.core.siblings import Stamp
from rs3gw.storage.errors import BucketAlreadyExists, BucketAlreadyOwnedByYou, BucketNotEmpty
from rs3gw.storage.models import Bucket, MultipartUpload

# The specification gave two settings kinds of their own; the others share a pair.
SETTING_KINDS = {
    "policy": (EventKind.PUT_BUCKET_POLICY, EventKind.DELETE_BUCKET_POLICY),
    "tagging": (EventKind.PUT_BUCKET_TAGGING, EventKind.DELETE_BUCKET_TAGGING),
}
OTHER_KINDS = (EventKind.PUT_BUCKET_SETTING, EventKind.DELETE_BUCKET_SETTING)
TEXT_FIELDS = {"policy": "policy", "tagging": "tags"}
SETTINGS = frozenset(
    {
        "accelerate",
        "acl",
        "consistency",
        "backpressure",
        "cors",
        "encryption",
        "lifecycle",
        "logging",
        "notification",
        "object_lock",
        "ownership",
        "policy",
        "public_access_block",
        "replication",
        "request_payment",
        "tagging",
        "versioning",
        "website",
    }
)


def setting_scope(bucket: Bucket) -> str:
    """Return the scope of a bucket's registers."""
    return f"bucket:{bucket.incarnation}"


def create_bucket(*, name: str, owner: str = "root") -> Bucket:
    """Create a bucket here and on every node of the region.

    Raises:
        BucketAlreadyOwnedByYou, BucketAlreadyExists: The name is in use.
        WriteRefused: The write mode cannot be met now; nothing was created.
        WriteIndeterminate: Created here, but too few nodes confirmed it in time.
    """
    engine.preflight()
    shard = storage.shard_of(name, "")

    def change() -> tuple[Bucket, ReplicationEvent]:
        stamp, position = rows.take_stamp(shard, clock.now_ms())
        existing = selectors.find_bucket(name)
        if existing is not None:
            raise BucketAlreadyOwnedByYou if existing.owner == owner else BucketAlreadyExists
        bucket = bucket_state.apply_create(
            name=name,
            incarnation=str(uuid4()),
            owner=owner,
            region=settings.RS3GW_REGION,
            stamp=stamp,
        )
        event = bucket_event(
            EventKind.CREATE_BUCKET, bucket, stamp, {"owner": owner, "region": bucket.region}
        )
        outbox.append(event, shard=shard, position=position)
        return bucket, event

    bucket, event = commit.run(change)
    engine.complete(event, shard=shard)
    return bucket


def delete_bucket(*, bucket: Bucket) -> None:
    """Delete an empty bucket here and, where no unseen object is in it, on every node.

    Raises:
        BucketNotEmpty: It holds objects or uploads.
        BucketStillFilling: Changes of other nodes in it are on their way here.
        WriteRefused: The write mode cannot be met now; nothing was deleted.
        WriteIndeterminate: Deleted here, but too few nodes confirmed it in time.
    """
    mode = consistency.write_mode(bucket)
    engine.preflight(mode)
    shard = storage.shard_of(bucket.name, "")

    def change() -> ReplicationEvent:
        # Every shard's lock: no object of the bucket may be committed beside this change.
        for other in range(storage.shard_count()):
            rows.observe_clock(other, 0)
        stamp, position = rows.take_stamp(shard, clock.now_ms())
        if not selectors.is_bucket_empty(bucket):
            raise BucketNotEmpty
        seen = bucket_state.context_of_delete(bucket)
        if seen is None:
            raise BucketStillFilling
        MultipartUpload.objects.filter(bucket=bucket).delete()
        incarnations = bucket_state.mark_deleted(bucket, stamp=stamp, seen=seen)
        event = bucket_event(
            EventKind.DELETE_BUCKET,
            bucket,
            stamp,
            {"context": seen.to_json(), "incarnations": incarnations},
        )
        outbox.append(event, shard=shard, position=position)
        return event

    engine.complete(commit.run(change), shard=shard, mode=mode)


def get_bucket_setting(bucket: Bucket, name: str) -> str | None:
    """Return the text of a bucket's setting as it was put, or None when there is none."""
    scopes = [setting_scope(life) for life in bucket_state.lives_that_count(bucket)]
    value = registers.read_newest(scopes, name)
    return None if value is None else str(value["text"])


def get_bucket_settings(bucket: Bucket) -> dict[str, str]:
    """Return the texts of all of a bucket's settings by name."""
    scopes = [setting_scope(life) for life in bucket_state.lives_that_count(bucket)]
    found = registers.read_all(scopes)
    return {name: str(value["text"]) for name, value in found.items()}


def put_bucket_setting(*, bucket: Bucket, name: str, value: str, author: str = "") -> None:
    """Set one of a bucket's `SETTINGS`; the text is returned byte for byte.

    Raises:
        ControlError: There is no setting of that name.
        WriteRefused, WriteIndeterminate: As in `create_bucket`.
    """
    _change_setting(bucket, name, {"text": value}, author)


def delete_bucket_setting(*, bucket: Bucket, name: str, author: str = "") -> None:
    """Remove one of a bucket's `SETTINGS`; harmless when there is none.

    Raises:
        ControlError: There is no setting of that name.
        WriteRefused, WriteIndeterminate: As in `create_bucket`.
    """
    _change_setting(bucket, name, None, author)


def get_consistency(bucket: Bucket) -> Consistency:
    """Return who confirms a bucket's writes and who is asked before it is read."""
    return consistency.of(bucket)


def save_consistency(*, bucket: Bucket, wanted: Consistency, author: str = "") -> None:
    """Say who confirms a bucket's writes and who is asked before it is read, on every node.

    Raises:
        WriteRefused, WriteIndeterminate: As in `create_bucket`, by the mode that held before.
    """
    value = {"text": wanted.to_text()}
    _change_setting(bucket, consistency.SETTING, value, author)


def _change_setting(bucket: Bucket, name: str, value: registers.Value, author: str) -> None:
    if name not in SETTINGS:
        raise ControlError(f"A bucket has no setting {name!r}.")
    mode = consistency.write_mode(bucket)
    engine.preflight(mode)
    shard = storage.shard_of(bucket.name, "")
    put_kind, delete_kind = SETTING_KINDS.get(name, OTHER_KINDS)

    def change(above_hlc: int = 0) -> ReplicationEvent:
        storage.observe_clock(shard, above_hlc)
        stamp, position = rows.take_stamp(shard, clock.now_ms())
        registers.write(setting_scope(bucket), name, value, stamp=stamp, author=author)
        kind = delete_kind if value is None else put_kind
        payload: dict[str, object] = {"author": author}
        if value is not None:
            payload[TEXT_FIELDS.get(name, "text")] = value["text"]
        if name not in SETTING_KINDS:
            payload["name"] = name
        event = bucket_event(kind, bucket, stamp, payload)
        outbox.append(event, shard=shard, position=position)
        return event

    engine.complete(
        commit.run(change),
        shard=shard,
        mode=mode,
        restamp=lambda newer: commit.run(lambda: change(newer.hlc)),
    )


def bucket_event(
    kind: EventKind, bucket: Bucket, stamp: Stamp, payload: dict[str, object]
) -> ReplicationEvent:
    """Return the event of a change to a bucket itself."""
    return ReplicationEvent(
        event_id=ids.uuid7(),
        actor=stamp.actor,
        seq=stamp.seq,
        hlc=stamp.hlc,
        kind=kind,
        origin_node=identity.load().node_id,
        origin_region=settings.RS3GW_REGION,
        bucket=bucket.name,
        bucket_incarnation=str(bucket.incarnation),
        payload=payload,
        created_at_ms=hlc.physical_ms(stamp.hlc),
    )
