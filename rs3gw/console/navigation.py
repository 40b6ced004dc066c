"""The sections of the admin, in the order of the left column.

A page that is not there is left out.
"""

from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse


@dataclass(frozen=True, slots=True)
class Item:
    """One link of the left column."""

    label: str
    url: str
    icon: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Links under one heading; the first group has none."""

    title: str
    items: tuple[Item, ...]


_SECTIONS = (
    ("", (("Overview", "admin:index", "overview"),)),
    (
        "Replication",
        (
            ("Rules", "admin:replication_bucketreplicationconfig_changelist", "rule"),
            ("Peer links", "admin:replication_peerlink_changelist", "lane"),
            ("Lanes", "admin:replication_lane_changelist", "lane"),
            ("Events", "admin:replication_replicationeventrecord_changelist", "event"),
            ("Deliveries", "admin:replication_delivery_changelist", "parked"),
            ("Quarantine", "admin:replication_quarantinedversion_changelist", "parked"),
        ),
    ),
    (
        "Fleet",
        (
            ("Regions", "admin:replication_replicationregion_changelist", "region"),
            ("Nodes", "admin:cluster_node_changelist", "node"),
            ("Who sees whom", "admin:cluster_peerview_changelist", "node"),
            ("Leaves", "admin:cluster_leaverun_changelist", "history"),
            ("Removed nodes", "admin:cluster_removednode_changelist", "history"),
            ("Evictions", "admin:replication_eviction_changelist", "node"),
            ("Comparisons", "admin:replication_comparison_changelist", "history"),
        ),
    ),
    (
        "Storage",
        (
            ("Buckets", "admin:storage_bucket_changelist", "bucket"),
            ("Healing of bodies", "admin:replication_healingjob_changelist", "lane"),
            ("Damaged bodies", "admin:replication_damagedbody_changelist", "parked"),
            ("Objects", "admin:storage_objectversion_changelist", "object"),
            ("Accounts and users", "admin:s3_s3user_changelist", "people"),
            ("Access keys", "admin:s3_accesskey_changelist", "key"),
        ),
    ),
    (
        "Control",
        (
            ("Change history", "admin:replication_registerrevision_changelist", "history"),
            ("People", "admin:auth_user_changelist", "people"),
            ("API", "api-docs", "api"),
        ),
    ),
)


def groups(path: str) -> list[Group]:
    """Return the left column for a request path, the section it lies in marked."""
    found = []
    for title, entries in _SECTIONS:
        items = [item for item in (_item(path, *entry) for entry in entries) if item is not None]
        if items:
            found.append(Group(title, tuple(items)))
    return found


def _item(path: str, label: str, name: str, icon: str) -> Item | None:
    try:
        url = reverse(name)
    except NoReverseMatch:
        return None
    is_index = name == "admin:index"
    return Item(label, url, icon, path == url if is_index else path.startswith(url))
