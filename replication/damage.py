"""Noting that a body may be damaged or is missing, for the worker to look at."""

import logging
from collections.abc import Iterable

from django.db import DatabaseError

from replication.models import HealingItem, ItemKind
from rs3gw.common import clock
from rs3gw.storage import commit

logger = logging.getLogger(__name__)


def note(kind: ItemKind, bodies: Iterable[tuple[str, int, int]], *, why: str = "") -> None:
    """Note bodies that are to be checked or fetched; one that is noted already is tried anew.

    Args:
        kind: What is to be done.
        bodies: (sha256, size in bytes, live copies elsewhere) of each.
        why: What was seen, for the operator.
    """
    now = clock.utcnow()
    rows = [
        HealingItem(
            sha256=sha256,
            size_bytes=size_bytes,
            kind=kind,
            live_copies=live_copies,
            next_attempt_at=now,
            last_error=why,
            created_at=now,
        )
        for sha256, size_bytes, live_copies in bodies
    ]
    if rows:
        commit.run(lambda: _write(rows))


def _write(rows: list[HealingItem]) -> None:
    HealingItem.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["sha256"],
        update_fields=["size_bytes", "kind", "live_copies", "attempts", "next_attempt_at"],
    )


def suspect(sha256: str, size_bytes: int, why: str) -> None:
    """Note that a body that was about to be read is not what it should be; never raises.

    The reader has another copy to look for, and must not fail because the note cannot be taken.
    """
    logger.error("the body %s is damaged here: %s", sha256, why)
    try:
        if not HealingItem.objects.filter(sha256=sha256, attempts=0).exists():
            note(ItemKind.CHECK, [(sha256, size_bytes, 0)], why=why)
    except (DatabaseError, OSError):
        logger.exception("the damage of %s could not be noted", sha256)
