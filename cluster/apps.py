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
        from cluster.services import fencing, observer, registry, views
        from cluster.signals import refused_as_removed

        assert checks.check_addresses
        registry.gossip_sections[fencing.SECTION] = (fencing.produce, fencing.consume)
        registry.gossip_sections[views.SECTION] = (views.produce, views.consume)
        refused_as_removed.connect(_on_refused, dispatch_uid="cluster-fencing")
        for forget in (conf.forget, selectors.forget, observer.forget):
            setting_changed.connect(forget)


def _on_refused(*, body: bytes, **_: object) -> None:
    from cluster.services import fencing

    fencing.notice_refusal(body)
