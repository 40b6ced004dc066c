"""What members said of themselves, who was evicted, and what came back with one that was."""

from django.db import models
from django.db.models import Q

from rs3gw.storage.fields import KeyField


class MemberFrontier(models.Model):
    """What a member last told of itself: how far it is, and what left its log.

    It belongs to a disk: a member with a new writer id has said nothing yet.
    """

    node_id = models.CharField(max_length=63)
    actor = models.BigIntegerField()
    incarnation = models.BigIntegerField()
    frontiers = models.JSONField(default=dict)
    settled = models.JSONField(default=dict)
    told_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["node_id", "actor"], name="replication_one_frontier_a_disk"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.node_id}, disk {self.actor}"


class Eviction(models.Model):
    """That a member was away for longer than its changes were kept; closed when it is back.

    The node's own row says that it was told so, and is closed when it has joined again; it holds
    how far its own writers and its log were then, since what comes later is no old state.
    """

    node_id = models.CharField("node", max_length=63)
    actor = models.BigIntegerField()
    incarnation = models.BigIntegerField()
    reason = models.CharField(max_length=255)
    decided_by = models.CharField(max_length=150)
    evicted_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=255, blank=True, default="")
    own_frontier = models.JSONField(default=dict, blank=True)
    own_log_id = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["node_id"],
                condition=Q(ended_at__isnull=True),
                name="replication_one_open_eviction",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.node_id}: {self.reason}"


class SkippedEvent(models.Model):
    """Events of this node that a member, or all when `destination` is "", will never be sent.

    The members are told until they have closed the gap; else their frontier would stop there.
    """

    destination = models.CharField(max_length=63, blank=True, default="")
    actor = models.BigIntegerField()
    low = models.BigIntegerField()
    high = models.BigIntegerField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.actor}: {self.low} to {self.high}"


class QuarantineOutcome(models.TextChoices):
    """What was decided about an object in quarantine."""

    OPEN = "open", "Waits for a decision"
    ACCEPTED = "accepted", "Written again"
    DISCARDED = "discarded", "Discarded"


class QuarantinedVersion(models.Model):
    """An object that this node held when it joined again, and that the region does not have.

    It may have been written here while nobody could hear it, or have been deleted everywhere
    else since. `entry` is its index entry as an event; its bodies are kept.
    """

    bucket = KeyField(max_length=63)
    bucket_incarnation = models.CharField(max_length=36)
    key = KeyField()
    version_id = models.CharField(max_length=64)
    actor = models.BigIntegerField()
    seq = models.BigIntegerField()
    size_bytes = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=255)
    entry = models.JSONField()
    created_at = models.DateTimeField()
    outcome = models.CharField(
        max_length=9, choices=QuarantineOutcome.choices, default=QuarantineOutcome.OPEN
    )
    decided_by = models.CharField(max_length=150, blank=True, default="")
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "object in quarantine"
        verbose_name_plural = "objects in quarantine"
        constraints = [
            models.UniqueConstraint(fields=["actor", "seq"], name="replication_quarantined_dot"),
        ]

    def __str__(self) -> str:
        return f"{self.bucket}/{self.key}"


class BucketFarewell(models.Model):
    """How far a deleted bucket is on the way to being forgotten.

    Attributes:
        mark: Frontiers that everyone has to reach before the next step.
        is_last: Whether the bucket's row goes when they have.
    """

    bucket_id = models.BigIntegerField(primary_key=True)
    mark = models.JSONField(default=dict)
    is_last = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"bucket {self.bucket_id}"


class UpkeepCount(models.Model):
    """How many rows of a kind were removed because nobody needs them any more."""

    name = models.CharField(primary_key=True, max_length=24)
    removed = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return self.name
