"""Users and their access keys."""

from django.db import models


class S3User(models.Model):
    """Who an access key belongs to: an account, or a user of one.

    `account_id` is the user's own id when it is an account, which may do everything with what it
    owns. Other users act for their account and may do what policies allow. Everything here is a
    copy of a register, so an e-mail address that two nodes gave away at once is kept twice.
    """

    user_id = models.CharField("user ID", max_length=64, unique=True)
    account_id = models.CharField("account", max_length=64, db_index=True, editable=False)
    display_name = models.CharField(max_length=128, blank=True)
    email = models.CharField("e-mail", max_length=254, blank=True, default="", db_index=True)
    policies = models.JSONField(default=dict, blank=True, editable=False)
    is_enabled = models.BooleanField("enabled", default=True, editable=False)
    created_at = models.DateTimeField(editable=False)
    revision = models.BigIntegerField(default=0, editable=False)

    class Meta:
        ordering = ["user_id"]
        verbose_name = "S3 user"

    def __str__(self) -> str:
        return self.user_id

    def is_account(self) -> bool:
        """Return whether this user owns what it makes, rather than an account it belongs to."""
        return self.account_id in ("", self.user_id)


class AccessKey(models.Model):
    """An S3 credential. The secret is sealed with this node's key and never shown again.

    A key that was revoked stays revoked on every node, whatever else is changed at the same time.
    `owner` is the id of the user it belongs to.
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
