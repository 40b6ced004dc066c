"""Uploads whose parts lie on several nodes: found, gathered, completed and ended together.

The record of an upload is made where it began; parts stay where they arrived. Nothing of it is
replicated until it is complete: the node that completes it asks the others for what they have.
Of two parts with one number the later one counts.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from django.db import connections

from cluster import selectors as cluster_selectors
from cluster import transport
from cluster.core.node import NodeInfo
from replication import bodies
from rs3gw.common import clock, identity, ids
from rs3gw.storage import blobs, commit, rows, selectors, uploads
from rs3gw.storage.core.objects import ObjectHeaders, PartInfo
from rs3gw.storage.core.sealed import sealed_size
from rs3gw.storage.errors import InvalidPart, NodesMissing, NoSuchUpload
from rs3gw.storage.models import Bucket, MultipartUpload, UploadOutcome, UploadPart

PATH = "/_cluster/uploads"
ASK_SECONDS = 5.0
ASKED_AT_ONCE_MAX = 16
ENDED_KEPT = timedelta(days=1)
STALE_AFTER = timedelta(hours=1)
MINUTES = 60
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is known together of an upload.

    Attributes:
        parts: The part that counts of each number.
        uploaded_at: When it arrived, by number.
        is_whole: Whether every member was heard.
        ended: How it ended on a member that knows so; None while it goes on.
    """

    parts: Mapping[int, PartInfo] = field(default_factory=dict)
    uploaded_at: Mapping[int, datetime] = field(default_factory=dict)
    is_whole: bool = True
    ended: Json | None = None


# --- what this node tells others -----------------------------------------------------------------


def describe(upload_id: str) -> Json | None:
    """Return what this node knows of an upload, None when it knows nothing."""
    ended = uploads.find_ended(upload_id)
    if ended is not None:
        return {
            "ended": {
                "outcome": ended.outcome,
                "result": ended.result,
                "is_confirmed": ended.is_confirmed,
            }
        }
    upload = MultipartUpload.objects.filter(upload_id=upload_id).select_related("bucket").first()
    if upload is None:
        return None
    return {"upload": _record(upload), "parts": [_part_record(p) for p in upload.parts.all()]}


def _record(upload: MultipartUpload) -> Json:
    return {
        "upload_id": upload.upload_id,
        "incarnation": str(upload.bucket.incarnation),
        "key": upload.key,
        "owner": upload.owner,
        "initiated_at": upload.initiated_at.isoformat(),
        "headers": upload.headers,
        "metadata": upload.metadata,
        "tags": upload.tags,
        "checksum_algorithm": upload.checksum_algorithm,
        "checksum_type": upload.checksum_type,
    }


def _part_record(part: UploadPart) -> list[Any]:
    info = PartInfo(
        number=part.number,
        size_bytes=part.size_bytes,
        etag=part.etag,
        sha256=part.sha256,
        checksums=part.checksums,
    )
    return [info.to_json(), part.uploaded_at.isoformat()]


def describe_all(bucket: Bucket, prefix: str, key_marker: str, id_marker: str, limit: int) -> Json:
    """Return this node's uploads of a bucket, from a marker on."""
    found = selectors.list_uploads(
        bucket, prefix=prefix, key_marker=key_marker, id_marker=id_marker, limit=limit
    )
    return {"uploads": [_record(upload) for upload in found]}


# --- asking the others ---------------------------------------------------------------------------


def _others() -> list[NodeInfo]:
    own = identity.load().node_id
    return [node for node in cluster_selectors.registered() if node.node_id != own]


def _ask(nodes: Iterable[NodeInfo], method: str, path: str, body: bytes = b"") -> list[Json | None]:
    """Return each node's answer, {} for one that knows nothing, None where none came."""
    routable = {node.node_id for node in cluster_selectors.routable()}

    def ask(node: NodeInfo) -> Json | None:
        if node.node_id not in routable:
            return None
        try:
            response = transport.client(node).request(
                method, path, body=body, timeout_seconds=ASK_SECONDS
            )
            answer: Json = json.loads(response.body)
        except transport.PeerRefused as error:
            return {} if error.status == 404 else None
        except (transport.PeerError, ValueError):
            return None
        else:
            return answer
        finally:
            connections.close_all()

    asked = list(nodes)
    if not asked:
        return []
    with ThreadPoolExecutor(min(len(asked), ASKED_AT_ONCE_MAX)) as pool:
        return list(pool.map(ask, asked))


def find(bucket: Bucket, key: str, upload_id: str) -> MultipartUpload:
    """Return an upload that goes on, taking it over from another node if need be.

    Raises:
        NoSuchUpload: Nobody knows it, it is over, or it is of another key.
        NodesMissing: Nobody who answers knows it, and the node where it began does not.
    """
    upload = MultipartUpload.objects.filter(upload_id=upload_id).select_related("bucket").first()
    if upload is None:
        upload = _adopt(upload_id)
    if upload.bucket_id != bucket.pk or upload.key != key:
        raise NoSuchUpload
    return upload


def _adopt(upload_id: str) -> MultipartUpload:
    if uploads.find_ended(upload_id) is not None:
        raise NoSuchUpload
    home = ids.upload_home(upload_id)
    others = _others()
    if not home or not others:
        raise NoSuchUpload
    is_home_silent = False
    # The node where it began knows best; the others are asked when it does not answer.
    for nodes in ([n for n in others if n.node_id == home], others):
        for node, answer in zip(
            nodes, _ask(nodes, "GET", f"{PATH}/{quote(upload_id, safe='')}"), strict=True
        ):
            if answer and "ended" in answer:
                raise NoSuchUpload
            if answer and "upload" in answer:
                return _take_over(answer["upload"])
            is_home_silent |= answer is None and node.node_id == home
    if is_home_silent:
        raise NodesMissing(
            f"The upload began on the node {home}, which does not answer now. Retry when it is "
            "back."
        )
    raise NoSuchUpload


def _take_over(record: Json) -> MultipartUpload:
    bucket = selectors.find_incarnation(str(record["incarnation"]))
    if bucket is None:
        raise NoSuchUpload
    headers = ObjectHeaders.from_json(record["headers"], record["metadata"], record["tags"])
    return uploads.adopt_upload(
        bucket=bucket,
        new=uploads.NewUpload(
            key=record["key"],
            headers=headers,
            owner=record["owner"],
            checksum_algorithm=record["checksum_algorithm"],
            checksum_type=record["checksum_type"],
        ),
        upload_id=record["upload_id"],
        initiated_at=datetime.fromisoformat(record["initiated_at"]),
    )


def gather(upload_id: str) -> Gathered:
    """Return what all members that answer know of an upload."""
    answers = _ask(_others(), "GET", f"{PATH}/{quote(upload_id, safe='')}")
    own = describe(upload_id)
    known = [answer for answer in (own, *answers) if answer]
    parts: dict[int, PartInfo] = {}
    arrived: dict[int, datetime] = {}
    for answer in known:
        for record, text in answer.get("parts", []):
            info, uploaded_at = PartInfo.from_json(record), datetime.fromisoformat(text)
            if info.number not in arrived or uploaded_at > arrived[info.number]:
                parts[info.number], arrived[info.number] = info, uploaded_at
    ended = next((answer["ended"] for answer in known if "ended" in answer), None)
    return Gathered(parts, arrived, None not in answers, ended)


def gather_list(
    bucket: Bucket, *, prefix: str, key_marker: str, id_marker: str, limit: int
) -> list[MultipartUpload]:
    """Return the uploads of a bucket on all members, by key and id; one more than `limit`."""
    query = {
        "incarnation": str(bucket.incarnation),
        "prefix": prefix,
        "key_marker": key_marker,
        "id_marker": id_marker,
        "limit": limit,
    }
    found = {
        upload.upload_id: upload
        for upload in selectors.list_uploads(
            bucket, prefix=prefix, key_marker=key_marker, id_marker=id_marker, limit=limit
        )
    }
    for answer in _ask(_others(), "GET", f"{PATH}?{urlencode(query)}"):
        for record in (answer or {}).get("uploads", []):
            if record["upload_id"] not in found and not uploads.find_ended(record["upload_id"]):
                found[record["upload_id"]] = _shown(bucket, record)
    ordered = sorted(found.values(), key=lambda upload: (upload.key, upload.upload_id))
    return ordered[: limit + 1]


def _shown(bucket: Bucket, record: Json) -> MultipartUpload:
    """Return an upload of another node as a row that is not stored."""
    return MultipartUpload(
        upload_id=record["upload_id"],
        bucket=bucket,
        key=record["key"],
        owner=record["owner"],
        initiated_at=datetime.fromisoformat(record["initiated_at"]),
        headers=record["headers"],
        checksum_algorithm=record["checksum_algorithm"],
        checksum_type=record["checksum_type"],
    )


# --- completing and ending -----------------------------------------------------------------------


def choose_parts(gathered: Gathered, named: Sequence[tuple[int, str]]) -> tuple[PartInfo, ...]:
    """Return the parts that complete an upload.

    Raises:
        NodesMissing: A part is not known, and a member that may have it does not answer.
        InvalidPart, InvalidPartOrder, EntityTooSmall: The list does not fit what was uploaded.
    """
    try:
        return uploads.choose_parts(gathered.parts, named)
    except InvalidPart:
        if gathered.is_whole:
            raise
        raise NodesMissing from None


def bring_here(parts: Sequence[PartInfo], *, is_sealed: bool) -> None:
    """Copy the bodies of parts that other nodes hold, so that this node has them all.

    Raises:
        BodyMissing: No reachable node holds one of them.
        StorageFull: This node's disk does not take them.
    """
    for part in parts:
        stored_bytes = sealed_size(part.size_bytes) if is_sealed else part.size_bytes
        if not part.size_bytes and not is_sealed:
            continue
        if bodies.has_body(part.sha256):
            continue
        body = blobs.stage_stored(bodies.open_one(part.sha256, stored_bytes, 0, stored_bytes))
        if body.sha256_hex != part.sha256:
            body.discard()
            raise InvalidPart(f"Part {part.number} arrived damaged. Complete the upload again.")
        if body.inline is not None:
            data = body.inline
            commit.run(lambda s=part.sha256, d=data: rows.upsert_inline(s, d))  # type: ignore[misc]
        body.install()


def members() -> list[str]:
    """Return the names of the other members, who have to hear when an upload is over."""
    return [node.node_id for node in _others()]


def tell_ended(upload_id: str) -> None:
    """Tell the members that have not heard of it that an upload is over.

    One that cannot be told is told again when this node tidies up.
    """
    ended = uploads.find_ended(upload_id)
    if ended is None:
        return
    nodes = [node for node in _others() if node.node_id in ended.untold]
    body = json.dumps({"outcome": ended.outcome, "result": ended.result}).encode()
    answers = _ask(nodes, "POST", f"{PATH}/{quote(upload_id, safe='')}", body)
    silent = [node.node_id for node, answer in zip(nodes, answers, strict=True) if answer is None]
    if not ended.is_confirmed or silent != ended.untold:
        uploads.settle_ended(upload_id, untold=silent)


def hear_ended(upload_id: str, outcome: str, result: Mapping[str, Any]) -> None:
    """Take in that an upload is over."""
    try:
        commit.run(lambda: uploads.end_upload(upload_id, UploadOutcome(outcome), result))
    except NoSuchUpload:
        # It ended here in another way at the same time; both nodes keep their word to their client.
        return


def drop_stale() -> None:
    """Forget uploads whose end elsewhere this node did not hear of, and old ends."""
    now = clock.utcnow()
    uploads.forget_ended(before=now - ENDED_KEPT)
    by_id = {node.node_id: node for node in _others()}
    for upload in MultipartUpload.objects.filter(initiated_at__lt=now - STALE_AFTER).iterator():
        home = by_id.get(ids.upload_home(upload.upload_id))
        # Run once a minute, it asks for each upload once an hour.
        if home is None or upload.pk % MINUTES != now.minute:
            continue
        [answer] = _ask([home], "GET", f"{PATH}/{quote(upload.upload_id, safe='')}")
        # A home that does not know it may have lost its disk: then what is here is all there is.
        if answer and "ended" in answer:
            ended = answer["ended"]
            hear_ended(upload.upload_id, ended["outcome"], ended["result"])
