"""Peer links: whether each destination is sent to, as all processes of this node see it."""

from django.db import models

from replication.models.log import DestinationKind


class LinkTraffic(models.TextChoices):
    """What goes over a link: what lanes copy, and what a writer waits for."""

    DATA = "data", "Copying"
    CONTROL = "control", "Confirming writes"


class LinkState(models.TextChoices):
    """The states of `replication.core.circuit_breaker`."""

    CLOSED = "closed", "Sending"
    OPEN = "open", "Left alone"
    HALF_OPEN = "half_open", "Being probed"


class PeerLink(models.Model):
    """The circuit breaker of one destination and one kind of traffic.

    Written when the breaker changes its state and never for a request. `revision` grows with each
    change, so that two processes cannot both take the one probe.
    """

    kind = models.CharField(max_length=6, choices=DestinationKind.choices)
    destination = models.CharField(max_length=63)
    traffic = models.CharField(max_length=7, choices=LinkTraffic.choices)
    state = models.CharField(max_length=9, choices=LinkState.choices, default=LinkState.CLOSED)
    since = models.DateTimeField(null=True, blank=True)
    openings = models.PositiveIntegerField(default=0)
    probe_at = models.DateTimeField(null=True, blank=True)
    probed_at = models.DateTimeField(null=True, blank=True)
    cause = models.CharField(max_length=16, blank=True, default="")
    reason = models.TextField(blank=True, default="")
    force = models.CharField(max_length=9, choices=LinkState.choices, blank=True, default="")
    force_until = models.DateTimeField(null=True, blank=True)
    force_by = models.CharField(max_length=150, blank=True, default="")
    revision = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = "peer link"
        ordering = ["kind", "destination", "traffic"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "destination", "traffic"], name="replication_one_link"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.destination}, {self.get_traffic_display().lower()}"
