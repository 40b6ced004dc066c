"""Uploads in parts, whichever node each request arrives at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cluster import selectors as cluster_selectors
from cluster.conf import cluster_config
from replication import uploads
from replication.core.events import ReplicationEvent
from replication.engine import ReplicationEngine
from replication.errors import ControlError, UploadUnreachable, WriteIndeterminate, WriteRefused
from replication.services.objects import Condition, commit_upload, upload_entry
from rs3gw.storage import commit, selectors
from rs3gw.storage import uploads as storage
from rs3gw.storage.blobs import StagedBody
from rs3gw.storage.core.objects import Entry
from rs3gw.storage.core.uploads import (
    NamedPart,
    UploadedPart,
    UploadPage,
    UploadQuery,
    object_checksums,
)
from rs3gw.storage.errors import InvalidPart, NoSuchUpload
from rs3gw.storage.models import Bucket, MultipartUpload, UploadState

SETTLED_AT_ONCE = 200
# A request that is still waiting for other nodes settles its upload itself.
CONFIRM_AFTER = timedelta(minutes=1)

Check = Callable[[Entry], None]
create_upload = storage.create_upload


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """What completing an upload is answered, the first time and again."""

    etag: str
    version_id: str
    checksums: Mapping[str, str]
    checksum_type: str


def find_upload(bucket: Bucket, key: str, upload_id: str) -> MultipartUpload:
    """Return an upload that is under way, wherever it began.

    Raises:
        NoSuchUpload: Nobody knows it, or it is over.
        UploadUnreachable: The node at which it began does not answer.
    """
    upload = uploads.find(bucket, key, upload_id)
    uploads.require_open(upload)
    return upload


def put_part(*, upload: MultipartUpload, number: int, body: StagedBody) -> UploadedPart:
    """Keep one part at this node; see `rs3gw.storage.uploads.put_part`."""
    return storage.put_part(upload=upload, number=number, body=body)


def list_parts(upload: MultipartUpload, *, after: int, limit: int) -> list[UploadedPart]:
    """Return the parts above number `after`, by number, one more than `limit` if there are more.

    Raises:
        NoSuchUpload: It is over.
    """
    gathered = uploads.gather(upload, after=after, limit=limit + 1)
    return [gathered.parts[number][0] for number in sorted(gathered.parts)][: limit + 1]


def list_uploads(bucket: Bucket, query: UploadQuery) -> UploadPage:
    """Return one page of the uploads under way in a bucket, on all nodes."""
    return uploads.list_page(bucket, query)


def abort_upload(*, bucket: Bucket, key: str, upload_id: str) -> None:
    """Abort an upload; the bodies of its parts are collected later.

    Raises:
        NoSuchUpload: Nobody knows it, or it is over.
        UploadUnreachable: The node at which it began does not answer.
    """
    upload = find_upload(bucket, key, upload_id)
    uploads.gather(upload, limit=0)
    members = _members()
    commit.run(lambda: storage.end_upload(upload, UploadState.ABORTED, untold=members))
    _tell(upload.upload_id)


def complete_upload(
    *,
    bucket: Bucket,
    key: str,
    upload_id: str,
    parts: Sequence[NamedPart],
    check: Check,
    condition: Condition | None = None,
) -> Completed:
    """Make an object of the parts of an upload, on whichever nodes they are.

    Args:
        bucket: The upload's bucket.
        key: The upload's key.
        upload_id: The upload.
        parts: As the client names them.
        check: Called with the entry before anything is stored; raises to refuse it.
        condition: As in `put_object`; when it does not hold the upload stays.

    Raises:
        InvalidPart, InvalidPartOrder, EntityTooSmall: The list does not fit what was uploaded.
        NoSuchUpload: Nobody knows it, or it was aborted, or completed with other parts.
        UploadUnreachable: A part may be at a node that does not answer.
        WriteIndeterminate: Stored here, but too few nodes confirmed it in time.
    """
    storage.check_named(parts)
    upload = uploads.find(bucket, key, upload_id)
    if upload.state != UploadState.OPEN:
        return _again(upload, parts)
    try:
        _complete(upload, parts, check, condition)
    except NoSuchUpload:
        # Somebody else completed it, at another node or in another request.
        if (ended := storage.find_upload(upload_id)) is None:
            raise
        return _again(ended, parts)
    ended = _tell(upload_id)
    return _completed(ended)


def _complete(
    upload: MultipartUpload,
    named: Sequence[NamedPart],
    check: Check,
    condition: Condition | None,
) -> None:
    gathered = uploads.gather(upload)
    try:
        chosen = storage.choose_parts(named, gathered.parts)
    except InvalidPart:
        if gathered.silent:
            raise UploadUnreachable from None
        raise
    storage.check_chosen(named, chosen, upload.checksum_algorithm)
    infos = [part.info() for part in chosen]
    checksums = object_checksums(infos, upload.checksum_algorithm, upload.checksum_type)
    check(upload_entry(upload, infos, checksums))
    if condition is not None:
        condition(selectors.find_entry(upload.bucket, upload.key))
    uploads.fetch(upload, chosen, gathered)
    commit_upload(
        upload=upload,
        parts=infos,
        checksums=checksums,
        finish=_finisher(upload, named),
        condition=condition,
    )


def _finisher(upload: MultipartUpload, named: Sequence[NamedPart]) -> Callable[[Entry], None]:
    members = _members()

    def finish(stored: Entry) -> None:
        result = {
            "etag": stored.etag,
            "version_id": stored.version_id,
            "checksums": dict(stored.checksums),
            "checksum_type": stored.checksum_type,
            "named": storage.named_digest(named),
        }
        storage.end_upload(
            upload, UploadState.COMPLETED, result=result, untold=members, is_confirmed=False
        )

    return finish


def _members() -> list[str]:
    return [node.node_id for node in cluster_selectors.registered_peers()]


def _again(upload: MultipartUpload, named: Sequence[NamedPart]) -> Completed:
    """Answer a repeated request to complete an upload like the first one."""
    was_named = upload.result.get("named") == storage.named_digest(named)
    if upload.state != UploadState.COMPLETED or not was_named:
        raise NoSuchUpload
    if not upload.is_confirmed:
        _confirm(upload)
        _tell(upload.upload_id)
    return _completed(upload)


def _completed(upload: MultipartUpload) -> Completed:
    result = upload.result
    return Completed(
        etag=str(result["etag"]),
        version_id=str(result["version_id"]),
        checksums=dict(result["checksums"]),
        checksum_type=str(result["checksum_type"]),
    )


def _confirm(upload: MultipartUpload) -> None:
    """Carry the object of an upload to the nodes that its write mode asks for.

    Raises:
        WriteRefused, WriteIndeterminate: Too few members can be reached, or confirmed in time.
    """
    event = ReplicationEvent.put_object(
        bucket=upload.bucket.name,
        key=upload.key,
        etag=str(upload.result["etag"]),
        size=0,
        content_type="",
        metadata={},
    )
    try:
        ReplicationEngine(cluster_config()).replicate(event)
    except ControlError:
        # The event is no longer in the log, because every node has it.
        return


def _tell(upload_id: str) -> MultipartUpload:
    """Tell the members that an upload is over, and return its record."""
    upload = storage.find_upload(upload_id)
    if upload is None:
        raise NoSuchUpload
    upload.is_confirmed = True
    record = storage.record_json(upload)
    upload.untold = uploads.tell_ended(record, upload.untold)
    storage.settle_ended(upload, untold=upload.untold)
    return upload


def settle(*, now: datetime) -> None:
    """Finish what requests left undone; run from time to time.

    Completed uploads whose object has not reached enough nodes are carried on, members that were
    away hear which uploads are over, this node hears it from others, and old records go.
    """
    after = 0
    while pending := storage.ended_uploads(after=after, limit=SETTLED_AT_ONCE):
        after = pending[-1].pk
        for upload in pending:
            if upload.is_confirmed or _is_confirmed_now(upload, now):
                _settle_one(upload)
    uploads.drop_ended_copies()
    storage.forget_ended(now=now)


def _settle_one(upload: MultipartUpload) -> None:
    present = set(_members())
    upload.untold = [node_id for node_id in upload.untold if node_id in present]
    storage.settle_ended(upload, untold=upload.untold)
    if upload.untold:
        _tell(upload.upload_id)


def _is_confirmed_now(upload: MultipartUpload, now: datetime) -> bool:
    if upload.ended_at is None or upload.ended_at > now - CONFIRM_AFTER:
        return False
    try:
        _confirm(upload)
    except (WriteRefused, WriteIndeterminate):
        return False
    return True
