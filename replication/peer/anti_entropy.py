"""Peer views of anti-entropy: sums of this node's index, and entries by their dots."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from cluster.peer.auth import problem, signed
from replication import backfill, stability
from replication.anti_entropy import scan
from replication.anti_entropy.compare import CONTROL, DOTS_AT_ONCE
from replication.core.digest import LEAVES
from replication.core.envelope import MalformedBatch, decode_batch
from rs3gw.common.errors import Rs3gwError

BATCH_TYPE = "application/x-rs3gw-batch"


class MalformedQuestion(Rs3gwError):
    """A peer asked in a form that this node does not know."""

    code = "MalformedRequest"
    default_message = "The question has a form that this node does not know."


class Outdated(Rs3gwError):
    """A node that was evicted or removed gives something that may be older than deletes."""

    code = "JoinAgain"
    default_message = "This node was evicted or removed: it has to join again."


def _refuse_outdated(request: HttpRequest) -> None:
    if stability.is_outdated(request.peer.node_id):  # type: ignore[attr-defined]
        raise Outdated


def _question(request: HttpRequest) -> dict[str, Any]:
    try:
        data = json.loads(request.peer_body)  # type: ignore[attr-defined]
    except (ValueError, RecursionError):
        raise MalformedQuestion from None
    if not isinstance(data, dict):
        raise MalformedQuestion
    return data


@signed(body="hash", scopes=("cluster",))
def digest(request: HttpRequest) -> HttpResponse:
    """Answer sums of all buckets, of the leaves of one, or the entries of some leaves."""
    try:
        question = _question(request)
        through, bucket = int(question["through"]), str(question.get("bucket", ""))
        leaves = [int(leaf) for leaf in question.get("items", [])][:LEAVES]
    except (MalformedQuestion, KeyError, TypeError, ValueError):
        return problem(400, MalformedQuestion())
    if bucket == CONTROL:
        return JsonResponse({"control": scan.control_root(through)})
    if leaves:
        items = scan.items(through, bucket, leaves)
        return JsonResponse({"items": [[*_values(item)] for item in items]})
    found = scan.digests(through, bucket)
    if question.get("wants_leaves"):
        return JsonResponse({"leaves": found[bucket].to_json() if bucket in found else {}})
    roots = {name: found[name].root() for name in found}
    return JsonResponse(
        {
            "control": "" if bucket else scan.control_root(through),
            "buckets": {name: [f"{total:x}", count] for name, (total, count) in roots.items()},
        }
    )


def _values(item: Any) -> tuple[object, ...]:
    return item.key, item.version_id, item.actor, item.seq, item.kind, item.detail


def give_or_take_entries(request: HttpRequest) -> HttpResponse:
    """Give the entries with some dots (POST), or join a batch of entries (PUT)."""
    try:
        if request.method == "PUT":
            _refuse_outdated(request)
            backfill.join(decode_batch(request.peer_body))  # type: ignore[attr-defined]
            return HttpResponse(b"joined", content_type="text/plain")
        dots = [(int(actor), int(seq)) for actor, seq in _question(request)["dots"]]
    except Outdated as error:
        return problem(421, error)
    except (MalformedBatch, MalformedQuestion, KeyError, TypeError, ValueError) as error:
        return problem(400, MalformedQuestion(str(error)))
    return HttpResponse(backfill.encode_dots(dots[:DOTS_AT_ONCE]), content_type=BATCH_TYPE)


@signed(body="hash", scopes=("cluster",))
def written(request: HttpRequest) -> HttpResponse:
    """Answer a page of what is left here of a writer's changes."""
    numbers = [request.GET.get(name, "") for name in ("actor", "after_seq", "after")]
    if not all(number.isascii() and number.isdigit() for number in numbers):
        return problem(400, MalformedQuestion("Name actor, after_seq and after."))
    actor, after_seq, after = (min(int(number), 2**63 - 1) for number in numbers)
    page = backfill.encode_written(actor, after_seq, after)
    return HttpResponse(page, content_type=BATCH_TYPE)
