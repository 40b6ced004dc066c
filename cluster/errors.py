"""What can go wrong between nodes."""

from rs3gw.common.errors import Rs3gwError


class PeerError(Rs3gwError):
    """A peer did not do what it was asked."""

    code = "PeerError"
    retryable = True
    default_message = "The other node did not answer as it should."


class PeerUnreachable(PeerError):
    """A peer did not answer, or stopped in the middle of its answer."""

    code = "PeerUnreachable"
    default_message = "The other node does not answer."


class PeerRefused(PeerError):
    """A peer answered with an error.

    Attributes:
        status: HTTP status.
        body: First bytes of the answer's body.
        retry_after_seconds: When the peer asks to be tried again; 0 when it does not say.
    """

    code = "PeerRefused"

    def __init__(
        self, address: str, status: int, body: bytes, *, retry_after_seconds: float = 0.0
    ) -> None:
        self.status = status
        self.body = body
        self.retry_after_seconds = retry_after_seconds
        self.retryable = status >= 500 or status == 429
        said = body[:300].decode(errors="replace")
        super().__init__(f"{address} answered {status}: {said}")
