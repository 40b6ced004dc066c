"""The event log, the lanes that carry it, and what of other nodes' logs was applied here."""

from django.db import models

from rs3gw.storage.fields import KeyField


class ReplicationEventRecord(models.Model):
    """One change in this node's log, written in the transaction of the change itself.

    `(actor, seq)` is the event's identity everywhere. `(shard, position)` is its place in this
    node's log: the same as the dot for its own changes, later for changes of a remote region
    that this node passes on to its members.
    """

    shard = models.PositiveSmallIntegerField()
    position = models.BigIntegerField()
    actor = models.BigIntegerField()
    seq = models.BigIntegerField()
    hlc = models.BigIntegerField()
    event_id = models.CharField(max_length=36)
    kind = models.CharField(max_length=32)
    origin_node = models.CharField(max_length=63)
    origin_region = models.CharField(max_length=63)
    via = models.JSONField(default=list)
    bucket = KeyField(blank=True, default="")
    bucket_incarnation = models.CharField(max_length=36, blank=True, default="")
    key = KeyField(blank=True, default="")
    version_id = models.CharField(max_length=64, blank=True, default="")
    context = models.JSONField(default=dict)
    body_sha256 = models.CharField(max_length=64, blank=True, default="")
    body_size_bytes = models.BigIntegerField(default=0)
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = "event"
        constraints = [
            models.UniqueConstraint(fields=["shard", "position"], name="replication_log_position"),
            models.UniqueConstraint(fields=["actor", "seq"], name="replication_log_dot"),
        ]
        indexes = [models.Index(fields=["bucket", "key"], name="replication_log_key")]

    def __str__(self) -> str:
        return f"{self.kind} {self.bucket}/{self.key}".rstrip("/")


class DestinationKind(models.TextChoices):
    """What a lane leads to."""

    MEMBER = "member", "Member of this region"
    REGION = "region", "Remote region"


class LaneState(models.TextChoices):
    """Whether a lane moves."""

    RUNNING = "running", "Running"
    PAUSED = "paused", "Paused"
    HELD = "held", "Held for a decision"
    RESYNC = "resync", "Needs a new copy"


class Lane(models.Model):
    """One destination x one shard of the log: the unit of ordering, lease and cursor.

    Everything up to `cursor` has been delivered, was not meant for this destination, or stands
    in a `Delivery` row. `lease_token` fences off a drain whose lease has run out.
    """

    destination_kind = models.CharField(max_length=6, choices=DestinationKind.choices)
    destination = models.CharField(max_length=63)
    shard = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=7, choices=LaneState.choices, default=LaneState.RUNNING)
    cursor = models.BigIntegerField(default=0)
    peer_actor = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.CharField(max_length=32, blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True, default="")
    last_error_at = models.DateTimeField(null=True, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True)
    events_delivered = models.BigIntegerField(default=0)
    bytes_delivered = models.BigIntegerField(default=0)
    rate_bytes_per_second = models.FloatField(default=0.0)
    peak_bytes_per_second = models.FloatField(default=0.0)
    last_lag_seconds = models.FloatField(default=0.0)

    class Meta:
        ordering = ["destination_kind", "destination", "shard"]
        constraints = [
            models.UniqueConstraint(
                fields=["destination_kind", "destination", "shard"], name="replication_one_lane"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.destination} / {self.shard}"


class DeliveryState(models.TextChoices):
    """Why an event stands beside its lane."""

    RETRY = "retry", "Waiting to be sent again"
    PARKED = "parked", "Parked: needs a person"
    DONE = "done", "Delivered after all"
    SKIPPED = "skipped", "Skipped by a person"


class Delivery(models.Model):
    """One event that could not be delivered when its lane passed it. Nothing is dropped."""

    lane = models.ForeignKey(Lane, on_delete=models.CASCADE, related_name="deliveries")
    event = models.ForeignKey(
        ReplicationEventRecord, on_delete=models.CASCADE, related_name="deliveries"
    )
    state = models.CharField(max_length=7, choices=DeliveryState.choices)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["lane", "event"], name="replication_one_delivery"),
        ]
        indexes = [
            models.Index(fields=["lane", "state", "next_attempt_at"], name="replication_due"),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} to {self.lane_id}: {self.state}"


class AppliedActor(models.Model):
    """Which events of one writer were applied here: all up to `frontier`, and `islands`.

    It is what makes a second delivery harmless, and what others read to know how far we are. Of a
    writer of a remote region much may never be sent here; up to `settled` its own node has nothing
    left to send.
    """

    actor = models.BigIntegerField(primary_key=True)
    frontier = models.BigIntegerField(default=0)
    islands = models.JSONField(default=list)
    is_remote = models.BooleanField(default=False)
    settled = models.BigIntegerField(default=0)
    events_applied = models.BigIntegerField(default=0)
    last_applied_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.actor} up to {self.frontier}"


class ConflictCount(models.Model):
    """How often concurrent writes met here and were resolved, by strategy."""

    strategy = models.CharField(primary_key=True, max_length=24)
    detected = models.BigIntegerField(default=0)
    resolved = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return self.strategy
