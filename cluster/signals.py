"""The signals of the cluster.

`node_state_changed` is sent after the change is committed, by the process that won the
compare-and-set, with `node_id`, `old` and `new` (a `NodeState` value, "left", or "" for a node not
known before) and `actor_changed`: whether the node came back with another data directory.

`refused_as_removed` is sent with `body` when a peer answers 421: it may say that this node was
removed from the cluster.
"""

from django.dispatch import Signal

node_state_changed = Signal()
refused_as_removed = Signal()
