"""Uploads in parts, as this node knows them: records, the parts that came here, and their end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError
from django.db.models import Q

from rs3gw.common import clock, identity, ids
from rs3gw.storage import commit, rows
from rs3gw.storage.blobs import StagedBody
from rs3gw.storage.core import etag
from rs3gw.storage.core.objects import Entry, ObjectHeaders, PartInfo
from rs3gw.storage.errors import EntityTooSmall, InvalidPart, InvalidPartOrder, NoSuchUpload
from rs3gw.storage.models import Bucket, EndedUpload, MultipartUpload, UploadOutcome, UploadPart

PART_SIZE_MIN_BYTES = 5 * 2**20
PART_NUMBER_MAX = 10_000


@dataclass(frozen=True, slots=True)
class NewUpload:
    """What an upload begins with; the same on every node that hears of it.

    Attributes:
        owner: Account of whoever began it.
        checksum_algorithm: Lower case; "" for none.
        checksum_type: `FULL_OBJECT` or `COMPOSITE`; "" for none.
    """

    key: str
    headers: ObjectHeaders
    owner: str = "root"
    checksum_algorithm: str = ""
    checksum_type: str = ""


def create_upload(*, bucket: Bucket, new: NewUpload) -> MultipartUpload:
    """Begin an upload in parts."""
    upload = _row(
        bucket, new, upload_id=ids.new_upload_id(identity.load().node_id), began=clock.utcnow()
    )
    commit.run(upload.save)
    return upload


def _row(bucket: Bucket, new: NewUpload, *, upload_id: str, began: datetime) -> MultipartUpload:
    return MultipartUpload(
        upload_id=upload_id,
        bucket=bucket,
        key=new.key,
        owner=new.owner,
        initiated_at=began,
        headers={**new.headers.to_json(), "content_type": new.headers.content_type},
        metadata=dict(new.headers.metadata),
        tags=dict(new.headers.tags),
        checksum_algorithm=new.checksum_algorithm,
        checksum_type=new.checksum_type,
    )


def upload_headers(upload: MultipartUpload) -> ObjectHeaders:
    """Return what the object of an upload will be described by."""
    return ObjectHeaders.from_json(upload.headers, upload.metadata, upload.tags)


def adopt_upload(
    *, bucket: Bucket, new: NewUpload, upload_id: str, initiated_at: datetime
) -> MultipartUpload:
    """Take in an upload that another node began."""
    upload = _row(bucket, new, upload_id=upload_id, began=initiated_at)

    def change() -> MultipartUpload:
        known = MultipartUpload.objects.filter(upload_id=upload_id).first()
        if known is None:
            upload.save()
        return known or upload

    try:
        return commit.run(change)
    except IntegrityError:
        # Two parts came at once, and the other one's request was first.
        return MultipartUpload.objects.get(upload_id=upload_id)


def put_part(*, upload: MultipartUpload, number: int, body: StagedBody) -> UploadPart:
    """Keep one part; a part that was uploaded again replaces the earlier one.

    Args:
        upload: The upload it belongs to.
        number: 1 to 10,000.
        body: The part's bytes; installed here.

    Raises:
        NoSuchUpload: The upload was completed or aborted meanwhile.
    """
    assert 1 <= number <= PART_NUMBER_MAX
    body.install()

    def change() -> UploadPart:
        # The lock keeps the upload from ending between this look and the commit.
        locked = MultipartUpload.objects.select_for_update().filter(pk=upload.pk)
        if locked.values_list("pk", flat=True).first() is None:
            raise NoSuchUpload
        if body.inline is not None:
            rows.upsert_inline(body.sha256_hex, body.inline)
        part, _ = UploadPart.objects.update_or_create(
            upload=upload,
            number=number,
            defaults={
                "size_bytes": body.size_bytes,
                "etag": body.md5_hex,
                "sha256": body.sha256_hex,
                "checksums": dict(body.checksums),
                "uploaded_at": clock.utcnow(),
            },
        )
        return part

    return commit.run(change)


def choose_parts(
    stored: Mapping[int, PartInfo], named: Sequence[tuple[int, str]]
) -> tuple[PartInfo, ...]:
    """Return the parts that complete an upload, in order.

    Args:
        stored: The parts that were uploaded, by number.
        named: (number, entity tag without quotes) of each part, as the client lists them.

    Raises:
        InvalidPartOrder: Numbers do not ascend.
        InvalidPart: A part is missing, or has another entity tag.
        EntityTooSmall: A part before the last is under 5 MiB.
    """
    numbers = [number for number, _ in named]
    if not numbers or numbers != sorted(set(numbers)):
        raise InvalidPartOrder if numbers else InvalidPart("Name at least one part.")
    chosen: list[PartInfo] = []
    for number, tag in named:
        part = stored.get(number)
        if part is None or part.etag != tag:
            raise InvalidPart(f"Part {number} was not uploaded, or has another entity tag.")
        chosen.append(part)
    for small in chosen[:-1]:
        if small.size_bytes < PART_SIZE_MIN_BYTES:
            raise EntityTooSmall(
                f"Part {small.number} has {small.size_bytes} bytes; every part but the last must "
                f"have at least {PART_SIZE_MIN_BYTES}."
            )
    return tuple(chosen)


def multipart_entry(upload: MultipartUpload, parts: tuple[PartInfo, ...]) -> Entry:
    """Return the unstamped entry of a complete upload."""
    return Entry(
        bucket_id=upload.bucket_id,
        key=upload.key,
        actor=0,
        seq=0,
        hlc=0,
        etag=etag.multipart_etag([part.etag for part in parts]),
        size_bytes=sum(part.size_bytes for part in parts),
        headers=upload_headers(upload),
        parts=parts,
        last_modified=clock.utcnow(),
        origin_node=identity.load().node_id,
    )


def end_upload(
    upload_id: str,
    outcome: UploadOutcome,
    result: Mapping[str, Any],
    *,
    is_confirmed: bool = True,
    untold: Sequence[str] = (),
) -> None:
    """Forget an upload and its parts, and remember how it ended, in the caller's transaction.

    Args:
        upload_id: The upload.
        outcome: Completed or aborted.
        result: What a client hears that repeats its request.
        is_confirmed: False while the object has yet to reach the nodes that it must.
        untold: Members that have to hear of it.

    Raises:
        NoSuchUpload: It ended before, in another way.
    """
    known = EndedUpload.objects.filter(upload_id=upload_id).first()
    if known is not None and known.outcome != outcome:
        raise NoSuchUpload
    UploadPart.objects.filter(upload__upload_id=upload_id).delete()
    MultipartUpload.objects.filter(upload_id=upload_id).delete()
    if known is None:
        EndedUpload.objects.create(
            upload_id=upload_id,
            outcome=outcome,
            result=dict(result),
            ended_at=clock.utcnow(),
            is_confirmed=is_confirmed,
            untold=sorted(untold),
        )


def settle_ended(upload_id: str, *, untold: Sequence[str]) -> None:
    """Record that the end of an upload is confirmed, and who has yet to hear of it."""
    found = EndedUpload.objects.filter(upload_id=upload_id)
    commit.run(lambda: found.update(is_confirmed=True, untold=sorted(untold)))


def find_ended(upload_id: str) -> EndedUpload | None:
    """Return how an upload ended, None while it goes on or once that was forgotten."""
    return EndedUpload.objects.filter(upload_id=upload_id).first()


def unsettled(*, after: int, limit: int) -> list[EndedUpload]:
    """Return ended uploads that are not confirmed or that some member has not heard of."""
    found = EndedUpload.objects.filter(~Q(untold=[]) | Q(is_confirmed=False), pk__gt=after)
    return list(found.order_by("pk")[:limit])


def forget_ended(*, before: datetime) -> None:
    """Forget uploads that ended before a date, and of which everybody has heard."""
    old = EndedUpload.objects.filter(ended_at__lt=before, is_confirmed=True, untold=[])
    commit.run(old.delete)
