"""Signatures of node-to-node requests; both ends live here so that they cannot drift apart.

HMAC-SHA256 over method, target, body hash, time, nonce, sender and cluster, each on its own line.
The key is derived from the shared secret *and the sender's name*, so a signature names its sender.
A receiver refuses a request that is older than `WINDOW_SECONDS` or whose nonce it has seen.
"""

import hashlib
import hmac
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace

from rs3gw.common.errors import SignatureError
from rs3gw.common.secretbox import derive_key

WINDOW_SECONDS = 300
NONCES_MAX = 200_000
UNSIGNED_BODY = "UNSIGNED"
HEADER_NODE = "X-Rs3gw-Node"
HEADER_SCOPE = "X-Rs3gw-Cluster"
HEADER_TIME = "X-Rs3gw-Time"
HEADER_NONCE = "X-Rs3gw-Nonce"
HEADER_BODY = "X-Rs3gw-Body"
HEADER_SIGNATURE = "X-Rs3gw-Signature"
HEADER_ACTOR = "X-Rs3gw-Actor"
HEADER_EPOCH = "X-Rs3gw-Epoch"
HEADER_PROOF = "X-Rs3gw-Proof"
HEADERS = (
    HEADER_NODE,
    HEADER_SCOPE,
    HEADER_TIME,
    HEADER_NONCE,
    HEADER_BODY,
    HEADER_SIGNATURE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRequest:
    """What is signed of one request.

    Attributes:
        method: Upper-case HTTP method.
        target: Path and query exactly as sent.
        body_sha256: Lower-case hex of the body's hash, or `UNSIGNED` for a body that is itself
            named by its hash in the target and verified against that.
        node_id: Name of the sender.
        scope: Cluster id, or `pair:<name>` for a request of a paired region.
        unix_seconds: Sender's wall clock.
        nonce: Random text, used once.
        actor: Writer id of the sender's data directory; 0 when it does not say.
        epoch: Membership epoch that the sender knows.
    """

    method: str
    target: str
    body_sha256: str
    node_id: str
    scope: str
    unix_seconds: int
    nonce: str
    actor: int = 0
    epoch: int = 0

    def text(self) -> bytes:
        """Return the lines that the signature covers."""
        lines = (
            "rs3gw-hmac-sha256-v1",
            self.method,
            self.target,
            self.body_sha256,
            self.node_id,
            self.scope,
            str(self.unix_seconds),
            self.nonce,
        )
        return "\n".join(lines).encode()


def sign(request: PeerRequest, secret: str) -> dict[str, str]:
    """Return the headers that prove `request` to a holder of `secret`."""
    headers = {
        HEADER_NODE: request.node_id,
        HEADER_SCOPE: request.scope,
        HEADER_TIME: str(request.unix_seconds),
        HEADER_NONCE: request.nonce,
        HEADER_BODY: request.body_sha256,
        HEADER_SIGNATURE: _signature(request, secret),
    }
    if request.actor:
        headers[HEADER_ACTOR] = str(request.actor)
        headers[HEADER_EPOCH] = str(request.epoch)
        headers[HEADER_PROOF] = _proof(request, headers[HEADER_SIGNATURE], secret)
    return headers


def verify(
    *, method: str, target: str, headers: Mapping[str, str], secret: str, now: float
) -> PeerRequest:
    """Return the proven request; the caller still compares the body's hash and the nonce.

    Args:
        method: Method as received.
        target: Path and query as received.
        headers: The six headers by their names in `HEADERS`.
        secret: The secret shared with the claimed scope.
        now: Wall-clock seconds of the receiver.

    Raises:
        SignatureError: A header is missing, the time is outside the window, or the
            signature is wrong.
    """
    if not secret:
        raise SignatureError("This node has no secret for that cluster.")
    if any(not headers.get(name) for name in HEADERS):
        raise SignatureError("The request carries no node signature.")
    try:
        unix_seconds = int(headers[HEADER_TIME])
    except ValueError:
        raise SignatureError("The request's time is not a number.") from None
    request = PeerRequest(
        method=method,
        target=target,
        body_sha256=headers[HEADER_BODY],
        node_id=headers[HEADER_NODE],
        scope=headers[HEADER_SCOPE],
        unix_seconds=unix_seconds,
        nonce=headers[HEADER_NONCE],
    )
    if not hmac.compare_digest(_signature(request, secret), headers[HEADER_SIGNATURE]):
        raise SignatureError("The request's signature does not match.")
    if abs(now - unix_seconds) > WINDOW_SECONDS:
        raise SignatureError(f"The sender's clock is {unix_seconds - now:+.0f} s off.")
    return _with_writer(request, headers, secret)


def _with_writer(request: PeerRequest, headers: Mapping[str, str], secret: str) -> PeerRequest:
    """Return the request with the writer id and epoch that a sender of today adds.

    They have a proof of their own, so that a receiver of an earlier version still verifies the
    rest.
    """
    if not headers.get(HEADER_ACTOR):
        return request
    try:
        actor, epoch = int(headers[HEADER_ACTOR]), int(headers.get(HEADER_EPOCH, "0"))
    except ValueError:
        raise SignatureError("The request's writer id or epoch is not a number.") from None
    proven = replace(request, actor=actor, epoch=epoch)
    wanted = _proof(proven, headers[HEADER_SIGNATURE], secret)
    if not hmac.compare_digest(wanted, headers.get(HEADER_PROOF, "")):
        raise SignatureError("The request's writer id or epoch is not what was signed.")
    return proven


def body_sha256(body: bytes) -> str:
    """Return the lower-case hex SHA-256 of a body."""
    return hashlib.sha256(body).hexdigest()


def _signature(request: PeerRequest, secret: str) -> str:
    key = derive_key(secret, f"peer/{request.node_id}")
    return hmac.new(key, request.text(), hashlib.sha256).hexdigest()


def _proof(request: PeerRequest, signature: str, secret: str) -> str:
    key = derive_key(secret, f"peer/{request.node_id}")
    text = f"rs3gw-writer-v1\n{signature}\n{request.actor}\n{request.epoch}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


class NonceCache:
    """The nonces of the last window, so that a recorded request cannot be sent again.

    Two generations replace each other: every `2 * WINDOW_SECONDS`, or early when one is full.
    Forgetting early under a flood is safe because every node-to-node request is idempotent;
    the cache is the second line, memory is bounded by the first.
    """

    def __init__(self) -> None:
        self._current: set[str] = set()
        self._previous: set[str] = set()
        self._turned_at = 0.0
        self._lock = threading.Lock()

    def use(self, nonce: str, *, now: float) -> bool:
        """Remember a nonce; return False when it was used before."""
        with self._lock:
            is_old = now - self._turned_at > 2 * WINDOW_SECONDS
            if is_old or len(self._current) >= NONCES_MAX:
                self._previous, self._current, self._turned_at = self._current, set(), now
            if nonce in self._current or nonce in self._previous:
                return False
            self._current.add(nonce)
            return True
