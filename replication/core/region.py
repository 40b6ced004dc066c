"""Regions as values: where one is, and in which order they are tried."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationRegion:
    """A region that buckets can be replicated to, as the specification describes one.

    Attributes:
        id: The region's own name.
        endpoint: Where it answers first; the first of `endpoints` when those are given.
        priority: 1 or more; the lower goes first.
        endpoints: All addresses where it answers; `(endpoint,)` when left out.
        kind: What answers there; `rs3gw` for a region of our own kind.
    """

    id: str
    endpoint: str = ""
    priority: int = 1
    endpoints: tuple[str, ...] = ()
    kind: str = "rs3gw"

    def __post_init__(self) -> None:
        """Fill in whichever of `endpoint` and `endpoints` was left out.

        Raises:
            ValueError: There is no name, no endpoint, or the priority is below 1.
        """
        if not self.id or self.priority < 1:
            raise ValueError("a region needs a name and a priority of at least 1")
        endpoints = tuple(self.endpoints) or ((self.endpoint,) if self.endpoint else ())
        if not endpoints:
            raise ValueError(f"region {self.id} needs an endpoint")
        object.__setattr__(self, "endpoints", endpoints)
        object.__setattr__(self, "endpoint", endpoints[0])


def route_order(regions: Iterable[ReplicationRegion]) -> list[ReplicationRegion]:
    """Return regions in the order in which they are served: by priority, then by name."""
    return sorted(regions, key=lambda region: (region.priority, region.id))


def endpoint_order(endpoints: Sequence[str], failed: Collection[str]) -> list[str]:
    """Return the endpoints as they are tried: those that failed of late go last, none is left out.

    Args:
        endpoints: In the order that the operator gave.
        failed: Those that did not answer a moment ago.
    """
    return sorted(endpoints, key=lambda endpoint: endpoint in failed)
