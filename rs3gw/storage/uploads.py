"""What this node keeps of uploads in parts: records, and the parts that arrived here.

How nodes tell each other of them is not known here.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from rs3gw.common import clock, identity, ids
from rs3gw.storage import commit, rows, selectors
from rs3gw.storage.blobs import StagedBody
from rs3gw.storage.core.objects import ObjectHeaders
from rs3gw.storage.core.uploads import (
    PART_NUMBER_MAX,
    NamedPart,
    UploadedPart,
    pick,
)
from rs3gw.storage.errors import EntityTooSmall, InvalidPart, InvalidPartOrder, NoSuchUpload
from rs3gw.storage.models import Bucket, MultipartUpload, UploadPart, UploadState

PART_SIZE_MIN_BYTES = 5 * 2**20
ENDED_KEPT = timedelta(days=1)
# What a copy of a record has in common with the record.
_COPIED = (
    "upload_id", "key", "owner", "headers", "metadata", "tags", "checksum_algorithm",
    "checksum_type", "state", "result", "is_confirmed",
)  # fmt: skip


def create_upload(
    *,
    bucket: Bucket,
    key: str,
    headers: ObjectHeaders,
    owner: str = "root",
    checksum_algorithm: str = "",
    checksum_type: str = "",
) -> MultipartUpload:
    """Begin an upload in parts at this node."""
    node_id = identity.load().node_id
    upload = MultipartUpload(
        upload_id=ids.new_upload_id(node_id),
        home=node_id,
        bucket=bucket,
        key=key,
        owner=owner,
        initiated_at=clock.utcnow(),
        headers={**headers.to_json(), "content_type": headers.content_type},
        metadata=dict(headers.metadata),
        tags=dict(headers.tags),
        checksum_algorithm=checksum_algorithm,
        checksum_type=checksum_type,
    )
    commit.run(upload.save)
    return upload


def headers_of(upload: MultipartUpload) -> ObjectHeaders:
    """Return what the object of an upload is to be returned with."""
    return ObjectHeaders.from_json(upload.headers, upload.metadata, upload.tags)


def find_upload(upload_id: str) -> MultipartUpload | None:
    """Return this node's record of an upload, also of one that is over, or None."""
    found = MultipartUpload.objects.select_related("bucket").filter(upload_id=upload_id)
    return found.first()


def record_json(upload: MultipartUpload) -> dict[str, object]:
    """Return a record as nodes tell it to each other."""
    record = {name: getattr(upload, name) for name in _COPIED}
    return record | {
        "bucket": upload.bucket.name,
        "incarnation": str(upload.bucket.incarnation),
        "initiated_ms": clock.to_ms(upload.initiated_at),
        "ended_ms": None if upload.ended_at is None else clock.to_ms(upload.ended_at),
    }


def adopt_record(record: Mapping[str, Any]) -> MultipartUpload | None:
    """Keep a copy of another node's record, and return it; what is over stays over.

    Returns:
        None when this node does not know the upload's bucket.

    Raises:
        ValueError: It is not a record.
    """
    values = _values_of(record)
    if values is None:
        return None

    def change() -> MultipartUpload:
        upload, is_new = MultipartUpload.objects.get_or_create(
            upload_id=values["upload_id"], defaults=values
        )
        is_over = values["state"] != UploadState.OPEN
        if not is_new and is_over and upload.state == UploadState.OPEN:
            _end(upload, values["state"], values["result"])
        return upload

    return commit.run(change)


def _values_of(record: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        values = {name: record[name] for name in _COPIED}
        initiated_ms, ended_ms = int(record["initiated_ms"]), record["ended_ms"]
        incarnation, name = str(record["incarnation"]), str(record["bucket"])
        UploadState(values["state"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a record of an upload: {error}") from None
    bucket = selectors.find_incarnation(incarnation) or selectors.find_bucket(name)
    if bucket is None:
        return None
    return values | {
        "bucket": bucket,
        "home": ids.upload_home(str(values["upload_id"])),
        "initiated_at": clock.from_ms(initiated_ms),
        "ended_at": None if ended_ms is None else clock.from_ms(int(ended_ms)),
    }


def put_part(*, upload: MultipartUpload, number: int, body: StagedBody) -> UploadedPart:
    """Keep one part; a part that was uploaded here again replaces the earlier one.

    Args:
        upload: The upload it belongs to.
        number: 1 to 10,000.
        body: The part's bytes; installed here.

    Raises:
        NoSuchUpload: The upload was completed or aborted meanwhile.
    """
    assert 1 <= number <= PART_NUMBER_MAX
    part = UploadedPart(
        number=number,
        size_bytes=body.size_bytes,
        etag=body.md5_hex,
        sha256=body.sha256_hex,
        checksums=dict(body.checksums),
        node_id=identity.load().node_id,
        uploaded_ms=clock.now_ms(),
    )
    keep_part(upload, part, body)
    return part


def keep_part(upload: MultipartUpload, part: UploadedPart, body: StagedBody | None) -> None:
    """Keep a part of this or another node; `body` is None when its bytes are here already.

    Raises:
        NoSuchUpload: The upload was completed or aborted meanwhile.
    """
    if body is not None:
        body.install()

    def change() -> None:
        # The lock keeps the upload from ending between this look and the commit.
        found = MultipartUpload.objects.select_for_update().filter(pk=upload.pk)
        if found.values_list("state", flat=True).first() != UploadState.OPEN:
            raise NoSuchUpload
        if body is not None and body.inline is not None:
            rows.upsert_inline(body.sha256_hex, body.inline)
        UploadPart.objects.update_or_create(
            upload_id=upload.pk,
            number=part.number,
            node_id=part.node_id,
            defaults={
                "size_bytes": part.size_bytes,
                "etag": part.etag,
                "sha256": part.sha256,
                "checksums": dict(part.checksums),
                "uploaded_at": clock.from_ms(part.uploaded_ms),
            },
        )

    commit.run(change)


def parts_here(
    upload: MultipartUpload, *, after: int = 0, limit: int = PART_NUMBER_MAX
) -> list[UploadedPart]:
    """Return the parts of the first `limit` numbers above `after`, by number.

    A number has a part for each node at which it was uploaded and whose part is here.
    """
    found = upload.parts.filter(number__gt=after).order_by("number", "node_id")
    if limit < PART_NUMBER_MAX:
        numbers = found.order_by("number").values_list("number", flat=True).distinct()
        first = list(numbers[:limit])
        found = found.filter(number__lte=first[-1]) if first else found.none()
    return [
        UploadedPart(
            number=part.number,
            size_bytes=part.size_bytes,
            etag=part.etag,
            sha256=part.sha256,
            checksums=part.checksums,
            node_id=part.node_id,
            uploaded_ms=clock.to_ms(part.uploaded_at),
        )
        for part in found
    ]


def check_named(named: Sequence[NamedPart]) -> None:
    """Refuse a list of parts that cannot complete any upload.

    Raises:
        InvalidPart: It is empty.
        InvalidPartOrder: Numbers do not ascend.
    """
    numbers = [part.number for part in named]
    if not numbers:
        raise InvalidPart("Name at least one part.")
    if numbers != sorted(set(numbers)):
        raise InvalidPartOrder


def choose_parts(
    named: Sequence[NamedPart], stored: Mapping[int, Sequence[UploadedPart]]
) -> list[UploadedPart]:
    """Return the parts that complete an upload, in order.

    Args:
        named: As the client lists them, ascending.
        stored: The parts of each number that any node has, the one that counts first.

    Raises:
        InvalidPart: A part is missing, or has another entity tag.
    """
    chosen = []
    for wanted in named:
        part = pick(wanted, stored.get(wanted.number, ()))
        if part is None:
            raise InvalidPart(f"Part {wanted.number} was not uploaded, or has another entity tag.")
        chosen.append(part)
    return chosen


def check_chosen(
    named: Sequence[NamedPart], chosen: Sequence[UploadedPart], algorithm: str
) -> None:
    """Compare parts with what the client says of them, and refuse small ones.

    Args:
        named: As the client lists them.
        chosen: The parts of the same numbers.
        algorithm: The upload's checksum, "" for none; others are not compared.

    Raises:
        InvalidPart: A part has another checksum.
        EntityTooSmall: A part before the last is under 5 MiB.
    """
    for wanted, part in zip(named, chosen, strict=True):
        given, known = wanted.checksums.get(algorithm), part.checksums.get(algorithm)
        if given and known and given != known:
            raise InvalidPart(f"Part {part.number} has another {algorithm.upper()} checksum.")
    for small in chosen[:-1]:
        if small.size_bytes < PART_SIZE_MIN_BYTES:
            raise EntityTooSmall(
                f"Part {small.number} has {small.size_bytes} bytes; every part but the last must "
                f"have at least {PART_SIZE_MIN_BYTES}."
            )


def named_digest(named: Iterable[NamedPart]) -> str:
    """Return a hash of which parts were named, to recognise the same request again."""
    listed = [[part.number, part.etag] for part in named]
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def end_upload(
    upload: MultipartUpload,
    state: UploadState,
    *,
    result: Mapping[str, object] | None = None,
    untold: Collection[str] = (),
    is_confirmed: bool = True,
) -> None:
    """Record that an upload is over, inside the caller's transaction.

    Args:
        upload: The upload.
        state: Completed or aborted.
        result: What a repeated request is answered.
        untold: Members that have to hear of it.
        is_confirmed: False while the write mode of the object is not satisfied.

    Raises:
        NoSuchUpload: Someone else completed or aborted it first.
    """
    locked = MultipartUpload.objects.select_for_update().filter(
        pk=upload.pk, state=UploadState.OPEN
    )
    found = locked.first()
    if found is None:
        raise NoSuchUpload
    found.untold, found.is_confirmed = sorted(untold), is_confirmed
    _end(found, state, result or {})


def _end(upload: MultipartUpload, state: str, result: Mapping[str, object]) -> None:
    upload.state, upload.result = UploadState(state), dict(result)
    upload.ended_at = clock.utcnow()
    upload.save(update_fields=["state", "result", "untold", "is_confirmed", "ended_at"])
    UploadPart.objects.filter(upload_id=upload.pk).delete()


def settle_ended(upload: MultipartUpload, *, untold: Collection[str]) -> None:
    """Record who has yet to hear of the end of an upload, which is confirmed by now."""
    found = MultipartUpload.objects.filter(pk=upload.pk)
    commit.run(lambda: found.update(untold=sorted(untold), is_confirmed=True))


def ended_uploads(*, after: int, limit: int) -> list[MultipartUpload]:
    """Return uploads that are over and of which something is left to be done."""
    over = MultipartUpload.objects.exclude(state=UploadState.OPEN).select_related("bucket")
    pending = over.filter(~Q(untold=[]) | Q(is_confirmed=False), pk__gt=after)
    return list(pending.order_by("pk")[:limit])


def open_copies(*, after: int, limit: int) -> list[MultipartUpload]:
    """Return uploads of other nodes that are under way as far as this node knows."""
    found = MultipartUpload.objects.filter(state=UploadState.OPEN, pk__gt=after)
    return list(found.exclude(home=identity.load().node_id).order_by("pk")[:limit])


def forget_ended(*, now: datetime) -> None:
    """Delete the records of uploads that were over a day before `now` and that all heard of."""
    over = MultipartUpload.objects.exclude(state=UploadState.OPEN)
    old = over.filter(ended_at__lt=now - ENDED_KEPT, untold=[], is_confirmed=True)
    commit.run(old.delete)
