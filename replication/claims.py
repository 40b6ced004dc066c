"""Who may decide about a key now: short leases that a majority of the members grants.

Two writers of a conditional request on two nodes cannot both hold a majority, so one decides after
the other. A claim lives in the memory of the node that granted it: it is a lease of a few seconds,
and a node that restarts has forgotten it.
"""

import threading
from dataclasses import dataclass

CLAIM_SECONDS = 15.0
CLAIMS_MAX = 100_000


@dataclass(frozen=True, slots=True)
class _Claim:
    token: str
    expires_at: float


class Claims:
    """The leases that this node has granted."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], _Claim] = {}
        self._lock = threading.Lock()

    def grant(self, bucket: str, key: str, token: str, now: float) -> bool:
        """Grant a claim for `CLAIM_SECONDS`, unless somebody else holds one.

        Args:
            bucket: Name of the bucket.
            key: Key of the object.
            token: Names who asks; asking again with the same one renews the claim.
            now: Monotonic seconds.
        """
        with self._lock:
            held = self._held.get((bucket, key))
            if held is not None and held.token != token and held.expires_at > now:
                return False
            if len(self._held) >= CLAIMS_MAX:
                self._drop_expired(now)
            if len(self._held) >= CLAIMS_MAX:
                return False
            self._held[bucket, key] = _Claim(token, now + CLAIM_SECONDS)
            return True

    def release(self, bucket: str, key: str, token: str) -> None:
        """Give a claim back; harmless when it is not held any more."""
        with self._lock:
            held = self._held.get((bucket, key))
            if held is not None and held.token == token:
                del self._held[bucket, key]

    def _drop_expired(self, now: float) -> None:
        self._held = {name: held for name, held in self._held.items() if held.expires_at > now}


claims = Claims()
