"""Admin pages of replication, and of buckets, whose changes must reach other nodes."""

from replication.admin import (
    buckets,
    comparisons,
    healing,
    history,
    lanes,
    links,
    rules,
    stability,
)

__all__ = [
    "buckets",
    "comparisons",
    "healing",
    "history",
    "lanes",
    "links",
    "rules",
    "stability",
]
