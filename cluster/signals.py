"""The one signal: a node's state has changed.

Sent after the change is committed, by the process that won the compare-and-set, with
`node_id`, `old` and `new` (a `NodeState` value, "left", or "" for a node not known before) and
`actor_changed`: whether the node came back with another data directory.
"""

from django.dispatch import Signal

node_state_changed = Signal()
