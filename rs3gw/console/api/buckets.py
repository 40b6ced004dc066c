"""Buckets by REST: made and deleted like by S3, so that every node gets to know."""

from typing import TYPE_CHECKING, Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from cluster.core.config import ReplicationMode
from replication import services
from replication.core.consistency import DEGRADE_SECONDS_MAX, ReadMode
from rs3gw.console.api.backpressure import BackpressureMixin
from rs3gw.storage import selectors
from rs3gw.storage.core.names import check_bucket_name
from rs3gw.storage.core.objects import Entry
from rs3gw.storage.models import Bucket

if TYPE_CHECKING:
    _GenericViewSet = viewsets.GenericViewSet[Any]
    _ModelSerializer = serializers.ModelSerializer[Any]
    _Serializer = serializers.Serializer[Any]
else:
    _GenericViewSet = viewsets.GenericViewSet
    _ModelSerializer = serializers.ModelSerializer
    _Serializer = serializers.Serializer

OBJECTS_MAX = 1000


class BucketSerializer(_ModelSerializer):
    """A bucket."""

    name = serializers.CharField(max_length=63)
    owner = serializers.CharField(max_length=64, default="root")

    class Meta:
        model = Bucket
        fields = ["name", "owner", "region", "state", "versioning", "incarnation", "created_at"]
        read_only_fields = ["region", "state", "versioning", "incarnation", "created_at"]
        # The service decides about names that are taken, with S3's own error.
        validators: list[Any] = []

    def validate_name(self, name: str) -> str:
        """Check the name by S3's rules."""
        problem = check_bucket_name(name)
        if problem:
            raise serializers.ValidationError(problem)
        return name


class ConsistencySerializer(_Serializer):
    """Who confirms a bucket's writes, and who is asked before it is read."""

    write = serializers.ChoiceField(
        choices=[str(mode) for mode in ReplicationMode],
        allow_blank=True,
        default="",
        help_text="Who must confirm a write; empty for the cluster's default.",
    )
    read = serializers.ChoiceField(
        choices=[str(mode) for mode in ReadMode],
        default=str(ReadMode.LOCAL),
        help_text="local: this node answers alone; quorum: it asks a majority first.",
    )
    degrade_after_seconds = serializers.IntegerField(
        default=0,
        min_value=0,
        max_value=DEGRADE_SECONDS_MAX,
        help_text="A synchronous bucket goes on asynchronously after as long; 0 for never.",
    )
    effective_write = serializers.CharField(
        read_only=True, help_text="Who must confirm a write now: async, quorum or sync."
    )


class ObjectSerializer(_Serializer):
    """One object, as a listing shows it."""

    key = serializers.CharField()
    size_bytes = serializers.IntegerField()
    etag = serializers.CharField()
    last_modified = serializers.DateTimeField()
    version_id = serializers.CharField()
    content_type = serializers.CharField()
    origin_node = serializers.CharField()


class ObjectPageSerializer(_Serializer):
    """A page of a bucket in key order."""

    objects = ObjectSerializer(many=True)
    common_prefixes = serializers.ListField(child=serializers.CharField())
    is_truncated = serializers.BooleanField()
    next_start_after = serializers.CharField()


class ListingQuerySerializer(_Serializer):
    """Which part of a bucket to list."""

    prefix = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)
    delimiter = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)
    start_after = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)
    limit = serializers.IntegerField(default=OBJECTS_MAX, min_value=1, max_value=OBJECTS_MAX)


class BucketViewSet(
    BackpressureMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.DestroyModelMixin,
    _GenericViewSet,
):
    """Buckets of this region."""

    queryset = Bucket.objects.filter(state__in=selectors.SERVED_STATES)
    serializer_class = BucketSerializer
    lookup_field = "name"
    lookup_value_regex = "[^/]+"
    filterset_fields = ["owner", "state"]

    def perform_create(self, serializer: Any) -> None:
        """Create a bucket on every node of the region."""
        serializer.instance = services.create_bucket(**serializer.validated_data)

    def perform_destroy(self, instance: Bucket) -> None:
        """Delete an empty bucket on every node of the region."""
        services.delete_bucket(bucket=instance)

    @extend_schema(methods=["GET"], responses=ConsistencySerializer, filters=False)
    @extend_schema(
        methods=["PUT"],
        request=ConsistencySerializer,
        responses=ConsistencySerializer,
        filters=False,
    )
    @action(detail=True, methods=["get", "put"], pagination_class=None, filter_backends=[])
    def consistency(self, request: Request, name: str) -> Response:
        """Show or set who confirms the bucket's writes and who is asked before it is read."""
        bucket = self.get_object()
        if request.method == "PUT":
            form = ConsistencySerializer(data=request.data)
            form.is_valid(raise_exception=True)
            wanted = services.make_consistency(**form.validated_data)
            services.save_consistency(
                bucket=bucket, wanted=wanted, author=request.user.get_username()
            )
            bucket = self.get_object()
        return Response(_consistency(bucket))

    @extend_schema(
        parameters=[
            OpenApiParameter("prefix", OpenApiTypes.STR, description="Keys that start with it."),
            OpenApiParameter("delimiter", OpenApiTypes.STR, description="Groups keys, often /."),
            OpenApiParameter("start_after", OpenApiTypes.STR, description="Only keys after it."),
            OpenApiParameter("limit", OpenApiTypes.INT, description=f"1 to {OBJECTS_MAX}."),
        ],
        filters=False,
        responses=ObjectPageSerializer,
    )
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def objects(self, request: Request, name: str) -> Response:
        """List a bucket's objects in key order."""
        query = ListingQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        wanted = dict(query.validated_data)
        page = selectors.list_keys(bucket=self.get_object(), max_keys=wanted.pop("limit"), **wanted)
        return Response(
            {
                "objects": [_shown(entry) for entry in page.entries],
                "common_prefixes": page.common_prefixes,
                "is_truncated": page.is_truncated,
                "next_start_after": page.next_start_after if page.is_truncated else "",
            }
        )


def _consistency(bucket: Bucket) -> dict[str, object]:
    wanted = services.get_consistency(bucket)
    return {
        "write": str(wanted.write or ""),
        "read": str(wanted.read),
        "degrade_after_seconds": wanted.degrade_after_seconds,
        "effective_write": str(services.write_mode(bucket)),
    }


def _shown(entry: Entry) -> dict[str, object]:
    return {
        "key": entry.key,
        "size_bytes": entry.size_bytes,
        "etag": entry.etag,
        "last_modified": entry.last_modified,
        "version_id": entry.version_id,
        "content_type": entry.headers.content_type,
        "origin_node": entry.origin_node,
    }
