"""Django application of replication."""

from django.apps import AppConfig


class ReplicationConfig(AppConfig):
    """The event log, its lanes, and what arrives from other nodes."""

    name = "replication"
    verbose_name = "Replication"

    def ready(self) -> None:
        """Define the registers this application owns and listen to membership changes."""
        from replication import control, receivers

        control.define_registers()
        receivers.connect()
