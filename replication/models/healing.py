"""Bodies that are missing, damaged or in the wrong place, and the jobs that see to them."""

from django.db import models


class JobKind(models.TextChoices):
    """What a job does."""

    AUDIT = "audit", "Look at all bodies"
    REBUILD = "rebuild", "Rebuild the copies of a lost node"
    REPAIR = "repair", "Bring back missing bodies"
    DRAIN = "drain", "Copy bodies out before leaving"
    SCRUB = "scrub", "Read all bodies and compare their hashes"


class JobState(models.TextChoices):
    """Where a job is."""

    RUNNING = "running", "Running"
    PAUSED = "paused", "Paused"
    CANCELLED = "cancelled", "Cancelled"
    DONE = "done", "Done"


class HealingJob(models.Model):
    """One pass over this node's bodies; it goes on where it was when the worker starts again.

    `done_*` of `total_*` were looked at; `moved_*` were fetched or sent, `dropped_*` deleted here
    because the holders have them, `damaged_bodies` found damaged. `lease_token` fences off a
    process that was asleep for too long.
    """

    kind = models.CharField(max_length=7, choices=JobKind.choices)
    state = models.CharField(max_length=9, choices=JobState.choices, default=JobState.RUNNING)
    reason = models.CharField(max_length=255, blank=True, default="")
    plan_key = models.TextField(blank=True, default="")
    given_up = models.JSONField(default=list, blank=True)
    phase = models.PositiveSmallIntegerField(default=0)
    cursor = models.CharField(max_length=80, blank=True, default="")
    total_bodies = models.BigIntegerField(default=0)
    total_bytes = models.BigIntegerField(default=0)
    done_bodies = models.BigIntegerField(default=0)
    done_bytes = models.BigIntegerField(default=0)
    moved_bodies = models.BigIntegerField(default=0)
    moved_bytes = models.BigIntegerField(default=0)
    dropped_bodies = models.BigIntegerField(default=0)
    dropped_bytes = models.BigIntegerField(default=0)
    damaged_bodies = models.BigIntegerField(default=0)
    rate_bytes_per_second = models.FloatField(default=0.0)
    last_error = models.TextField(blank=True, default="")
    changed_by = models.CharField(max_length=150, blank=True, default="")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.CharField(max_length=32, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["state", "kind"], name="replication_job_state")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.started_at:%Y-%m-%d %H:%M}"


class ItemKind(models.TextChoices):
    """What is to be done about a body."""

    FETCH = "fetch", "To be fetched"
    CHECK = "check", "To be read and compared with its hash"


class HealingItem(models.Model):
    """One body that this node should hold and lacks, or that may be damaged.

    `live_copies` is how many nodes had it when it was noted: the fewest are fetched first.
    """

    sha256 = models.CharField("SHA-256", max_length=64, unique=True)
    size_bytes = models.BigIntegerField()
    kind = models.CharField(max_length=5, choices=ItemKind.choices)
    live_copies = models.PositiveSmallIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    last_error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = "body to be healed"
        verbose_name_plural = "bodies to be healed"
        ordering = ["live_copies", "id"]
        indexes = [
            models.Index(
                fields=["kind", "attempts", "live_copies", "id"], name="replication_healing_due"
            ),
        ]

    def __str__(self) -> str:
        return self.sha256


class DropMark(models.Model):
    """That this node is about to drop its copy of a body, and no longer says that it holds it."""

    sha256 = models.CharField(primary_key=True, max_length=64)
    marked_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.sha256


class DamagedBody(models.Model):
    """A body of this node that was not what its name says, and was set aside.

    `path` is relative to the data directory. `repaired_at` is when a good copy had taken its
    place; it stays empty when nothing needs the body.
    """

    sha256 = models.CharField("SHA-256", max_length=64, db_index=True)
    path = models.CharField("set aside as", max_length=255)
    size_bytes = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=255)
    is_needed = models.BooleanField("needed", default=True)
    found_at = models.DateTimeField()
    repaired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "damaged bodies"
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.sha256


class HealingCount(models.Model):
    """How many bodies and bytes were fetched, sent, dropped, read, or found damaged so far."""

    name = models.CharField(primary_key=True, max_length=16)
    bodies = models.BigIntegerField(default=0)
    size_bytes = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return self.name
