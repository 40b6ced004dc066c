"""Remote regions."""

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models


class RegionKind(models.TextChoices):
    """What answers at a region's endpoints."""

    RS3GW = "rs3gw", "Another rs3gw region"


class ReplicationRegion(models.Model):
    """A region elsewhere that buckets of this one can be replicated to.

    `endpoints` are cluster addresses tried in order of health; one copy crosses the WAN and the
    receiver fans it out. `sealed_pairing_key` is the secret shared with that region; it is
    written once and never shown.
    """

    name = models.CharField(
        max_length=63,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")],
        help_text="The region's own name, as its nodes have it in RS3GW_REGION.",
    )
    label = models.CharField(max_length=100, blank=True, default="")
    kind = models.CharField(max_length=8, choices=RegionKind.choices, default=RegionKind.RS3GW)
    endpoints = models.JSONField(
        default=list, help_text="Cluster addresses of its nodes, such as http://10.0.0.5:9001."
    )
    priority = models.PositiveIntegerField(default=1, validators=[MinValueValidator(1)])
    sealed_pairing_key = models.TextField(blank=True, default="", editable=False)
    is_enabled = models.BooleanField("enabled", default=True)
    revision = models.BigIntegerField(default=0, editable=False)

    class Meta:
        ordering = ["priority", "name"]

    def __str__(self) -> str:
        return self.name
