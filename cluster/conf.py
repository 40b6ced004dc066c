"""Cluster settings of this node, read once."""

import uuid
from collections.abc import Mapping
from functools import lru_cache

from django.conf import settings

from cluster.core.config import ClusterConfig, ReplicationMode
from rs3gw.common import identity
from rs3gw.common.signing import body_sha256

CLUSTER_NAMESPACE = uuid.UUID("6f1c2f6e-5a0b-4a3e-9d1e-7f0f6f7f2b61")
UNSPECIFIED_HOSTS = frozenset({"0.0.0.0", "[::]", ""})  # noqa: S104  (compared, not bound)


@lru_cache(maxsize=1)
def cluster_config() -> ClusterConfig:
    """Return the configuration of this node's cluster.

    Raises:
        ConfigError: The settings contradict each other.
        IdentityError: This node has not been initialised.
    """
    return ClusterConfig(
        node_id=identity.load().node_id,
        advertise_addr=settings.RS3GW_CLUSTER_ADVERTISE_ADDR,
        bind_addr=settings.RS3GW_CLUSTER_BIND_ADDR,
        seed_nodes=settings.RS3GW_CLUSTER_SEED_NODES,
        replication_mode=ReplicationMode(settings.RS3GW_REPLICATION_MODE),
        replication_factor=settings.RS3GW_REPLICATION_FACTOR,
        heartbeat_interval=settings.RS3GW_HEARTBEAT_INTERVAL,
        heartbeat_timeout=settings.RS3GW_HEARTBEAT_TIMEOUT,
        gossip_interval=settings.RS3GW_GOSSIP_INTERVAL,
    )


@lru_cache(maxsize=1)
def cluster_id() -> str:
    """Return the name that the nodes of one region share and no other region has.

    It comes from the shared secret and the region, so nodes with another secret or of another
    region can never be merged into this one by a wrong seed address.
    """
    secret_digest = body_sha256(settings.RS3GW_CLUSTER_SECRET.encode())
    return str(uuid.uuid5(CLUSTER_NAMESPACE, f"{secret_digest}/{settings.RS3GW_REGION}"))


def is_enabled() -> bool:
    """Return whether this node talks to others at all."""
    return bool(settings.RS3GW_CLUSTER_ENABLED)


def s3_url() -> str:
    """Return where clients reach this node's S3 endpoint."""
    if settings.RS3GW_PUBLIC_URL:
        return str(settings.RS3GW_PUBLIC_URL).rstrip("/")
    host, _, port = settings.RS3GW_BIND_ADDR.rpartition(":")
    if host in UNSPECIFIED_HOSTS:
        host = settings.RS3GW_CLUSTER_ADVERTISE_ADDR.rpartition(":")[0]
    scheme = "https" if settings.RS3GW_TLS_CERT else "http"
    return f"{scheme}://{host}:{port}"


def metadata() -> Mapping[str, str]:
    """Return the labels that this node tells of itself."""
    labels = {"zone": settings.RS3GW_ZONE} if settings.RS3GW_ZONE else {}
    if settings.RS3GW_NODE_WEIGHT != 1.0:
        labels["weight"] = f"{settings.RS3GW_NODE_WEIGHT:g}"
    return labels


class _Epoch:
    """The membership epoch as this process last read it."""

    known = 0


epoch = _Epoch()


def forget(**_: object) -> None:
    """Read the settings again at the next call; tests change them."""
    cluster_config.cache_clear()
    cluster_id.cache_clear()
