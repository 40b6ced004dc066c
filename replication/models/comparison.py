"""What comparisons with other nodes found."""

from django.db import models


class ComparisonState(models.TextChoices):
    """How far a comparison is."""

    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class Comparison(models.Model):
    """One comparison of this node's index with another node's, asked for or by schedule."""

    peer = models.CharField(max_length=63)
    bucket = models.CharField(max_length=63, blank=True, default="", help_text="Empty for all.")
    state = models.CharField(
        max_length=9, choices=ComparisonState.choices, default=ComparisonState.WAITING
    )
    is_dry_run = models.BooleanField("only looks", default=False)
    asked_by = models.CharField(max_length=150, blank=True, default="")
    is_cancelled = models.BooleanField("asked to end", default=False)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    done = models.PositiveIntegerField("buckets done", default=0)
    total = models.PositiveIntegerField("buckets", default=0)
    is_control_equal = models.BooleanField("registers are equal", default=True)
    keys_differing = models.BigIntegerField(default=0)
    keys_in_flight = models.BigIntegerField(default=0)
    keys_repaired = models.BigIntegerField(default=0)
    keys_left = models.BigIntegerField(default=0)
    causes = models.JSONField(default=dict, blank=True)
    sample = models.JSONField(default=list, blank=True)
    error = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["state"], name="replication_comparing")]

    def __str__(self) -> str:
        return f"with {self.peer}"

    @property
    def is_equal(self) -> bool:
        """Whether both nodes were found to hold the same."""
        return (
            self.state == ComparisonState.DONE and self.is_control_equal and not self.keys_differing
        )
