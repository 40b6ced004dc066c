"""Access keys."""

from django.db import models


class AccessKey(models.Model):
    """An S3 credential. The secret is sealed with this node's key and never shown again.

    A key that was revoked stays revoked on every node, whatever else is changed at the same time.
    """

    access_key_id = models.CharField("access key ID", max_length=128, unique=True)
    sealed_secret = models.TextField(editable=False)
    name = models.CharField(max_length=100, blank=True, default="")
    owner = models.CharField(max_length=64, default="root", editable=False)
    is_enabled = models.BooleanField("enabled", default=True, editable=False)
    created_at = models.DateTimeField(editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revision = models.BigIntegerField(default=0, editable=False)

    class Meta:
        ordering = ["access_key_id"]

    def __str__(self) -> str:
        return self.access_key_id
