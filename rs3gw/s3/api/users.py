"""Accounts, users and their inline policies by REST."""

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from rs3gw.s3 import services
from rs3gw.s3.models import S3User

if TYPE_CHECKING:
    _Serializer = serializers.Serializer[Any]
else:
    _Serializer = serializers.Serializer

_POLICY_NAME = OpenApiParameter("name", str, OpenApiParameter.PATH, description="Its name.")


class S3UserSerializer(serializers.ModelSerializer[S3User]):
    """An account, or a user of one."""

    policies = serializers.SerializerMethodField(help_text="Names of the inline policies.")

    class Meta:
        model = S3User
        fields = [
            "user_id",
            "account_id",
            "display_name",
            "email",
            "is_enabled",
            "policies",
            "created_at",
        ]
        read_only_fields = fields

    def get_policies(self, user: S3User) -> list[str]:
        """Return the names of the inline policies."""
        return sorted(user.policies)


class NewS3UserSerializer(_Serializer):
    """What a new user can be given."""

    user_id = serializers.CharField(required=False, help_text="64 random digits when left out.")
    account_id = serializers.CharField(
        default="", allow_blank=True, help_text="The account it belongs to; blank makes one."
    )
    display_name = serializers.CharField(default="", allow_blank=True)
    email = serializers.CharField(default="", allow_blank=True)


class ChangeS3UserSerializer(_Serializer):
    """What can be changed of a user."""

    display_name = serializers.CharField(required=False, allow_blank=True)
    email = serializers.CharField(required=False, allow_blank=True)
    is_enabled = serializers.BooleanField(required=False)


class PolicyTextSerializer(_Serializer):
    """An inline policy to be stored, byte for byte."""

    policy = serializers.CharField(trim_whitespace=False, help_text="JSON of at most 20 KiB.")


class UserPolicySerializer(PolicyTextSerializer):
    """An inline policy of a user."""

    name = serializers.CharField()


class S3UserViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[S3User],
):
    """Who access keys belong to, on every node of the region."""

    queryset = S3User.objects.all()
    serializer_class = S3UserSerializer
    lookup_field = "user_id"
    lookup_value_regex = "[^/]+"
    filterset_fields = ["account_id", "email", "is_enabled"]

    @extend_schema(request=NewS3UserSerializer, responses={201: S3UserSerializer})
    def create(self, request: Request) -> Response:
        """Make an account, or a user of one."""
        form = NewS3UserSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        user = services.create_user(**form.validated_data, author=self._author())
        return Response(S3UserSerializer(user).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=ChangeS3UserSerializer, responses=S3UserSerializer)
    def partial_update(self, request: Request, user_id: str) -> Response:
        """Change the display name or e-mail address, disable or enable."""
        form = ChangeS3UserSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        user = self.get_object()
        changed = services.update_user(user, **form.validated_data, author=self._author())
        return Response(S3UserSerializer(changed).data)

    def perform_destroy(self, instance: S3User) -> None:
        """Remove a user that owns nothing, on every node."""
        services.delete_user(instance, author=self._author())

    @extend_schema(responses=UserPolicySerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def policies(self, request: Request, user_id: str) -> Response:
        """Return the inline policies of a user, by name."""
        found = sorted(self.get_object().policies.items())
        return Response([{"name": name, "policy": text} for name, text in found])

    @extend_schema(
        request=PolicyTextSerializer, responses=UserPolicySerializer, parameters=[_POLICY_NAME]
    )
    @action(detail=True, methods=["put"], url_path="policies/(?P<name>[^/]+)", url_name="policy")
    def policy(self, request: Request, user_id: str, name: str) -> Response:
        """Give a user an inline policy, or replace the one of this name."""
        form = PolicyTextSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        text = form.validated_data["policy"]
        services.put_user_policy(self.get_object(), name, text, author=self._author())
        return Response({"name": name, "policy": text})

    @extend_schema(request=None, responses={204: None}, parameters=[_POLICY_NAME])
    @policy.mapping.delete
    def delete_policy(self, request: Request, user_id: str, name: str) -> Response:
        """Take an inline policy away from a user."""
        services.delete_user_policy(self.get_object(), name, author=self._author())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _author(self) -> str:
        user: Any = self.request.user
        return str(user.get_username())
