"""Peer views of uploads in parts."""

import json

from django.http import HttpRequest, HttpResponse, JsonResponse

from cluster.peer.auth import signed
from replication import uploads
from rs3gw.storage import selectors
from rs3gw.storage.models import UploadOutcome

LIMIT_MAX = 1000


def _problem(status: int, code: str, message: str) -> JsonResponse:
    return JsonResponse({"code": code, "message": message}, status=status)


@signed(body="hash", scopes=("cluster",))
def upload(request: HttpRequest, upload_id: str) -> HttpResponse:
    """Answer what this node knows of an upload (GET), or hear that it is over (POST)."""
    if request.method == "POST":
        return _hear(request, upload_id)
    found = uploads.describe(upload_id)
    if found is None:
        return _problem(404, "NoSuchUpload", "This node knows no such upload.")
    return JsonResponse(found)


def _hear(request: HttpRequest, upload_id: str) -> HttpResponse:
    try:
        told = json.loads(request.peer_body)  # type: ignore[attr-defined]
        outcome, result = UploadOutcome(told["outcome"]), dict(told["result"])
    except (ValueError, KeyError, TypeError):
        return _problem(400, "MalformedRequest", "Send {'outcome': ..., 'result': {...}}.")
    uploads.hear_ended(upload_id, outcome, result)
    return JsonResponse({})


@signed(body="hash", scopes=("cluster",))
def uploads_of_bucket(request: HttpRequest) -> HttpResponse:
    """Answer this node's uploads of a bucket, from a marker on."""
    query = request.GET
    bucket = selectors.find_incarnation(query.get("incarnation", ""))
    if bucket is None:
        return _problem(404, "NoSuchBucket", "This node knows no such bucket.")
    limit = query.get("limit", "")
    return JsonResponse(
        uploads.describe_all(
            bucket,
            query.get("prefix", ""),
            query.get("key_marker", ""),
            query.get("id_marker", ""),
            min(int(limit), LIMIT_MAX) if limit.isdecimal() else LIMIT_MAX,
        )
    )
