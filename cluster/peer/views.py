"""Membership between nodes: JSON in, JSON out."""

import json
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET, require_POST

from cluster import services
from cluster.core.membership import MalformedMessage
from cluster.peer.auth import problem, signed
from cluster.services import ClusterConflict
from rs3gw.common import identity

Receive = Callable[[str, object], dict[str, object]]


def _answer(request: HttpRequest, receive: Receive) -> HttpResponse:
    peer = request.peer  # type: ignore[attr-defined]
    try:
        data = json.loads(request.peer_body)  # type: ignore[attr-defined]
        return JsonResponse(receive(peer.node_id, data))
    except (ValueError, RecursionError):
        return problem(400, MalformedMessage("The body is not JSON."))
    except MalformedMessage as error:
        return problem(400, error)
    except ClusterConflict as error:
        return problem(409, error)


@signed(scopes=("cluster", "pair"))
@require_GET
def ping(request: HttpRequest) -> HttpResponse:
    """Answer who this is; a paired region asks it to see whether an endpoint is up."""
    return JsonResponse({"node_id": identity.load().node_id})


@signed()
@require_POST
def heartbeat(request: HttpRequest) -> HttpResponse:
    """Note that the sender lives."""
    return _answer(request, services.receive_heartbeat)


@signed()
@require_POST
def gossip(request: HttpRequest) -> HttpResponse:
    """Exchange news."""
    return _answer(request, services.receive_gossip)


@signed()
@require_POST
def probe(request: HttpRequest) -> HttpResponse:
    """Try to reach nodes that the sender does not hear."""
    return _answer(request, services.receive_probe)


@signed()
@require_POST
def join(request: HttpRequest) -> HttpResponse:
    """Take in a node that introduces itself."""
    return _answer(request, services.receive_join)


@signed()
@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    """Take in that the sender is leaving."""
    return _answer(request, services.receive_leave)
