"""Who may speak on the cluster port: whoever can sign, once, for a scope this node knows.

The scope "cluster" is this region's own cluster id. Others, such as "pair:<region>", are resolved
by whoever registered their prefix.
"""

import functools
from collections.abc import Callable, Collection
from http import HTTPStatus
from typing import Literal

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from cluster import conf, selectors
from cluster.core.node import Lifecycle
from cluster.core.removal import Removal
from rs3gw.common import clock, signing
from rs3gw.common.errors import Rs3gwError, SignatureError
from rs3gw.common.signing import NonceCache, PeerRequest, body_sha256

BODY_BYTES_MAX = 32 * 2**20
SCOPE_CLUSTER = "cluster"
EMPTY_SHA256 = body_sha256(b"")

PeerView = Callable[..., HttpResponseBase]
_resolvers: dict[str, Callable[[str], str]] = {}
_nonces = NonceCache()


class BodyTooLarge(Rs3gwError):
    """A peer sent more than this node takes in one request."""

    code = "EntityTooLarge"
    default_message = f"A request body may have at most {BODY_BYTES_MAX} bytes."


def register_scope_secret(prefix: str, resolver: Callable[[str], str]) -> None:
    """Let requests of the scopes `<prefix>:<name>` in.

    Args:
        prefix: What stands before the colon; also its name in `signed(scopes=...)`.
        resolver: Returns the secret shared with `<name>`, "" when there is none.
    """
    _resolvers[prefix] = resolver


def signed(
    *,
    body: Literal["hash", "stream"] = "hash",
    scopes: Collection[str] = (SCOPE_CLUSTER,),
) -> Callable[[PeerView], PeerView]:
    """Let a view answer only requests that a peer signed.

    The view finds the proven request in `request.peer` and, with `body="hash"`, the body in
    `request.peer_body`. With `body="stream"` the view reads the body itself and must compare it
    with the hash in the path.

    Args:
        body: Whether the signature covers the body's hash.
        scopes: "cluster" for members of this region, or a registered prefix.
    """

    def decorate(view: PeerView) -> PeerView:
        @csrf_exempt
        @functools.wraps(view)
        def wrapper(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            try:
                peer = _verify(request, scopes)
                removal = _removal_of(peer)
                if removal is not None:
                    return _refused_as_removed(removal)
                content = _read_body(request, peer, is_stream=body == "stream")
                _use_nonce(peer)
            except SignatureError as error:
                return problem(401, error)
            except BodyTooLarge as error:
                return problem(413, error)
            request.peer = peer  # type: ignore[attr-defined]
            request.peer_body = content  # type: ignore[attr-defined]
            return view(request, *args, **kwargs)

        return wrapper

    return decorate


def problem(status: int, error: Rs3gwError) -> JsonResponse:
    """Return an error as peers read it."""
    return JsonResponse({"code": error.code, "message": error.message}, status=status)


def _removal_of(peer: PeerRequest) -> Removal | None:
    """Return how the sender was removed, None when it was not."""
    if peer.scope != conf.cluster_id() or not conf.is_enabled():
        return None
    now = selectors.snapshot()
    if peer.actor:
        return now.removals.find(peer.node_id, peer.actor)
    # An earlier version does not name its writer id: it has the one that it was removed under.
    row = now.rows.get(peer.node_id)
    is_out = row is not None and row.state == Lifecycle.LEFT
    return now.removals.find(peer.node_id, row.actor) if row is not None and is_out else None


def _refused_as_removed(removal: Removal) -> JsonResponse:
    message = (
        f"{removal.node_id} was removed from the cluster by {removal.removed_by} (epoch "
        f"{removal.epoch}); `manage.py join` on it makes it a member again."
    )
    answer = {"code": "removed", "message": message, "removal": removal.to_json()}
    return JsonResponse(answer, status=HTTPStatus.MISDIRECTED_REQUEST)


def _verify(request: HttpRequest, scopes: Collection[str]) -> PeerRequest:
    scope = request.headers.get(signing.HEADER_SCOPE, "")
    return signing.verify(
        method=request.method or "",
        target=request.META.get("RAW_URI") or request.get_full_path(),
        headers=request.headers,
        secret=_secret_of(scope, scopes),
        now=clock.now(),
    )


def _secret_of(scope: str, scopes: Collection[str]) -> str:
    if scope == conf.cluster_id():
        return str(settings.RS3GW_CLUSTER_SECRET) if SCOPE_CLUSTER in scopes else ""
    prefix, _, name = scope.partition(":")
    resolver = _resolvers.get(prefix) if prefix in scopes else None
    return resolver(name) if resolver is not None and name else ""


def _read_body(request: HttpRequest, peer: PeerRequest, *, is_stream: bool) -> bytes:
    if is_stream:
        is_empty_get = request.method == "GET" and peer.body_sha256 == EMPTY_SHA256
        if peer.body_sha256 != signing.UNSIGNED_BODY and not is_empty_get:
            raise SignatureError("The signature must leave the body out.")
        return b""
    content = request.read(BODY_BYTES_MAX + 1)
    if len(content) > BODY_BYTES_MAX:
        raise BodyTooLarge
    if body_sha256(content) != peer.body_sha256:
        raise SignatureError("The body is not the one that was signed.")
    return content


def _use_nonce(peer: PeerRequest) -> None:
    if not _nonces.use(f"{peer.node_id}/{peer.nonce}", now=clock.now()):
        raise SignatureError("The request was sent before.")
