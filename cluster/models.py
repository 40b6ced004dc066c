"""Rows of the membership table as this node sees it, and the history of what changed."""

from collections.abc import Iterable
from enum import StrEnum

from django.db import models

from cluster.core.node import Lifecycle, Liveness


def _choices(words: Iterable[StrEnum]) -> list[tuple[str, str]]:
    return [(word.value, word.value.capitalize()) for word in words]


class Node(models.Model):
    """One node of the region; `state` is its own word, `liveness` is this node's observation.

    A node that has left keeps its row: forgetting it would let old gossip bring it back.
    """

    node_id = models.CharField("node", max_length=63, unique=True)
    region = models.CharField(max_length=63)
    address = models.CharField(max_length=255)
    s3_url = models.CharField("S3 URL", max_length=255, blank=True)
    admin_url = models.CharField("admin URL", max_length=255, blank=True)
    state = models.CharField(
        max_length=8, choices=_choices(Lifecycle), default=Lifecycle.STARTING.value
    )
    liveness = models.CharField(
        max_length=7, choices=_choices(Liveness), default=Liveness.ALIVE.value
    )
    is_member = models.BooleanField(
        "member",
        default=False,
        help_text="Has been active with its present data directory, so it counts for a majority.",
    )
    was_counted = models.BooleanField(
        "counted before",
        default=False,
        help_text="Was a member before changes of the membership that may not be known to all yet.",
    )
    failures = models.JSONField(default=list, blank=True, editable=False)
    held_until = models.DateTimeField(
        null=True,
        blank=True,
        help_text="It fails again and again, and is not used before this time although heard.",
    )
    incarnation = models.BigIntegerField(default=1)
    actor = models.BigIntegerField(default=0)
    version = models.CharField(max_length=255, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    last_seen = models.DateTimeField()
    state_changed_at = models.DateTimeField()
    is_self = models.BooleanField("this node", default=False)

    class Meta:
        ordering = ["node_id"]

    def __str__(self) -> str:
        return self.node_id


class NodeTransition(models.Model):
    """One change of a node's state or liveness, written once by whoever made it."""

    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="transitions")
    old = models.CharField(max_length=8, blank=True)
    new = models.CharField(max_length=8)
    incarnation = models.BigIntegerField()
    reason = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.old or 'unknown'} to {self.new}"


class RemovedNode(models.Model):
    """A node that was removed under the writer id it had; kept for ever, gossiped to all."""

    node_id = models.CharField("node", max_length=63)
    actor = models.BigIntegerField("writer id")
    epoch = models.BigIntegerField(help_text="Membership epoch that the removal began.")
    removed_by = models.CharField(max_length=255, blank=True)
    removed_at = models.DateTimeField()

    class Meta:
        ordering = ["-epoch"]
        verbose_name = "removed node"
        constraints = [
            models.UniqueConstraint(fields=["node_id", "actor"], name="cluster_removed_once"),
        ]

    def __str__(self) -> str:
        return f"{self.node_id} (epoch {self.epoch})"


class LeaveState(models.TextChoices):
    """What became of a leave."""

    WAITING = "waiting", "Waiting for the worker"
    RUNNING = "running", "Running"
    DONE = "done", "Has left"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class LeaveRun(models.Model):
    """One attempt of this node to leave the cluster, and how far it is."""

    state = models.CharField(max_length=9, choices=LeaveState.choices, default=LeaveState.WAITING)
    step = models.CharField(max_length=100, blank=True)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    rate_per_second = models.FloatField("per second", default=0.0)
    is_cancelled = models.BooleanField("called off", default=False)
    error = models.TextField(blank=True)
    told = models.JSONField("nodes that know", default=list, blank=True)
    requested_by = models.CharField(max_length=150, blank=True)
    owner = models.CharField(max_length=16, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "leave"

    def __str__(self) -> str:
        return f"{self.get_state_display()}: {self.step}" if self.step else self.get_state_display()


class SeedContact(models.Model):
    """Which node answered at a configured seed address; it may advertise another one."""

    address = models.CharField(max_length=255, unique=True)
    node_id = models.CharField(max_length=63)
    met_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.address


class PeerView(models.Model):
    """How one node sees another, in its own words; this node's own view is among them.

    `reaches` tells whether its heartbeats are answered: a node may be heard, because its own
    heartbeats arrive, and yet not be reached.
    """

    observer = models.CharField(max_length=63)
    node_id = models.CharField("node", max_length=63)
    liveness = models.CharField(max_length=7, choices=_choices(Liveness))
    reaches = models.BooleanField(default=False)
    rtt_ms = models.FloatField("round trip", default=0.0)
    since = models.DateTimeField()
    told_at = models.DateTimeField()

    class Meta:
        ordering = ["observer", "node_id"]
        constraints = [
            models.UniqueConstraint(fields=["observer", "node_id"], name="cluster_one_view"),
        ]

    def __str__(self) -> str:
        return f"{self.observer} sees {self.node_id} {self.liveness}"
