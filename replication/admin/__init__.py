"""Admin pages of replication, and of buckets, whose changes must reach other nodes."""

from replication.admin import buckets, history, lanes, links, rules

__all__ = ["buckets", "history", "lanes", "links", "rules"]
