"""What the API of replication says and takes. Secrets are only ever taken."""

import re
from typing import TYPE_CHECKING, Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from replication.core.filters import ReplicationFilter
from replication.models import (
    BucketReplicationConfig,
    Comparison,
    Delivery,
    Eviction,
    Lane,
    QuarantinedVersion,
    ReplicationEventRecord,
    ReplicationRegion,
)
from replication.selectors import LaneStatus
from replication.services.control import PAIRING_KEY_BYTES
from rs3gw.storage.models import Bucket
from rs3gw.storage.selectors import SERVED_STATES

if TYPE_CHECKING:
    ModelSerializer = serializers.ModelSerializer[Any]
    Serializer = serializers.Serializer[Any]
else:
    ModelSerializer = serializers.ModelSerializer
    Serializer = serializers.Serializer

_ENDPOINT = re.compile(r"(https?://)?(\[[0-9a-fA-F:.]+\]|[^\s:/,]+):\d{1,5}")


class RegionSerializer(ModelSerializer):
    """A remote region."""

    endpoints = serializers.ListField(
        child=serializers.RegexField(_ENDPOINT, max_length=255),
        min_length=1,
        max_length=32,
        help_text="Cluster addresses of its nodes: host:port or http(s)://host:port.",
    )
    pairing_key = serializers.CharField(
        write_only=True,
        required=False,
        min_length=PAIRING_KEY_BYTES,
        max_length=512,
        help_text="The secret both regions hold. A new region gets one made when it is left out.",
    )
    has_pairing_key = serializers.SerializerMethodField()

    class Meta:
        model = ReplicationRegion
        fields = [
            "name",
            "label",
            "kind",
            "endpoints",
            "priority",
            "is_enabled",
            "pairing_key",
            "has_pairing_key",
        ]
        read_only_fields = ["kind"]

    def get_has_pairing_key(self, region: ReplicationRegion) -> bool:
        """Return whether a pairing key is stored."""
        return bool(region.sealed_pairing_key)


class CreatedRegionSerializer(RegionSerializer):
    """A region that was just made: the only answer that shows its pairing key."""

    pairing_key = serializers.CharField(read_only=True)


class RuleSerializer(ModelSerializer):
    """A rule: the objects of a bucket go to a region."""

    region = serializers.SlugRelatedField(
        slug_field="name", queryset=ReplicationRegion.objects.all()
    )
    filter = serializers.JSONField(
        required=False,
        help_text='{} for all objects; {"prefix": "a/"}, {"tags": {"k": "v"}}, {"and": [...]}.',
    )

    class Meta:
        model = BucketReplicationConfig
        fields = [
            "name",
            "bucket",
            "region",
            "priority",
            "is_enabled",
            "compression",
            "filter",
            "conflict_resolution",
            "encryption",
        ]
        read_only_fields = ["conflict_resolution", "encryption"]

    def validate_bucket(self, name: str) -> str:
        """Check that the bucket is there."""
        if not Bucket.objects.filter(name=name, state__in=SERVED_STATES).exists():
            raise serializers.ValidationError(f"There is no bucket {name!r}. Create it first.")
        return name

    def validate_filter(self, value: Any) -> Any:
        """Check that the filter can be read."""
        try:
            return ReplicationFilter.from_json(value).to_json()
        except (ValueError, TypeError, AttributeError):
            raise serializers.ValidationError(
                "A filter is an object with prefix, tags, or and (a list of filters)."
            ) from None


class LaneSerializer(ModelSerializer):
    """A lane and what waits for it."""

    pending = serializers.SerializerMethodField()
    bytes_pending = serializers.SerializerMethodField()
    lag_seconds = serializers.SerializerMethodField()
    retrying = serializers.SerializerMethodField()
    parked = serializers.SerializerMethodField()

    class Meta:
        model = Lane
        fields = [
            "id",
            "destination_kind",
            "destination",
            "shard",
            "state",
            "cursor",
            "pending",
            "bytes_pending",
            "lag_seconds",
            "retrying",
            "parked",
            "attempts",
            "next_attempt_at",
            "last_error",
            "last_error_at",
            "last_success_at",
            "events_delivered",
            "bytes_delivered",
            "rate_bytes_per_second",
            "peak_bytes_per_second",
        ]
        read_only_fields = fields

    def _status(self, lane: Lane) -> LaneStatus | None:
        statuses: dict[int, LaneStatus] = self.context.get("statuses", {})
        return statuses.get(lane.pk)

    def get_pending(self, lane: Lane) -> int:
        """Return how many events lie behind the cursor."""
        status = self._status(lane)
        return status.pending if status else 0

    def get_bytes_pending(self, lane: Lane) -> int:
        """Return the bytes of their bodies."""
        status = self._status(lane)
        return status.pending_bytes if status else 0

    def get_lag_seconds(self, lane: Lane) -> float:
        """Return the age of the oldest change that has not arrived."""
        status = self._status(lane)
        return status.lag_seconds if status else 0.0

    def get_retrying(self, lane: Lane) -> int:
        """Return how many events are sent again later."""
        status = self._status(lane)
        return status.retrying if status else 0

    def get_parked(self, lane: Lane) -> int:
        """Return how many events need a person."""
        status = self._status(lane)
        return status.parked if status else 0


class EventSerializer(ModelSerializer):
    """One change in this node's log."""

    context = serializers.JSONField(read_only=True)  # type: ignore[assignment]
    payload = serializers.SerializerMethodField()

    class Meta:
        model = ReplicationEventRecord
        fields = [
            "id",
            "event_id",
            "kind",
            "bucket",
            "key",
            "version_id",
            "actor",
            "seq",
            "hlc",
            "shard",
            "position",
            "origin_node",
            "origin_region",
            "via",
            "context",
            "body_sha256",
            "body_size_bytes",
            "payload",
            "created_at",
        ]
        read_only_fields = fields

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_payload(self, event: ReplicationEventRecord) -> Any:
        """Return what the change carries; values of registers may hold secrets and are left out."""
        payload = event.payload
        return {name: value for name, value in payload.items() if name != "value"}


class DeliverySerializer(ModelSerializer):
    """An event that was set aside by its lane."""

    destination = serializers.CharField(source="lane.destination", read_only=True)
    destination_kind = serializers.CharField(source="lane.destination_kind", read_only=True)
    bucket = serializers.CharField(source="event.bucket", read_only=True)
    key = serializers.CharField(source="event.key", read_only=True)
    kind = serializers.CharField(source="event.kind", read_only=True)

    class Meta:
        model = Delivery
        fields = [
            "id",
            "state",
            "destination_kind",
            "destination",
            "kind",
            "bucket",
            "key",
            "event",
            "lane",
            "attempts",
            "next_attempt_at",
            "reason",
            "created_at",
            "settled_at",
        ]
        read_only_fields = fields


class EvictionSerializer(ModelSerializer):
    """That a member was away for too long and has to join again."""

    class Meta:
        model = Eviction
        fields = ["id", "node_id", "reason", "decided_by", "evicted_at", "ended_at", "outcome"]
        read_only_fields = ["id", "decided_by", "evicted_at", "ended_at", "outcome"]


class QuarantineSerializer(ModelSerializer):
    """An object that an evicted node brought back and that the region does not know."""

    class Meta:
        model = QuarantinedVersion
        fields = [
            "id",
            "bucket",
            "key",
            "version_id",
            "size_bytes",
            "reason",
            "created_at",
            "outcome",
            "decided_by",
            "decided_at",
        ]
        read_only_fields = fields


class SkipSerializer(Serializer):
    """Why a change is given up."""

    reason = serializers.CharField(max_length=200)


class ComparisonSerializer(ModelSerializer):
    """One comparison of this node's index with another node's."""

    is_equal = serializers.BooleanField(read_only=True)
    causes = serializers.DictField(child=serializers.IntegerField(), read_only=True)
    sample = serializers.ListField(
        child=serializers.DictField(child=serializers.CharField()), read_only=True
    )

    class Meta:
        model = Comparison
        fields = [
            "id",
            "peer",
            "bucket",
            "state",
            "is_dry_run",
            "is_equal",
            "is_control_equal",
            "keys_differing",
            "keys_in_flight",
            "keys_repaired",
            "keys_left",
            "causes",
            "sample",
            "done",
            "total",
            "asked_by",
            "created_at",
            "started_at",
            "ended_at",
            "error",
        ]


class ComparisonWishSerializer(Serializer):
    """What to compare."""

    peer = serializers.CharField(default="", allow_blank=True, help_text="Empty for all nodes.")
    bucket = serializers.CharField(default="", allow_blank=True, help_text="Empty for all.")
    is_dry_run = serializers.BooleanField(default=False, help_text="Repair nothing.")
