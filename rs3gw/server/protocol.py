"""What the parts of the HTTP server share: limits, failures, and a request while it is parsed."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """What one listener grants its clients.

    Attributes:
        connections_max: Open connections; one more is answered 503.
        head_bytes_max: Request line and headers together.
        target_bytes_max: Request target.
        head_timeout_seconds: From the first byte of a request to the end of its headers.
        progress_timeout_seconds: Longest pause while a body is received or an answer is sent.
        idle_timeout_seconds: How long an idle connection is kept.
        linger_seconds: How long a thread waits for the next request before it turns to others.
        turn_seconds: How long a thread stays with a busy connection while others wait for one.
        drain_bytes_max: The rest of a body that is read for the connection's sake, not the
            application's; with more than that to come, the connection is closed.
        drain_timeout_seconds: How long that may take.
        closing_seconds: How long a client that still sends is heard out before its connection
            goes, so that it can read the answer.
    """

    connections_max: int = 1000
    head_bytes_max: int = 64 * 1024
    target_bytes_max: int = 16 * 1024
    head_timeout_seconds: float = 20.0
    progress_timeout_seconds: float = 30.0
    idle_timeout_seconds: float = 75.0
    linger_seconds: float = 0.01
    turn_seconds: float = 0.01
    drain_bytes_max: int = 64 * 1024
    drain_timeout_seconds: float = 2.0
    closing_seconds: float = 2.0


class ClientGoneError(ConnectionError):
    """The client left, or takes nothing of its answer any more."""


class BodyCutOffError(ClientGoneError):
    """The client left, fell silent or sent nonsense before its body was complete."""


class BadRequestError(Exception):
    """A request that cannot be served as HTTP; `status` says why."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(HTTPStatus(status).phrase)


@dataclass(slots=True)
class Request:
    """A request as it is parsed.

    Attributes:
        target: Request target, byte for byte.
        headers: Names and values as sent, in order; trailers are not among them.
        keeps_alive: The client wants to go on after this request.
        body: Pieces that have arrived and were not yet read.
        body_bytes: How much of the body has arrived.
        content_length: Declared length of the body; None when it is chunked.
    """

    target: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    method: bytes = b""
    version: str = "1.1"
    keeps_alive: bool = False
    is_head_complete: bool = False
    is_complete: bool = False
    body: deque[bytes] = field(default_factory=deque)
    body_bytes: int = 0
    content_length: int | None = 0
