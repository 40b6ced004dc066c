"""System checks: settings that work by themselves but not together."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from cluster import conf

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})


def _host(address: str) -> str:
    return address.rpartition(":")[0]


@register("cluster")
def check_addresses(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Find addresses that other nodes cannot use."""
    if not settings.RS3GW_CLUSTER_ENABLED:
        return []
    advertised = settings.RS3GW_CLUSTER_ADVERTISE_ADDR
    found: list[CheckMessage] = []
    if _host(advertised) in conf.UNSPECIFIED_HOSTS:
        found.append(
            Error(
                f"RS3GW_CLUSTER_ADVERTISE_ADDR={advertised} is no address that others can call.",
                hint="Give the host name or address under which the other nodes reach this one.",
                id="cluster.E001",
            )
        )
    others = {_host(s) for s in settings.RS3GW_CLUSTER_SEED_NODES} - LOOPBACK_HOSTS
    if _host(advertised) in LOOPBACK_HOSTS and others:
        found.append(
            Warning(
                f"RS3GW_CLUSTER_ADVERTISE_ADDR={advertised} is this machine only, but the seeds "
                f"are elsewhere: {', '.join(sorted(others))}.",
                hint="The other nodes will not be able to reach this one.",
                id="cluster.W001",
            )
        )
    return found
