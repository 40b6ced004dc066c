"""What an operator does to the link to a peer."""

from replication import link_rows, links
from replication.core.circuit_breaker import BreakerState
from replication.doorbell import doorbell
from replication.errors import ControlError
from replication.models import Lane, PeerLink
from rs3gw.common import clock

FORCE_SECONDS_MAX = 7 * 86_400
FORCE_SECONDS_DEFAULT = 3600


def force_link(link: PeerLink, *, is_open: bool, seconds: float, author: str) -> None:
    """Hold a link open (nothing is sent) or closed (all is sent) for a while.

    Args:
        link: Which one.
        is_open: Whether its destination is left alone, or sent to whatever happens.
        seconds: For how long; more than 0 and up to FORCE_SECONDS_MAX.
        author: Who wants it.

    Raises:
        ControlError: The time cannot be.
    """
    if not 0 < seconds <= FORCE_SECONDS_MAX:
        raise ControlError("A link can be forced for more than 0 seconds and at most 7 days.")
    state = BreakerState.OPEN if is_open else BreakerState.CLOSED
    links.force(link_rows.key_of(link), state, until=clock.now() + seconds, author=author)
    _ring(link)


def free_link(link: PeerLink) -> None:
    """Let a link that was forced be what it is by itself."""
    links.force(link_rows.key_of(link), None, until=0.0, author="")
    _ring(link)


def probe_link(link: PeerLink) -> None:
    """Probe a destination that is left alone as soon as may be."""
    links.hurry(link_rows.key_of(link))
    _ring(link)


def _ring(link: PeerLink) -> None:
    link.refresh_from_db()
    shards = Lane.objects.filter(destination_kind=link.kind, destination=link.destination)
    for shard in set(shards.values_list("shard", flat=True)):
        doorbell.ring(shard)
