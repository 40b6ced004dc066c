"""Peer views about one key: what this node holds of it, and who may decide about it."""

import json

from django.http import HttpRequest, HttpResponse

from cluster.peer.auth import problem, signed
from replication import backfill, reading, stability
from replication.claims import claims
from replication.core.envelope import MalformedBatch, decode_batch
from replication.peer.anti_entropy import Outdated
from rs3gw.common import clock
from rs3gw.common.errors import Rs3gwError
from rs3gw.storage import selectors


class MalformedQuestion(Rs3gwError):
    """A peer asked about a key in a form that this node does not know."""

    code = "MalformedRequest"
    default_message = "Send a JSON object with texts."


def _texts(request: HttpRequest, *names: str) -> list[str]:
    """Return texts of a JSON body.

    Raises:
        MalformedQuestion: One is missing or no text.
    """
    try:
        data = json.loads(request.peer_body)  # type: ignore[attr-defined]
        texts = [data[name] for name in names]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise MalformedQuestion from None
    if not all(isinstance(text, str) for text in texts):
        raise MalformedQuestion
    return texts


@signed(body="hash", scopes=("cluster",))
def key(request: HttpRequest) -> HttpResponse:
    """Tell what this node holds of a key (POST), or join what another one holds (PUT)."""
    try:
        if request.method == "PUT":
            if stability.is_outdated(request.peer.node_id):  # type: ignore[attr-defined]
                return problem(421, Outdated())
            backfill.join(decode_batch(request.peer_body))  # type: ignore[attr-defined]
            return HttpResponse(b"joined", content_type="text/plain")
        bucket_name, name, digest = _texts(request, "bucket", "key", "digest")
    except (MalformedBatch, MalformedQuestion) as error:
        return problem(400, MalformedQuestion(str(error)))
    bucket = selectors.find_bucket(bucket_name)
    return HttpResponse(
        reading.answer(bucket, name, digest), content_type="application/x-rs3gw-batch"
    )


@signed(body="hash", scopes=("cluster",))
def claim(request: HttpRequest) -> HttpResponse:
    """Grant a claim to a key (POST), or take it back (DELETE)."""
    try:
        bucket, name, token = _texts(request, "bucket", "key", "token")
    except MalformedQuestion as error:
        return problem(400, error)
    if request.method == "DELETE":
        claims.release(bucket, name, token)
        return HttpResponse(b"released", content_type="text/plain")
    is_granted = claims.grant(bucket, name, token, clock.monotonic())
    answer = reading.GRANTED if is_granted else reading.HELD
    return HttpResponse(answer, content_type="text/plain")
