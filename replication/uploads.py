"""What the members of the region know of uploads in parts, asked for when it is needed.

Records stay at the nodes that have used them and parts at the node at which they arrived. See
`docs/decisions/0009-uploads-are-gathered-not-replicated.md`.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from cluster import selectors as cluster_selectors
from cluster import transport
from cluster.core.node import NodeInfo
from replication import bodies
from replication.asking import ask, ask_members
from replication.errors import UploadSettling, UploadUnreachable
from rs3gw.common import identity, ids
from rs3gw.storage import blobs, upload_lists
from rs3gw.storage import uploads as storage
from rs3gw.storage.core.uploads import (
    PART_NUMBER_MAX,
    ListedUpload,
    UploadedPart,
    UploadPage,
    UploadQuery,
    by_number,
    join_pages,
)
from rs3gw.storage.errors import NoSuchUpload
from rs3gw.storage.models import Bucket, MultipartUpload, UploadState

logger = logging.getLogger(__name__)
UPLOADS_PATH = "/_cluster/uploads/"
ASK_SECONDS = 5.0
PARTS_PER_ANSWER = 2000
ENDED_PER_QUESTION = 500
FETCHED_AT_ONCE = 4

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the region knows of one upload.

    Attributes:
        parts: Of each number, the parts that any member has; the one that counts first.
        holders: The members that have a body, by its hash; this node under its own name.
        silent: The members that did not answer.
    """

    parts: Mapping[int, Sequence[UploadedPart]]
    holders: Mapping[str, Sequence[str]]
    silent: frozenset[str]


def answer(upload_id: str, *, after: int, limit: int) -> dict[str, object]:
    """Return what this node knows of an upload, as it tells a member.

    Args:
        upload_id: The upload.
        after: Only parts above this number.
        limit: Most numbers of parts; at most `PARTS_PER_ANSWER` are given at once.
    """
    upload = storage.find_upload(upload_id)
    if upload is None:
        return {"record": None, "parts": [], "more": False}
    size = max(0, min(limit, PARTS_PER_ANSWER))
    found = storage.parts_here(upload, after=after, limit=size + 1) if size else []
    numbers = sorted({part.number for part in found})
    if len(numbers) > size:
        found = [part for part in found if part.number < numbers[-1]]
    return {
        "record": storage.record_json(upload),
        "parts": [part.to_json() for part in found],
        "more": len(numbers) > size,
    }


def _ask_one(
    node: NodeInfo, upload_id: str, *, after: int, limit: int
) -> tuple[Record | None, list[UploadedPart]]:
    """Return a member's record of an upload, and its parts.

    Raises:
        PeerError, ValueError: There is no proper answer.
    """
    client = transport.client(node)
    record: Record | None = None
    parts: list[UploadedPart] = []
    wanted = limit
    while True:
        path = f"{UPLOADS_PATH}{quote(upload_id, safe='')}?after={after}&limit={wanted}"
        said = _json(client.request("GET", path, timeout_seconds=ASK_SECONDS))
        record = said.get("record")
        page = [UploadedPart.from_json(part) for part in said.get("parts", ())]
        parts += page
        wanted -= len({part.number for part in page})
        if not said.get("more") or not page or wanted <= 0:
            return record, parts
        after = page[-1].number


def _json(response: transport.PeerResponse) -> dict[str, Any]:
    value = json.loads(response.body)
    if not isinstance(value, dict):
        raise ValueError("the answer is not a JSON object")
    return value


def find(bucket: Bucket, key: str, upload_id: str) -> MultipartUpload:
    """Return this node's record of an upload, asking the others for it the first time.

    The upload may be over; `require_open` says what a request that needs it open is answered.

    Raises:
        NoSuchUpload: Nobody knows it.
        UploadUnreachable: The node at which it began does not answer, and nobody else knows it.
        UploadSettling: It is being completed.
    """
    home = ids.upload_home(upload_id)
    upload = storage.find_upload(upload_id) if home else None
    if upload is None and home:
        upload = _learn(upload_id, home)
    if upload is None or upload.key != key or upload.bucket_id != bucket.pk:
        raise NoSuchUpload
    return upload


def require_open(upload: MultipartUpload) -> None:
    """Refuse an upload that is over.

    Raises:
        NoSuchUpload: It was completed or aborted.
    """
    if upload.state != UploadState.OPEN:
        raise NoSuchUpload


def _learn(upload_id: str, home: str) -> MultipartUpload | None:
    def question(node: NodeInfo) -> tuple[Record | None, list[UploadedPart]]:
        return _ask_one(node, upload_id, after=0, limit=0)

    routable = [node for node in cluster_selectors.routable() if not node.is_self]
    first = [node for node in routable if node.node_id == home]
    said = ask(question, first, timeout_seconds=ASK_SECONDS)
    if not any(record for record, _ in said.values()):
        others = [node for node in routable if node.node_id != home]
        said |= ask(question, others, timeout_seconds=ASK_SECONDS)
    records = [record for record, _ in said.values() if record]
    if not records:
        members = {node.node_id for node in cluster_selectors.registered_peers()}
        if home in members and home not in said:
            raise UploadUnreachable(
                f"The upload began at the node {home}, which does not answer. Retry when it is "
                "back."
            )
        return None
    # One that is over is over, whatever the others have not heard yet.
    return _adopt(max(records, key=_is_over))


def _is_over(record: Record) -> bool:
    return record.get("state") != UploadState.OPEN


def _adopt(record: Record) -> MultipartUpload | None:
    if _is_over(record) and not record.get("is_confirmed", True):
        raise UploadSettling
    return storage.adopt_record(record)


def gather(upload: MultipartUpload, *, after: int = 0, limit: int = PART_NUMBER_MAX) -> Gathered:
    """Return the parts of an upload that the members have, above number `after`.

    Args:
        upload: The upload; it must be open as far as this node knows.
        after: Only parts above this number.
        limit: How many numbers are of interest; 0 to learn only whether the upload is over.

    Raises:
        NoSuchUpload: A member knows that it is over, and now this node does too.
        UploadSettling: It is being completed.
    """
    answers = ask_members(
        lambda node: _ask_one(node, upload.upload_id, after=after, limit=limit),
        timeout_seconds=ASK_SECONDS,
    )
    for record, _ in answers.said.values():
        if record is not None and _is_over(record):
            _adopt(record)
            raise NoSuchUpload
    own = identity.load().node_id
    known = {own: storage.parts_here(upload, after=after, limit=limit)}
    known |= {node_id: parts for node_id, (_, parts) in answers.said.items()}
    holders: dict[str, list[str]] = {}
    unique: dict[tuple[int, str], UploadedPart] = {}
    for node_id, parts in known.items():
        for part in parts:
            unique[part.number, part.node_id] = part
            holders.setdefault(part.sha256, []).append(node_id)
    return Gathered(by_number(unique.values()), holders, answers.silent)


def fetch(upload: MultipartUpload, parts: Iterable[UploadedPart], gathered: Gathered) -> None:
    """Bring the bodies of parts that arrived at other nodes to this one, durably.

    Each part that was fetched is kept as a part of this node, so that a request that fails half
    way and is sent again goes on where it was.

    Raises:
        UploadUnreachable: No member that can be reached gives the bytes of a part.
        NoSuchUpload: The upload ended meanwhile.
    """
    own = identity.load().node_id
    others = [node for node in cluster_selectors.routable() if not node.is_self]
    foreign = [part for part in parts if own not in gathered.holders.get(part.sha256, ())]
    with ThreadPoolExecutor(FETCHED_AT_ONCE, thread_name_prefix="fetch") as pool:
        for start in range(0, len(foreign), FETCHED_AT_ONCE):
            batch = foreign[start : start + FETCHED_AT_ONCE]
            # What is here already may be collected as unused until a part names it: look again.
            for part in filter(_is_here, batch):
                storage.keep_part(upload, part, None)
            missing = [part for part in batch if not _is_here(part)]
            futures = [pool.submit(_fetch_one, part, gathered, others) for part in missing]
            wait(futures)
            for part, future in zip(missing, futures, strict=True):
                storage.keep_part(upload, part, future.result())


def _is_here(part: UploadedPart) -> bool:
    return bodies.has_body(part.sha256)


def _fetch_one(
    part: UploadedPart, gathered: Gathered, others: Sequence[NodeInfo]
) -> blobs.StagedBody:
    """Return a part's body from a member; touches no database."""
    holders = gathered.holders.get(part.sha256, ())
    for node in sorted(others, key=lambda node: node.node_id not in holders):
        try:
            with transport.client(node).open_stream(bodies.BLOB_PATH + part.sha256) as chunks:
                body = blobs.stage(chunks)
        except transport.PeerError as error:
            logger.info("part %d is not to be had from %s: %s", part.number, node.node_id, error)
            continue
        if body.sha256_hex == part.sha256 and body.size_bytes == part.size_bytes:
            return body
        body.discard()
        logger.warning("%s gave other bytes than those of %s", node.node_id, part.sha256)
    raise UploadUnreachable(
        f"No node that can be reached gives the bytes of part {part.number}. Nothing was "
        "changed. Retry when the others are back."
    )


def tell_ended(record: Record, members: Sequence[str]) -> list[str]:
    """Tell members that an upload is over; return those that did not hear of it."""
    body = json.dumps({"record": record}).encode()
    path = f"{UPLOADS_PATH}{record['upload_id']}"

    def question(node: NodeInfo) -> bool:
        client = transport.client(node)
        client.request("POST", path, body=body, timeout_seconds=ASK_SECONDS)
        return True

    wanted = [n for n in cluster_selectors.routable() if n.node_id in members and not n.is_self]
    told = ask(question, wanted, timeout_seconds=ASK_SECONDS)
    return sorted(set(members) - told.keys())


def list_page(bucket: Bucket, query: UploadQuery) -> UploadPage:
    """Return one page of the uploads under way in a bucket, on whichever nodes they began.

    Each member lists the uploads that began at it, and those that began at nobody who is asked.
    """
    asked = [node.node_id for node in cluster_selectors.routable()]
    longer = UploadQuery(
        prefix=query.prefix,
        delimiter=query.delimiter,
        key_marker=query.key_marker,
        id_marker=query.id_marker,
        limit=query.limit + 1 if query.limit else 0,
    )
    body = json.dumps(
        {
            "bucket": bucket.name,
            "incarnation": str(bucket.incarnation),
            "query": [longer.prefix, longer.delimiter, longer.key_marker, longer.id_marker],
            "limit": longer.limit,
            "asked": asked,
        }
    ).encode()

    def question(node: NodeInfo) -> tuple[list[ListedUpload], list[str]]:
        client = transport.client(node)
        path = f"{UPLOADS_PATH}list"
        said = _json(client.request("POST", path, body=body, timeout_seconds=ASK_SECONDS))
        listed = [ListedUpload.from_json(item) for item in said.get("uploads", ())]
        return listed, [str(group) for group in said.get("groups", ())]

    answers = ask_members(question, timeout_seconds=ASK_SECONDS)
    return join_pages([list_here(bucket, longer, asked), *answers.said.values()], query.limit)


def list_here(
    bucket: Bucket, query: UploadQuery, asked: Sequence[str]
) -> tuple[list[ListedUpload], list[str]]:
    """Return this node's part of a list for which the members `asked` are asked."""
    elsewhere = [node_id for node_id in asked if node_id != identity.load().node_id]
    return upload_lists.list_uploads(bucket, query, homes_elsewhere=elsewhere)


def ended_of(upload_ids: Sequence[str]) -> list[dict[str, object]]:
    """Return this node's records of those uploads that are over and confirmed."""
    found = MultipartUpload.objects.select_related("bucket").filter(
        upload_id__in=upload_ids[:ENDED_PER_QUESTION], is_confirmed=True
    )
    return [storage.record_json(u) for u in found.exclude(state=UploadState.OPEN)]


def drop_ended_copies() -> None:
    """Ask the nodes at which uploads began whether those known here as open are over."""
    after = 0
    while copies := storage.open_copies(after=after, limit=ENDED_PER_QUESTION):
        after = copies[-1].pk
        by_home: dict[str, list[str]] = {}
        for upload in copies:
            by_home.setdefault(upload.home, []).append(upload.upload_id)
        for node in cluster_selectors.routable():
            if node.node_id in by_home and not node.is_self:
                _drop_ended(node, by_home[node.node_id])


def _drop_ended(home: NodeInfo, upload_ids: Sequence[str]) -> None:
    body = json.dumps({"uploads": upload_ids}).encode()
    try:
        said = _json(transport.client(home).request("POST", f"{UPLOADS_PATH}ended", body=body))
        for record in said.get("ended", ()):
            storage.adopt_record(record)
    except (transport.PeerError, ValueError) as error:
        logger.info("%s does not say which uploads are over: %s", home.node_id, error)
