"""Uploads in parts, on whichever nodes their requests arrive."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from cluster.conf import cluster_config
from replication import uploads
from replication.core.events import ReplicationEvent
from replication.engine import ReplicationEngine
from replication.errors import (
    ControlError,
    UploadSettling,
    WriteIndeterminate,
    WriteRefused,
)
from replication.services.objects import Condition, commit_upload
from rs3gw.common import clock
from rs3gw.storage import commit
from rs3gw.storage import uploads as storage
from rs3gw.storage.core.objects import Entry, PartInfo
from rs3gw.storage.errors import NoSuchUpload
from rs3gw.storage.models import Bucket, EndedUpload, MultipartUpload, UploadOutcome

# A request that is still waiting for other nodes settles its upload itself.
CONFIRM_AFTER = timedelta(minutes=1)
SETTLED_AT_ONCE = 200

find_upload = uploads.find
gather_parts = uploads.gather
gather_uploads = uploads.gather_list


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What a client says of the object that its upload becomes.

    Attributes:
        parts: (number, entity tag without quotes), ascending.
        checksums: Given the chosen parts, returns algorithm and base64 digest of the whole and
            the type, or raises to refuse.
        condition: As in `put_object`.
    """

    parts: Sequence[tuple[int, str]]
    checksums: Callable[[tuple[PartInfo, ...]], tuple[Mapping[str, str], str]]
    condition: Condition | None = None


def complete_upload(*, upload: MultipartUpload, completion: Completion) -> Entry:
    """Make an object of the parts of an upload, wherever they are; the upload is over then.

    Raises:
        InvalidPart, InvalidPartOrder, EntityTooSmall: The list does not fit what was uploaded.
        NodesMissing, BodyMissing: A part may lie on a node that does not answer.
        NoSuchUpload: It was completed or aborted in the meantime.
        WriteIndeterminate: Stored here, but too few nodes confirmed it in time. A repeated
            request goes on waiting for them.
    """
    gathered = uploads.gather(upload.upload_id)
    if gathered.ended is not None:
        raise NoSuchUpload
    chosen = uploads.choose_parts(gathered, completion.parts)
    checksums, checksum_type = completion.checksums(chosen)
    entry = replace(
        storage.multipart_entry(upload, chosen),
        checksums=dict(checksums),
        checksum_type=checksum_type,
    )
    uploads.bring_here(chosen, is_sealed=bool(entry.headers.encryption))
    members = uploads.members()

    def end(stored: Entry) -> None:
        if storage.find_ended(upload.upload_id) is not None:
            raise NoSuchUpload
        storage.end_upload(
            upload.upload_id,
            UploadOutcome.COMPLETED,
            _completed(stored, upload.bucket, completion.parts),
            is_confirmed=False,
            untold=members,
        )

    stored = commit_upload(
        bucket=upload.bucket, entry=entry, condition=completion.condition, end=end
    )
    uploads.tell_ended(upload.upload_id)
    return stored


def _completed(entry: Entry, bucket: Bucket, named: Sequence[tuple[int, str]]) -> dict[str, object]:
    """Return what a client hears again that repeats its request."""
    return {
        "bucket": bucket.name,
        "key": entry.key,
        "named": _digest(named),
        "etag": entry.etag,
        "version_id": entry.version_id,
        "checksums": dict(entry.checksums),
        "checksum_type": entry.checksum_type,
        "encryption": dict(entry.headers.encryption),
    }


def _digest(named: Sequence[tuple[int, str]]) -> str:
    return hashlib.sha256(json.dumps([list(part) for part in named]).encode()).hexdigest()


def completed_before(
    *, bucket: Bucket, key: str, upload_id: str, parts: Sequence[tuple[int, str]]
) -> Mapping[str, Any] | None:
    """Return how an upload was completed with these parts, here or on another node, or None.

    Raises:
        UploadSettling: Another node completed it, and too few nodes have confirmed it yet.
        WriteRefused, WriteIndeterminate: This node completed it, and they still have not.
    """
    here = storage.find_ended(upload_id)
    if here is None:
        there = uploads.gather(upload_id).ended
        if there is None or not _is_same(there["outcome"], there["result"], bucket, key, parts):
            return None
        if not there.get("is_confirmed", True):
            raise UploadSettling
        result: Mapping[str, Any] = there["result"]
        return result
    if not _is_same(here.outcome, here.result, bucket, key, parts):
        return None
    if not here.is_confirmed:
        _confirm(here)
        uploads.tell_ended(upload_id)
    return dict(here.result)


def _is_same(
    outcome: str,
    result: Mapping[str, Any],
    bucket: Bucket,
    key: str,
    parts: Sequence[tuple[int, str]],
) -> bool:
    """Return whether an upload ended by what is asked for again."""
    ended = (result.get("bucket"), result.get("key"), result.get("named"))
    return outcome == UploadOutcome.COMPLETED and ended == (bucket.name, key, _digest(parts))


def _confirm(ended: EndedUpload) -> None:
    """Carry the object of an upload to the nodes that its write mode asks for.

    Raises:
        WriteRefused, WriteIndeterminate: Too few members can be reached, or confirmed in time.
    """
    event = ReplicationEvent.put_object(
        bucket=ended.result["bucket"],
        key=ended.result["key"],
        etag=ended.result["etag"],
        size=0,
        content_type="",
        metadata={},
    )
    try:
        ReplicationEngine(cluster_config()).replicate(event)
    except ControlError:
        # The event is no longer in the log, because every node has it.
        return


def abort_upload(*, upload: MultipartUpload) -> None:
    """Abort an upload on every node; its bodies are collected later.

    Raises:
        NoSuchUpload: It was completed or aborted in the meantime.
    """
    ended = uploads.gather(upload.upload_id).ended
    if ended is not None:
        if ended.get("is_confirmed", True):
            uploads.hear_ended(upload.upload_id, ended["outcome"], ended["result"])
        raise NoSuchUpload
    members = uploads.members()
    commit.run(
        lambda: storage.end_upload(upload.upload_id, UploadOutcome.ABORTED, {}, untold=members)
    )
    uploads.tell_ended(upload.upload_id)


def settle() -> None:
    """Finish what requests left undone: run from time to time.

    Completed uploads whose object has not reached enough nodes are carried on, and members that
    were away hear which uploads are over.
    """
    after = 0
    while pending := storage.unsettled(after=after, limit=SETTLED_AT_ONCE):
        after = pending[-1].pk
        for ended in pending:
            if ended.is_confirmed or _is_confirmed_now(ended):
                uploads.tell_ended(ended.upload_id)


def _is_confirmed_now(ended: EndedUpload) -> bool:
    if ended.ended_at > clock.utcnow() - CONFIRM_AFTER:
        return False
    try:
        _confirm(ended)
    except (WriteRefused, WriteIndeterminate):
        return False
    return True
