"""How many batches this node takes in at once; what is too much is sent away with 429.

Fewer than the threads of the cluster port: heartbeats and gossip find a thread, however many
batches come, so load alone fails no node. The sender keeps what was not taken.
"""

import functools
import threading
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import Counter

RETRY_AFTER_SECONDS = 1
REFUSED = Counter(
    "rs3gw_batches_refused_total", "Batches of other nodes answered 429: too many came at once."
)
View = Callable[[HttpRequest], HttpResponse]


class ApplyQueue:
    """Counts the batches that are being applied or wait for the database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.depth = 0

    def enter(self) -> bool:
        """Take a place; return False when there is none."""
        with self._lock:
            if self.depth >= settings.RS3GW_APPLY_QUEUE_MAX:
                REFUSED.inc()
                return False
            self.depth += 1
            return True

    def leave(self) -> None:
        """Give the place back."""
        with self._lock:
            self.depth -= 1


queue = ApplyQueue()


def limited(view: View) -> View:
    """Let a view answer only as many requests at once as the queue has places."""

    @functools.wraps(view)
    def wrapper(request: HttpRequest) -> HttpResponse:
        if not queue.enter():
            return _busy()
        try:
            return view(request)
        finally:
            queue.leave()

    return wrapper


def _busy() -> HttpResponse:
    message = "This node has as many batches to apply as it takes at once. Send less, later."
    response = JsonResponse({"code": "Busy", "message": message}, status=429)
    response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response
