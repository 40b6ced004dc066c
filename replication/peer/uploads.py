"""Peer views of uploads in parts: what this node knows of one, and that one is over."""

import json
from typing import Any

from django.http import HttpRequest, JsonResponse

from cluster.peer.auth import signed
from replication import uploads
from rs3gw.storage import selectors
from rs3gw.storage import uploads as storage
from rs3gw.storage.core.uploads import PART_NUMBER_MAX, UploadQuery
from rs3gw.storage.models import UploadState

LISTED_MAX = 1001
PROBLEM = {"code": "MalformedRequest", "message": "The request is not one about uploads."}


def _body(request: HttpRequest) -> dict[str, Any]:
    value = json.loads(request.peer_body)  # type: ignore[attr-defined]
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


@signed(body="hash", scopes=("cluster",))
def one(request: HttpRequest, upload_id: str) -> JsonResponse:
    """Answer what this node knows of an upload (GET), or hear that it is over (POST)."""
    try:
        if request.method == "POST":
            return _hear(upload_id, _body(request))
        after, limit = int(request.GET.get("after", "0")), int(request.GET.get("limit", "0"))
    except (ValueError, KeyError, TypeError):
        return JsonResponse(PROBLEM, status=400)
    after = max(0, min(after, PART_NUMBER_MAX))
    limit = max(0, min(limit, PART_NUMBER_MAX))
    return JsonResponse(uploads.answer(upload_id, after=after, limit=limit))


def _hear(upload_id: str, body: dict[str, Any]) -> JsonResponse:
    record = body["record"]
    if record["upload_id"] != upload_id or record["state"] == UploadState.OPEN:
        return JsonResponse(PROBLEM, status=400)
    upload = storage.adopt_record(record)
    return JsonResponse({"state": "" if upload is None else upload.state})


@signed(body="hash", scopes=("cluster",))
def listed(request: HttpRequest) -> JsonResponse:
    """Answer this node's part of a page of a bucket's uploads."""
    try:
        body = _body(request)
        texts = [str(text) for text in body["query"]]
        query = UploadQuery(
            prefix=texts[0],
            delimiter=texts[1],
            key_marker=texts[2],
            id_marker=texts[3],
            limit=max(0, min(int(body["limit"]), LISTED_MAX)),
        )
        asked = [str(node_id) for node_id in body["asked"]]
        names = str(body["incarnation"]), str(body["bucket"])
        bucket = selectors.find_incarnation(names[0]) or selectors.find_bucket(names[1])
    except (ValueError, KeyError, TypeError, IndexError):
        return JsonResponse(PROBLEM, status=400)
    if bucket is None:
        return JsonResponse({"uploads": [], "groups": []})
    found, groups = uploads.list_here(bucket, query, asked)
    return JsonResponse({"uploads": [upload.to_json() for upload in found], "groups": groups})


@signed(body="hash", scopes=("cluster",))
def ended(request: HttpRequest) -> JsonResponse:
    """Answer which of the named uploads are over, with their records."""
    try:
        named = [str(upload_id) for upload_id in _body(request)["uploads"]]
    except (ValueError, KeyError, TypeError):
        return JsonResponse(PROBLEM, status=400)
    return JsonResponse({"ended": uploads.ended_of(named)})
