"""Where other apps hook in; filled in their `AppConfig.ready`."""

from collections.abc import Callable, Sequence

from cluster.core.node import NodeInfo
from cluster.services.progress import LeaveProgress

Produce = Callable[[], object]
Consume = Callable[[str, object], None]

# Each returns whether a member among these peers has applied more of what this node wrote than
# this node itself holds: then an old copy of its data was put back.
on_returning: list[Callable[[Sequence[NodeInfo]], bool]] = []

# Each gives this node a new writer id; what it wrote under the old one stays in its log.
on_renewing: list[Callable[[], object]] = []

# Each copies what a member holds into this node; all return before the node becomes active.
on_joining: list[Callable[[NodeInfo], object]] = []

# Each returns when nothing is left that only this node has, and reports how far it is meanwhile,
# at least once a second; raise to stay in the cluster.
on_leaving: list[Callable[[LeaveProgress], object]] = []

# name -> (what to tell a peer as JSON values, what to do with what a peer told).
gossip_sections: dict[str, tuple[Produce, Consume]] = {}
