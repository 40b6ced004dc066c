"""Control-plane state: registers that every node may write and that converge."""

from django.db import models


class Register(models.Model):
    """The newest value of one control object, such as an access key or a bucket's policy.

    The write with the greatest (hlc, actor, seq) wins; a deleted register stays as a tombstone.
    `value` holds no secret in clear.
    """

    scope = models.CharField(max_length=96)
    name = models.CharField(max_length=255)
    value = models.JSONField(null=True)
    is_deleted = models.BooleanField(default=False)
    actor = models.BigIntegerField()
    seq = models.BigIntegerField()
    hlc = models.BigIntegerField()
    author = models.CharField(max_length=150, blank=True, default="")
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scope", "name"], name="replication_one_register"),
        ]

    def __str__(self) -> str:
        return f"{self.scope}/{self.name}"


class RegisterRevision(models.Model):
    """One past or present value of a register, in this node's order of arrival."""

    register = models.ForeignKey(Register, on_delete=models.CASCADE, related_name="revisions")
    value = models.JSONField(null=True)
    is_deleted = models.BooleanField(default=False)
    actor = models.BigIntegerField()
    seq = models.BigIntegerField()
    hlc = models.BigIntegerField()
    author = models.CharField(max_length=150, blank=True, default="")
    is_winner = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.register_id} at {self.hlc}"
