"""Admin pages of replication, and of buckets, whose changes must reach other nodes."""

from replication.admin import buckets, healing, history, lanes, rules

__all__ = ["buckets", "healing", "history", "lanes", "rules"]
