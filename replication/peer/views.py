"""Peer views: batches of events, bodies by hash, and the state that a joining node copies."""

import json
import re
from collections.abc import Iterator
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from cluster import selectors as cluster_selectors
from cluster.peer.auth import signed
from replication import (
    applier,
    backfill,
    bodies,
    damage,
    links,
    review,
    selectors,
    stability,
)
from replication.core.envelope import MalformedBatch, decode_batch, encode_results
from replication.peer.anti_entropy import Outdated, give_or_take_entries
from replication.peer.apply_queue import limited
from replication.transport import MEMBERS_HEADER
from rs3gw.storage import blobs, commit, rows
from rs3gw.storage.errors import BodyMissing

WANTED_MAX = 2000
READ_BYTES = 256 * 1024
_SHA256 = re.compile(r"^[0-9a-f]{64}$")
_RANGE = re.compile(r"^bytes=(\d+)-(\d+)$")
PAIR_PREFIX = "pair:"


def sender_of(request: HttpRequest) -> applier.Sender:
    """Return who sent a signed request, as its signature proves."""
    peer = request.peer  # type: ignore[attr-defined]
    region = settings.RS3GW_REGION
    if peer.scope.startswith(PAIR_PREFIX):
        region = peer.scope.removeprefix(PAIR_PREFIX)
    return applier.Sender(node_id=peer.node_id, region=region)


def _problem(status: int, code: str, message: str) -> JsonResponse:
    return JsonResponse({"code": code, "message": message}, status=status)


@signed(body="hash", scopes=("cluster", "pair"))
@limited
def events(request: HttpRequest) -> HttpResponse:
    """Apply a batch of events; answers one result for each."""
    if request.method != "POST":
        return _problem(405, "MethodNotAllowed", "Send a batch with POST.")
    try:
        batch = decode_batch(request.peer_body)  # type: ignore[attr-defined]
    except MalformedBatch as error:
        return _problem(400, "MalformedBatch", str(error))
    sender = sender_of(request)
    if sender.is_member() and stability.is_outdated(sender.node_id):
        return _problem(
            421, "JoinAgain", f"{sender.node_id} was evicted or removed: it has to join again."
        )
    if not sender.is_member():
        links.heard_of_region(sender.region)
    results = applier.apply_batch(batch, sender)
    response = HttpResponse(encode_results(results), content_type="application/json")
    if sender.is_member():
        response[MEMBERS_HEADER] = cluster_selectors.electorate().to_header()
    return response


@signed(body="hash", scopes=("cluster", "pair"))
def blobs_wanted(request: HttpRequest) -> HttpResponse:
    """Answer which of the named bodies this node should be sent."""
    try:
        asked = json.loads(request.peer_body)  # type: ignore[attr-defined]
        named = asked["bodies"][:WANTED_MAX]
        hashes = [str(sha256) for sha256, _ in named]
        must_take = {str(sha256) for sha256 in asked.get("take", [])}
    except (ValueError, KeyError, TypeError, AttributeError):
        return _problem(400, "MalformedRequest", "Send {'bodies': [[sha256, size], ...]}.")
    from_member = sender_of(request).is_member()
    wanted = [
        h
        for h in hashes
        if _SHA256.match(h) and bodies.wants_body(h, from_member=from_member and h not in must_take)
    ]
    return JsonResponse({"wanted": wanted})


@signed(body="stream", scopes=("cluster", "pair"))
def blob(request: HttpRequest, sha256: str) -> HttpResponseBase:
    """Take in (PUT) or give out (GET) one body by its hash."""
    if not _SHA256.match(sha256):
        return _problem(400, "MalformedRequest", "A body is named by 64 hexadecimal digits.")
    if request.method == "PUT":
        return _take_blob(request, sha256)
    if sender_of(request).is_member() and request.method == "GET":
        return _give_blob(request, sha256)
    return _problem(403, "Forbidden", "Only members of this region may read bodies.")


def _take_blob(request: HttpRequest, sha256: str) -> HttpResponse:
    staged = blobs.stage_stored(_request_chunks(request))
    if staged.sha256_hex != sha256:
        staged.discard()
        return _problem(422, "BadDigest", "The bytes are not those of the hash in the path.")
    inline = staged.inline
    if inline is not None:
        commit.run(lambda: rows.upsert_inline(sha256, inline))
    staged.install()
    return JsonResponse({"size_bytes": staged.size_bytes})


def _request_chunks(request: HttpRequest) -> Iterator[bytes]:
    stream = request.environ["wsgi.input"]  # type: ignore[attr-defined]
    while chunk := stream.read(READ_BYTES):
        yield chunk


def _give_blob(request: HttpRequest, sha256: str) -> HttpResponseBase:
    file = blobs.open_file(sha256)
    inline = rows.read_inline(sha256) if file is None else None
    if file is None and inline is None:
        return _problem(404, BodyMissing.code, "This node does not hold that body.")
    size_bytes = len(inline) if inline is not None else 0
    if file is not None:
        size_bytes = file.seek(0, 2)
    wanted = request.GET.get("size", "")
    if wanted.isdigit() and int(wanted) != size_bytes:
        if file is not None:
            file.close()
        damage.suspect(sha256, int(wanted), f"it has {size_bytes} bytes instead of {wanted}")
        return _problem(404, BodyMissing.code, "This node's copy of that body is damaged.")
    match = _RANGE.match(request.headers.get("Range", ""))
    start, end = (int(match[1]), int(match[2])) if match else (0, size_bytes - 1)
    length = max(0, min(end, size_bytes - 1) - start + 1)
    if inline is not None:
        content: Iterator[bytes] = iter([inline[start : start + length]])
    else:
        assert file is not None
        content = blobs.read_range(file, start, length)
    response = StreamingHttpResponse(content, content_type="application/octet-stream")
    response.status_code = 206 if match else 200
    response.headers["Content-Length"] = str(length)
    return response


@signed(body="hash", scopes=("cluster", "pair"))
def frontier(request: HttpRequest) -> HttpResponse:
    """Answer how far this node has applied each writer; with `highest`, gaps do not count."""
    found = selectors.highest_applied() if "highest" in request.GET else selectors.frontiers()
    return JsonResponse({str(actor): seq for actor, seq in found.items()})


@signed(body="hash", scopes=("cluster",))
def entries(request: HttpRequest) -> HttpResponse:
    """Answer one page of this node's index, for a node that joins; give or take single ones."""
    if request.method != "GET":
        return give_or_take_entries(request)
    after = request.GET.get("after", "0")
    return HttpResponse(
        backfill.encode_page(int(after) if after.isdigit() else 0),
        content_type="application/octet-stream",
    )


@signed(body="hash", scopes=("cluster",))
def entries_known(request: HttpRequest) -> HttpResponse:
    """Answer what this node knows of the named values: a node that joins again asks."""
    try:
        named = json.loads(request.peer_body)["keys"]  # type: ignore[attr-defined]
        keys = [(str(UUID(i)), str(key), str(v), int(a), int(n)) for i, key, v, a, n in named]
    except (ValueError, KeyError, TypeError, AttributeError):
        return _problem(
            400, "MalformedRequest", "Send {'keys': [[incarnation, key, version, actor, seq]]}."
        )
    return JsonResponse({"known": review.what_is_known(keys)})


@signed(body="hash", scopes=("cluster",))
def registers(request: HttpRequest) -> HttpResponse:
    """Answer all registers and buckets of this node (GET), or join another node's (PUT)."""
    if request.method == "PUT":
        if stability.is_outdated(sender_of(request).node_id):
            return _problem(421, Outdated.code, Outdated.default_message)
        try:
            backfill.join_control(json.loads(request.peer_body))  # type: ignore[attr-defined]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return _problem(400, "MalformedRequest", f"These are no registers: {error!r}")
        return JsonResponse({})
    return JsonResponse(backfill.control_snapshot())
