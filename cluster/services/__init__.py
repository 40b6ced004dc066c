"""The front door for changes: start, join, leave, the two ticks, and what peers send.

Other apps hook in here without this app knowing them: `on_joining` copies what the region holds
into a node before it becomes active, `on_leaving` finishes what must be done before it is gone,
and `gossip_sections` lets further news travel with the gossip.
"""

from cluster.services.errors import ClusterConflict, NodeTaken
from cluster.services.facade import Node
from cluster.services.leaving import cancel_leave, leave, request_leave
from cluster.services.life import begin_again, join, remove, say_stopping, start
from cluster.services.progress import LeaveCancelled, LeaveProgress, latest_run
from cluster.services.receive import (
    receive_gossip,
    receive_heartbeat,
    receive_join,
    receive_leave,
    receive_probe,
)
from cluster.services.registry import (
    gossip_sections,
    on_joining,
    on_leaving,
    on_renewing,
    on_returning,
)
from cluster.services.table import REMOVED_WHILE_AWAY
from cluster.services.ticks import gossip_tick, heartbeat_tick

__all__ = [
    "REMOVED_WHILE_AWAY",
    "ClusterConflict",
    "LeaveCancelled",
    "LeaveProgress",
    "Node",
    "NodeTaken",
    "begin_again",
    "cancel_leave",
    "gossip_sections",
    "gossip_tick",
    "heartbeat_tick",
    "join",
    "latest_run",
    "leave",
    "on_joining",
    "on_leaving",
    "on_renewing",
    "on_returning",
    "receive_gossip",
    "receive_heartbeat",
    "receive_join",
    "receive_leave",
    "receive_probe",
    "remove",
    "request_leave",
    "say_stopping",
    "start",
]
