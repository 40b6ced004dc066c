"""Per-bucket rules: what goes to which region."""

from django.db import models

from replication.models.region import ReplicationRegion


class BucketReplicationConfig(models.Model):
    """One rule: the objects of a bucket go to a remote region."""

    name = models.CharField(max_length=63, unique=True)
    bucket = models.CharField(max_length=63, db_index=True, help_text="Name of a bucket here.")
    region = models.ForeignKey(
        ReplicationRegion, on_delete=models.PROTECT, verbose_name="destination region"
    )
    priority = models.PositiveIntegerField(default=1)
    is_enabled = models.BooleanField("enabled", default=True)
    filter = models.JSONField(default=dict, blank=True, editable=False)
    conflict_resolution = models.CharField(max_length=24, default="last_write_wins", editable=False)
    compression = models.BooleanField(
        default=True, help_text="Compress what crosses the link (zstd)."
    )
    encryption = models.BooleanField(default=False, editable=False)
    revision = models.BigIntegerField(default=0, editable=False)

    class Meta:
        verbose_name = "replication rule"
        ordering = ["bucket", "priority"]

    def __str__(self) -> str:
        return self.name
