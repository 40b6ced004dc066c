"""What the parts of the HTTP server share: limits, failures, and a request while it is parsed."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

RECEIVE_BYTES = 256 * 1024

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
    """

    connections_max: int = 1000
    head_bytes_max: int = 64 * 1024
    target_bytes_max: int = 16 * 1024
    head_timeout_seconds: float = 20.0
    progress_timeout_seconds: float = 30.0
    idle_timeout_seconds: float = 75.0
    linger_seconds: float = 0.01


class BodyCutOffError(ConnectionError):
    """The client left, or fell silent, before its body was complete."""


class BadRequestError(Exception):
    """A request that cannot be served as HTTP; `status` says why."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(HTTPStatus(status).phrase)


@dataclass(slots=True)
class Request:
    """A request as it is parsed."""

    target: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    method: bytes = b""
    version: str = "1.1"
    keeps_alive: bool = False
    is_head_complete: bool = False
    is_complete: bool = False
    body: deque[bytes] = field(default_factory=deque)
