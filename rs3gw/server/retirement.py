"""How the web process goes: unready first, then quiet, then gone.

A load balancer needs a moment to see that a node is not ready, and the other nodes one to hear of
it; in that time the node serves as before, and asks its clients to connect anew. A node that is
alone skips it: nobody else could serve them.
"""

import logging

from django.conf import settings
from django.db import DatabaseError

from cluster import services as cluster_services
from rs3gw.common import clock, stopping
from rs3gw.common.errors import Rs3gwError
from rs3gw.common.stopping import StopSignals
from rs3gw.server.http import HttpServer

logger = logging.getLogger(__name__)
FINISH_SECONDS_MAX = 10.0


def retire(server: HttpServer, signals: StopSignals) -> None:
    """Serve on for `RS3GW_DRAIN_SECONDS` while nobody new comes, then finish and close.

    Requests under way get up to `FINISH_SECONDS_MAX`; a second signal ends both waits.
    """
    stopping.begin()
    server.retire()
    if settings.RS3GW_CLUSTER_ENABLED:
        quiet_at = clock.monotonic() + settings.RS3GW_DRAIN_SECONDS
        _tell_peers()
        signals.insisted.wait(max(0.0, quiet_at - clock.monotonic()))
    server.stop(FINISH_SECONDS_MAX, signals.insisted)


def _tell_peers() -> None:
    try:
        cluster_services.say_stopping()
    except (DatabaseError, Rs3gwError):
        # They find out by themselves; going must not depend on it.
        logger.exception("the other nodes were not told that this one stops")
