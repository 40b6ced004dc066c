"""Where other apps hook in; filled in their `AppConfig.ready`."""

from collections.abc import Callable

from cluster.core.node import NodeInfo

Produce = Callable[[], object]
Consume = Callable[[str, object], None]

# Each copies what a member holds into this node; all return before the node becomes active.
on_joining: list[Callable[[NodeInfo], object]] = []

# Each returns when nothing is left that only this node has; raise to stay in the cluster.
on_leaving: list[Callable[[], object]] = []

# name -> (what to tell a peer as JSON values, what to do with what a peer told).
gossip_sections: dict[str, tuple[Produce, Consume]] = {}
