"""Django application of the S3 endpoint."""

from django.apps import AppConfig


class S3Config(AppConfig):
    """The S3 endpoint and its access keys."""

    name = "rs3gw.s3"
    label = "s3"
    verbose_name = "S3"

    def ready(self) -> None:
        """Say how access keys that arrive from other nodes take effect."""
        from rs3gw.s3 import services

        services.define_registers()
