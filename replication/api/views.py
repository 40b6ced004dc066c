"""Views of the API of replication. Every change is made by a service."""

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from replication import selectors, services
from replication.anti_entropy import runs
from replication.api import serializers
from replication.core.filters import ReplicationFilter
from replication.errors import ControlError
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
from replication.services.control import new_pairing_key

if TYPE_CHECKING:
    _ModelViewSet = viewsets.ModelViewSet[Any]
    _ReadOnly = viewsets.ReadOnlyModelViewSet[Any]
else:
    _ModelViewSet = viewsets.ModelViewSet
    _ReadOnly = viewsets.ReadOnlyModelViewSet


class NewestFirst(CursorPagination):
    """Pages of a log that may be huge: no counting, and no row twice while it grows."""

    ordering = "-id"
    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 1000


class NamedViewSet(_ModelViewSet):
    """Rows that people name; the name is the address and does not change."""

    lookup_field = "name"
    lookup_value_regex = "[^/]+"

    def author(self) -> str:
        """Return who asks."""
        return str(self.request.user.get_username())

    def refuse_other_name(self, name: str, wanted: str) -> None:
        """Raise ControlError when a change would rename a row."""
        if name != wanted:
            raise ControlError(f"{name} cannot be renamed. Delete it and create {wanted}.")


@extend_schema_view(
    create=extend_schema(responses={201: serializers.CreatedRegionSerializer}),
)
class RegionViewSet(NamedViewSet):
    """Remote regions that buckets can be replicated to."""

    queryset = ReplicationRegion.objects.all()
    serializer_class = serializers.RegionSerializer
    filterset_fields = ["is_enabled"]

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Add a region; the answer holds its pairing key, which is not shown again."""
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        key = form.validated_data.pop("pairing_key", None) or new_pairing_key()
        region = services.save_region(**form.validated_data, pairing_key=key, author=self.author())
        answer = {**self.get_serializer(region).data, "pairing_key": key}
        return Response(answer, status=status.HTTP_201_CREATED)

    def perform_update(self, serializer: Any) -> None:
        """Change a region; without a pairing key the stored one stays."""
        region, new = serializer.instance, serializer.validated_data
        self.refuse_other_name(region.name, new.get("name", region.name))
        serializer.instance = services.save_region(
            name=region.name,
            label=new.get("label", region.label),
            endpoints=new.get("endpoints", region.endpoints),
            priority=new.get("priority", region.priority),
            is_enabled=new.get("is_enabled", region.is_enabled),
            pairing_key=new.get("pairing_key"),
            author=self.author(),
        )

    def perform_destroy(self, instance: ReplicationRegion) -> None:
        """Remove a region that no rule leads to."""
        services.delete_region(region=instance, author=self.author())


class RuleViewSet(NamedViewSet):
    """Rules: which bucket's objects go to which region."""

    queryset = BucketReplicationConfig.objects.select_related("region")
    serializer_class = serializers.RuleSerializer
    filterset_fields = ["bucket", "region__name", "is_enabled"]

    def perform_create(self, serializer: Any) -> None:
        """Add a rule; what the bucket holds today is copied as well."""
        self._save(serializer, {}, serializer.validated_data)

    def perform_update(self, serializer: Any) -> None:
        """Change a rule."""
        rule = serializer.instance
        new = serializer.validated_data
        self.refuse_other_name(rule.name, new.get("name", rule.name))
        fields = ("name", "bucket", "region", "priority", "is_enabled", "compression", "filter")
        self._save(serializer, {field: getattr(rule, field) for field in fields}, new)

    def _save(self, serializer: Any, old: dict[str, Any], new: dict[str, Any]) -> None:
        values = {**old, **new}
        wanted = ReplicationFilter.from_json(values.pop("filter", None) or {})
        serializer.instance = services.save_rule(**values, filter=wanted, author=self.author())

    def perform_destroy(self, instance: BucketReplicationConfig) -> None:
        """Remove a rule; what it has copied stays where it is."""
        services.delete_rule(rule=instance, author=self.author())


class LaneViewSet(_ReadOnly):
    """Lanes: one destination and one shard of the log each, with what waits for them."""

    queryset = Lane.objects.all()
    serializer_class = serializers.LaneSerializer
    filterset_fields = ["destination_kind", "destination", "state", "shard"]

    def get_serializer_context(self) -> dict[str, Any]:
        """Look at the log once for the whole answer."""
        context = dict(super().get_serializer_context())
        if getattr(self, "swagger_fake_view", False):
            return context
        statuses = {state.lane.pk: state for state in selectors.lanes_overview()}
        return {**context, "statuses": statuses}

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Stop a lane after the batch under way; what waits is kept."""
        return self._changed(services.pause_lane)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Let a lane go on from where it stopped."""
        return self._changed(services.resume_lane)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Forget a lane's back-off and try it now."""
        return self._changed(services.retry_lane)

    def _changed(self, change: Any) -> Response:
        lane = self.get_object()
        change(lane)
        lane.refresh_from_db()
        return Response(self.get_serializer(lane).data)


class DeliveryViewSet(_ReadOnly):
    """Events that a lane set aside: waiting to be sent again, parked, or settled."""

    queryset = Delivery.objects.select_related("lane", "event")
    serializer_class = serializers.DeliverySerializer
    pagination_class = NewestFirst
    filterset_fields = ["state", "lane", "lane__destination"]

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Send a parked event again."""
        delivery = self.get_object()
        if not services.retry_parked([delivery]):
            raise ControlError("Only a parked delivery can be retried.")
        return self._answer(delivery)

    @extend_schema(request=serializers.SkipSerializer)
    @action(detail=True, methods=["post"])
    def skip(self, request: Request, pk: str) -> Response:
        """Give a parked event up for its destination, on record."""
        form = serializers.SkipSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        delivery = self.get_object()
        reason = f"{request.user.get_username()}: {form.validated_data['reason']}"
        if not services.skip_parked([delivery], reason=reason):
            raise ControlError("Only a parked delivery can be skipped.")
        return self._answer(delivery)

    def _answer(self, delivery: Delivery) -> Response:
        delivery.refresh_from_db()
        return Response(self.get_serializer(delivery).data)


class EventViewSet(_ReadOnly):
    """The event log of this node, the newest first. It cannot be changed."""

    queryset = ReplicationEventRecord.objects.all()
    serializer_class = serializers.EventSerializer
    pagination_class = NewestFirst
    filterset_fields = ["bucket", "key", "kind", "origin_node"]


class ComparisonViewSet(_ReadOnly):
    """Comparisons of this node's index with other nodes'."""

    queryset = Comparison.objects.all()
    serializer_class = serializers.ComparisonSerializer
    pagination_class = NewestFirst
    filterset_fields = ["state", "peer", "is_dry_run"]

    @extend_schema(
        request=serializers.ComparisonWishSerializer,
        responses={202: serializers.ComparisonSerializer(many=True)},
    )
    def create(self, request: Request) -> Response:
        """Let the worker compare this node with one peer, or with every one that is alive."""
        wish = serializers.ComparisonWishSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        made = runs.ask_for(**wish.validated_data, author=str(request.user.get_username()))
        answer = serializers.ComparisonSerializer(made, many=True)
        return Response(answer.data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses=serializers.ComparisonSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Let a comparison end before its next bucket."""
        run = self.get_object()
        runs.cancel(run)
        run.refresh_from_db()
        return Response(serializers.ComparisonSerializer(run).data)


class EvictionViewSet(mixins.CreateModelMixin, _ReadOnly):
    """Members that were away for too long; an operator may evict one as well."""

    queryset = Eviction.objects.all()
    serializer_class = serializers.EvictionSerializer
    pagination_class = NewestFirst
    filterset_fields = ["node_id"]

    def perform_create(self, serializer: Any) -> None:
        """Stop waiting for a member: its lanes are dropped, and it has to join again."""
        asked = serializer.validated_data
        author = str(self.request.user.get_username())
        services.evict_member(asked["node_id"], reason=asked["reason"], author=author)
        serializer.instance = Eviction.objects.filter(node_id=asked["node_id"]).first()


class QuarantineViewSet(_ReadOnly):
    """Objects that an evicted node brought back and that wait for a decision."""

    queryset = QuarantinedVersion.objects.all()
    serializer_class = serializers.QuarantineSerializer
    pagination_class = NewestFirst
    filterset_fields = ["outcome", "bucket", "key"]

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def accept(self, request: Request, pk: str) -> Response:
        """Write the object again, as a new write."""
        return self._decided(services.accept_quarantined)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: str) -> Response:
        """Give the object up; its bytes are deleted when nothing else needs them."""
        return self._decided(services.discard_quarantined)

    def _decided(self, decide: Any) -> Response:
        row = self.get_object()
        decide(row, author=str(self.request.user.get_username()))
        row.refresh_from_db()
        return Response(self.get_serializer(row).data)
