"""Control-plane changes: registers in general, regions and rules in particular."""

import secrets
from collections.abc import Mapping, Sequence

from django.conf import settings

from replication import engine, outbox, registers
from replication.control import REGION_SCOPE, RULE_SCOPE
from replication.core.events import EventKind, ReplicationEvent
from replication.core.filters import ReplicationFilter
from replication.doorbell import doorbell
from replication.errors import ControlError
from replication.models import BucketReplicationConfig, ReplicationRegion
from rs3gw.common import clock, hlc, identity, ids, secretbox
from rs3gw.storage import commit, rows

CONTROL_SHARD = 0
PAIRING_KEY_BYTES = 32


def put_register(*, scope: str, name: str, value: Mapping[str, object], author: str = "") -> None:
    """Write a register here and on every node of the region; effective here on return."""
    _change_register(scope, name, value, author)


def delete_register(*, scope: str, name: str, author: str = "") -> None:
    """Delete a register here and on every node of the region."""
    _change_register(scope, name, None, author)


def _change_register(scope: str, name: str, value: registers.Value, author: str) -> None:
    engine.require_open()
    kind = EventKind.DELETE_REGISTER if value is None else EventKind.PUT_REGISTER

    def change() -> ReplicationEvent:
        stamp, position = rows.take_stamp(CONTROL_SHARD, clock.now_ms())
        registers.write(scope, name, value, stamp=stamp, author=author)
        event = ReplicationEvent(
            event_id=ids.uuid7(),
            actor=stamp.actor,
            seq=stamp.seq,
            hlc=stamp.hlc,
            kind=kind,
            origin_node=identity.load().node_id,
            origin_region=settings.RS3GW_REGION,
            key=f"{scope}/{name}",
            payload={"scope": scope, "name": name, "value": value, "author": author},
            created_at_ms=hlc.physical_ms(stamp.hlc),
        )
        outbox.append(event, shard=CONTROL_SHARD, position=position)
        return event

    commit.run(change)
    # Control changes never wait for a quorum: an operator must be able to act when nodes are down.
    doorbell.ring(CONTROL_SHARD)


def new_pairing_key() -> str:
    """Return a random key for a pair of regions, to be given to both."""
    return secrets.token_urlsafe(PAIRING_KEY_BYTES)


def save_region(  # noqa: PLR0913  (what a region's or rule's form holds)
    *,
    name: str,
    endpoints: Sequence[str],
    label: str = "",
    priority: int = 1,
    pairing_key: str | None = None,
    is_enabled: bool = True,
    author: str = "",
) -> ReplicationRegion:
    """Create or change a remote region on every node of this one.

    Args:
        name: The remote region's own name.
        endpoints: Cluster addresses of its nodes, `host:port` or `http(s)://host:port`.
        label: For people.
        priority: 1 or more; lower goes first.
        pairing_key: Secret that both regions hold; None keeps the one that is stored.
        is_enabled: Whether its lanes move.
        author: Who asked for it.

    Raises:
        ControlError: The name is this region's own, there is no endpoint, or there is no key.
    """
    if name == settings.RS3GW_REGION:
        raise ControlError(f"{name} is this node's own region; name the other one.")
    if not endpoints:
        raise ControlError("Give at least one endpoint: the cluster address of a node there.")
    current = ReplicationRegion.objects.filter(name=name).first()
    if pairing_key is not None:
        if len(pairing_key) < PAIRING_KEY_BYTES:
            raise ControlError(f"A pairing key has at least {PAIRING_KEY_BYTES} characters.")
        sealed = secretbox.seal_for_cluster(pairing_key.encode(), purpose="pairing")
    elif current is not None and current.sealed_pairing_key:
        key = secretbox.unseal(current.sealed_pairing_key, purpose="pairing")
        sealed = secretbox.seal_for_cluster(key, purpose="pairing")
    else:
        raise ControlError("A new region needs a pairing key: the same one on both sides.")
    value = {
        "label": label,
        "endpoints": list(endpoints),
        "priority": priority,
        "pairing_key": sealed,
        "is_enabled": is_enabled,
    }
    put_register(scope=REGION_SCOPE, name=name, value=value, author=author)
    return ReplicationRegion.objects.get(name=name)


def delete_region(*, region: ReplicationRegion, author: str = "") -> None:
    """Remove a remote region on every node of this one.

    Raises:
        ControlError: A rule still leads there.
    """
    rules = list(region.bucketreplicationconfig_set.values_list("name", flat=True)[:5])
    if rules:
        raise ControlError(f"Rules still lead to {region.name}: {', '.join(rules)}.")
    delete_register(scope=REGION_SCOPE, name=region.name, author=author)


def save_rule(  # noqa: PLR0913  (what a region's or rule's form holds)
    *,
    name: str,
    bucket: str,
    region: ReplicationRegion,
    priority: int = 1,
    is_enabled: bool = True,
    compression: bool = True,
    filter: ReplicationFilter | None = None,
    author: str = "",
) -> BucketReplicationConfig:
    """Create or change a rule on every node: the bucket's objects go to the region.

    What the log still holds of the bucket is sent as well.
    """
    value = {
        "bucket": bucket,
        "region": region.name,
        "priority": priority,
        "is_enabled": is_enabled,
        "compression": compression,
        "filter": {} if filter is None else filter.to_json(),
    }
    put_register(scope=RULE_SCOPE, name=name, value=value, author=author)
    return BucketReplicationConfig.objects.get(name=name)


def delete_rule(*, rule: BucketReplicationConfig, author: str = "") -> None:
    """Remove a rule on every node; what it has copied stays where it is."""
    delete_register(scope=RULE_SCOPE, name=rule.name, author=author)
