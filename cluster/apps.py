"""Django application of the cluster."""

from django.apps import AppConfig
from django.core.signals import setting_changed


class ClusterAppConfig(AppConfig):
    """The membership table and what keeps it true."""

    name = "cluster"
    verbose_name = "Cluster"

    def ready(self) -> None:
        """Register the checks and drop cached settings when tests change them."""
        from cluster import checks, conf, selectors
        from cluster.services import observer

        assert checks.check_addresses
        for forget in (conf.forget, selectors.forget, observer.forget):
            setting_changed.connect(forget)
