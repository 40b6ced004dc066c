"""`/api/cluster/links`: which peers are sent to, and the way to force a link."""

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from replication import link_rows, services
from replication.core.circuit_breaker import BreakerState
from replication.models import LinkTraffic, PeerLink
from replication.services.links import FORCE_SECONDS_DEFAULT, FORCE_SECONDS_MAX
from rs3gw.common import clock

if TYPE_CHECKING:
    ModelSerializer = serializers.ModelSerializer[Any]
    Serializer = serializers.Serializer[Any]
else:
    ModelSerializer = serializers.ModelSerializer
    Serializer = serializers.Serializer


class LinkSerializer(ModelSerializer):
    """The breaker of one destination and one kind of traffic."""

    # As words, not as choices: the same words have other meanings elsewhere in the description.
    kind = serializers.CharField(help_text="member or region.")
    traffic = serializers.CharField(help_text="data: what is copied; control: confirmations.")
    state = serializers.CharField(help_text="closed, open or half_open.")
    force = serializers.CharField(help_text="open or closed; empty when nothing is forced.")
    effective_state = serializers.SerializerMethodField(
        help_text="The state, or what an operator forces now."
    )

    class Meta:
        model = PeerLink
        fields = [
            "kind",
            "destination",
            "traffic",
            "state",
            "effective_state",
            "since",
            "cause",
            "reason",
            "openings",
            "probed_at",
            "probe_at",
            "force",
            "force_until",
            "force_by",
        ]

    def get_effective_state(self, link: PeerLink) -> str:
        """Return what goes for the link now."""
        return link_rows.breaker_of(link).effective_state(clock.now()).value


class LinksSerializer(Serializer):
    """All links of this node."""

    links = LinkSerializer(many=True)


class ForceSerializer(Serializer):
    """What a link is to be."""

    kind = serializers.CharField(default="member", help_text="member or region.")
    destination = serializers.CharField(max_length=63)
    traffic = serializers.ChoiceField(choices=LinkTraffic.choices, default="data")
    wish = serializers.ChoiceField(
        choices=["open", "closed", "free", "probe"],
        help_text="open: send nothing; closed: send whatever happens; free: stop forcing; "
        "probe: probe it now.",
    )
    seconds = serializers.FloatField(
        default=FORCE_SECONDS_DEFAULT,
        min_value=0.1,
        max_value=FORCE_SECONDS_MAX,
        help_text="How long it is held open or closed.",
    )


class LinksView(APIView):
    """The links of the answering node."""

    @extend_schema(operation_id="cluster_links_list", responses=LinksSerializer)
    def get(self, request: Request) -> Response:
        """Return every link with its state, why, since when, and the next probe."""
        return Response({"links": LinkSerializer(PeerLink.objects.all(), many=True).data})

    @extend_schema(
        operation_id="cluster_links_force", request=ForceSerializer, responses=LinkSerializer
    )
    def post(self, request: Request) -> Response:
        """Force a link open or closed for a while, free it, or probe it now."""
        form = ForceSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        named = {name: given[name] for name in ("kind", "destination", "traffic")}
        link = PeerLink.objects.filter(**named).first()
        if link is None:
            raise NotFound("No such link; GET this address for those there are.")
        if given["wish"] == "probe":
            services.probe_link(link)
        elif given["wish"] == "free":
            services.free_link(link)
        else:
            services.force_link(
                link,
                is_open=given["wish"] == BreakerState.OPEN,
                seconds=given["seconds"],
                author=request.user.get_username(),
            )
        link.refresh_from_db()
        return Response(LinkSerializer(link).data)
