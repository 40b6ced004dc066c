"""Giving database connections back."""

from django.db import connections


def release_connections() -> None:
    """Give this thread's pooled connections back; SQLite's stay with their thread.

    Called at the end of a request, and by long-lived threads between two pieces of work.
    """
    for connection in connections.all(initialized_only=True):
        if connection.vendor != "sqlite" and not connection.in_atomic_block:
            connection.close()
