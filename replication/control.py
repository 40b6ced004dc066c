"""How regions and rules, which travel as registers, take effect on this node."""

from django.db.models import F

from replication import lanes, links, registers
from replication.models import BucketReplicationConfig, Lane, ReplicationRegion
from rs3gw.common import secretbox
from rs3gw.storage.models import Bucket

REGION_SCOPE = "region"
RULE_SCOPE = "rule"
BUCKET_SCOPE = "bucket"


def define_registers() -> None:
    """Tell the registers what to do with regions, rules and bucket settings."""
    registers.define(REGION_SCOPE, apply_region)
    registers.define(RULE_SCOPE, apply_rule)
    registers.define(BUCKET_SCOPE, apply_setting)


def apply_setting(name: str, value: registers.Value) -> None:
    """Note in a bucket's row that a setting of one of its lives changed.

    Settings are read from their registers; versioning also stands in the row, because every
    write asks for it.
    """
    scope, _, setting = name.rpartition("/")
    life = Bucket.objects.filter(incarnation=scope.partition(":")[2]).first()
    if life is None:
        return
    changed = Bucket.objects.filter(pk=life.alias_of_id or life.pk)
    changed.update(settings_revision=F("settings_revision") + 1)
    if setting == "versioning":
        changed.update(versioning="" if value is None else str(value["text"]))


def apply_region(name: str, value: registers.Value) -> None:
    """Make a region's row what its register says."""
    if value is None:
        BucketReplicationConfig.objects.filter(region__name=name).delete()
        ReplicationRegion.objects.filter(name=name).delete()
        Lane.objects.filter(destination_kind="region", destination=name).delete()
        return
    key = secretbox.unseal_from_cluster(str(value["pairing_key"]), purpose="pairing")
    endpoints = value["endpoints"]
    ReplicationRegion.objects.update_or_create(
        name=name,
        defaults={
            "label": str(value.get("label", "")),
            "endpoints": endpoints if isinstance(endpoints, list) else [],
            "priority": int(str(value.get("priority", 1))),
            "sealed_pairing_key": secretbox.seal(key, purpose="pairing"),
            "is_enabled": bool(value.get("is_enabled", True)),
        },
    )
    links.hurry(links.of_region(name))


def apply_rule(name: str, value: registers.Value) -> None:
    """Make a rule's row what its register says, and let its lanes see older events again."""
    if value is None:
        BucketReplicationConfig.objects.filter(name=name).delete()
        return
    # The region's register may still be on its way; the rule completes when it arrives.
    region, _ = ReplicationRegion.objects.get_or_create(
        name=str(value["region"]), defaults={"is_enabled": False}
    )
    BucketReplicationConfig.objects.update_or_create(
        name=name,
        defaults={
            "bucket": str(value["bucket"]),
            "region": region,
            "priority": int(str(value.get("priority", 1))),
            "is_enabled": bool(value.get("is_enabled", True)),
            "compression": bool(value.get("compression", True)),
            "filter": value.get("filter") or {},
        },
    )
    if value.get("is_enabled", True):
        lanes.restart_region_lanes(region.name)
        links.hurry(links.of_region(region.name))


def pairing_secret(region_name: str) -> str:
    """Return the secret shared with a remote region, "" when that region is not known here."""
    region = ReplicationRegion.objects.filter(name=region_name).first()
    if region is None or not region.sealed_pairing_key:
        return ""
    return secretbox.unseal(region.sealed_pairing_key, purpose="pairing").decode()
