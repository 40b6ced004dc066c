"""Healing of bodies by REST: how it does, its jobs, what was damaged, and what would move."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from replication.api.views import NewestFirst
from replication.core.healing import Load, Plan
from replication.healing import jobs, report, rounds
from replication.models import DamagedBody, HealingJob, JobKind
from replication.placement import current

if TYPE_CHECKING:
    ModelSerializer = serializers.ModelSerializer[Any]
    Serializer = serializers.Serializer[Any]
    _ReadOnly = viewsets.ReadOnlyModelViewSet[Any]
else:
    ModelSerializer = serializers.ModelSerializer
    Serializer = serializers.Serializer
    _ReadOnly = viewsets.ReadOnlyModelViewSet

STARTED_BY_HAND = (JobKind.AUDIT.value, JobKind.SCRUB.value)


class JobSerializer(ModelSerializer):
    """One job of this node."""

    class Meta:
        model = HealingJob
        fields = [
            "id",
            "kind",
            "state",
            "reason",
            "total_bodies",
            "total_bytes",
            "done_bodies",
            "done_bytes",
            "moved_bodies",
            "moved_bytes",
            "dropped_bodies",
            "dropped_bytes",
            "damaged_bodies",
            "rate_bytes_per_second",
            "last_error",
            "changed_by",
            "started_at",
            "finished_at",
        ]


class StartSerializer(Serializer):
    """Which job to begin."""

    kind = serializers.ChoiceField(choices=STARTED_BY_HAND, help_text="audit or scrub.")


class DamagedSerializer(ModelSerializer):
    """A body that was set aside."""

    class Meta:
        model = DamagedBody
        fields = [
            "id",
            "sha256",
            "path",
            "size_bytes",
            "reason",
            "is_needed",
            "found_at",
            "repaired_at",
        ]


class LoadSerializer(Serializer):
    """Bodies and their bytes."""

    bodies = serializers.IntegerField()
    size_bytes = serializers.IntegerField()


class HealingSerializer(Serializer):
    """How the bodies of this node do."""

    violations = serializers.ListField(child=serializers.CharField())
    withheld = serializers.CharField(help_text="Why failed members' shares are not rebuilt.")
    given_up = serializers.ListField(child=serializers.CharField())
    missing = LoadSerializer()
    lost = serializers.IntegerField(help_text="Missing bodies that no node that answered had.")
    suspects = serializers.IntegerField(help_text="Bodies that are to be read and compared.")
    damaged = serializers.IntegerField(help_text="Damaged bodies that have no good copy here yet.")
    counts = serializers.DictField(child=LoadSerializer())


class PlanQuerySerializer(Serializer):
    """Which change of the members to think of; none gives the present placement."""

    node = serializers.CharField(required=False, help_text="Name of a member.")
    leaving = serializers.BooleanField(default=False, help_text="As if it left.")
    weight = serializers.FloatField(
        required=False, min_value=0, max_value=999, help_text="As if it had this weight."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a change without a node, and a node without a change."""
        is_changed = attrs["leaving"] or "weight" in attrs
        if bool(attrs.get("node")) != is_changed:
            raise serializers.ValidationError(
                "Give a node with leaving=true or weight=..., or nothing for the present placement."
            )
        return attrs


class MoveSerializer(Serializer):
    """What would be copied from one member to another."""

    giver = serializers.CharField()
    taker = serializers.CharField()
    load = LoadSerializer()


class PlacementSerializer(Serializer):
    """What each member holds, would hold, and what would move."""

    before = serializers.DictField(child=LoadSerializer())
    after = serializers.DictField(child=LoadSerializer())
    moves = MoveSerializer(many=True)
    moved = LoadSerializer()
    violations = serializers.ListField(child=serializers.CharField())


class JobViewSet(mixins.CreateModelMixin, _ReadOnly):
    """Jobs that see to the bodies of this node, the newest first."""

    queryset = HealingJob.objects.all()
    serializer_class = JobSerializer
    pagination_class = NewestFirst
    filterset_fields = ["kind", "state"]

    @extend_schema(request=StartSerializer, responses={201: JobSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Begin a look at all bodies (`audit`), or a reading of all (`scrub`)."""
        form = StartSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        author = str(request.user.get_username())
        if form.validated_data["kind"] == JobKind.SCRUB:
            job = rounds.start_scrub("asked for", requested_by=author)
        else:
            job = rounds.start_walk(JobKind.AUDIT, "asked for", current(), requested_by=author)
        return Response(self.get_serializer(job).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Let a job rest; where it is, is kept."""
        return self._changed(jobs.pause)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Let a paused job go on."""
        return self._changed(jobs.resume)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """End a job where it is."""
        return self._changed(jobs.cancel)

    def _changed(self, change: Any) -> Response:
        job = self.get_object()
        change(job, author=str(self.request.user.get_username()))
        return Response(self.get_serializer(job).data)


class DamagedViewSet(_ReadOnly):
    """Bodies of this node that were not what their name says, the newest first."""

    queryset = DamagedBody.objects.all()
    serializer_class = DamagedSerializer
    pagination_class = NewestFirst
    filterset_fields = ["sha256", "is_needed"]


class HealingView(APIView):
    """How the bodies of this node do."""

    @extend_schema(responses=HealingSerializer, operation_id="cluster_healing")
    def get(self, request: Request) -> Response:
        """Return what is missing, damaged or cannot be placed as it should."""
        counts = {name: asdict(load) for name, load in report.counts().items()}
        return Response({**asdict(report.summary()), "counts": counts})


class PlacementView(APIView):
    """What a change of the members would move, before it is made."""

    @extend_schema(
        parameters=[PlanQuerySerializer],
        responses=PlacementSerializer,
        operation_id="cluster_placement",
    )
    def get(self, request: Request) -> Response:
        """Return the placement of bodies now, and after `node` left or had another weight."""
        query = PlanQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        found = report.preview(_plan(query.validated_data))
        moved = Load()
        for move in found.moves:
            moved = moved.plus(move.load)
        return Response({**asdict(found), "moved": asdict(moved)})


def _plan(wish: dict[str, Any]) -> Plan | None:
    if not wish.get("node"):
        return None
    return report.plan_with(wish["node"], weight=0.0 if wish["leaving"] else wish["weight"])
