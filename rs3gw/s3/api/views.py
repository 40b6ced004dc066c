"""Access keys by REST. The secret is in the answer to a create and nowhere else."""

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from rs3gw.s3 import services
from rs3gw.s3.models import AccessKey

if TYPE_CHECKING:
    _Serializer = serializers.Serializer[Any]
else:
    _Serializer = serializers.Serializer


class AccessKeySerializer(serializers.ModelSerializer[AccessKey]):
    """An access key without its secret."""

    owner = serializers.CharField(max_length=64, required=False)
    is_enabled = serializers.BooleanField(required=False)

    class Meta:
        model = AccessKey
        fields = ["access_key_id", "name", "owner", "is_enabled", "created_at", "last_used_at"]
        read_only_fields = ["access_key_id", "created_at", "last_used_at"]


class NewAccessKeySerializer(_Serializer):
    """What a new access key can be given."""

    name = serializers.CharField(max_length=100, default="", allow_blank=True)
    owner = serializers.CharField(default="root", help_text="Id of the user it belongs to.")
    access_key_id = serializers.CharField(required=False, help_text="Random when left out.")
    secret_key = serializers.CharField(
        required=False, trim_whitespace=False, help_text="Random when left out."
    )


class CreatedAccessKeySerializer(AccessKeySerializer):
    """A key that was just made, with its secret."""

    secret_key = serializers.CharField(help_text="Shown once. It is kept sealed.")

    class Meta(AccessKeySerializer.Meta):
        fields = [*AccessKeySerializer.Meta.fields, "secret_key"]


class ChangeAccessKeySerializer(serializers.Serializer[AccessKey]):
    """What can be changed of a key."""

    is_enabled = serializers.BooleanField()


class AccessKeyViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[AccessKey],
):
    """S3 credentials, valid on every node of the region."""

    queryset = AccessKey.objects.all()
    serializer_class = AccessKeySerializer
    lookup_field = "access_key_id"
    lookup_value_regex = "[^/]+"
    filterset_fields = ["owner", "is_enabled"]

    @extend_schema(request=NewAccessKeySerializer, responses={201: CreatedAccessKeySerializer})
    def create(self, request: Request) -> Response:
        """Make a key, with a random id and secret unless they are given."""
        form = NewAccessKeySerializer(data=request.data)
        form.is_valid(raise_exception=True)
        key, secret = services.create_access_key(**form.validated_data, author=self._author())
        answer = {**AccessKeySerializer(key).data, "secret_key": secret}
        return Response(answer, status=status.HTTP_201_CREATED)

    @extend_schema(request=ChangeAccessKeySerializer, responses=AccessKeySerializer)
    def partial_update(self, request: Request, access_key_id: str) -> Response:
        """Disable a key, or enable it again."""
        form = ChangeAccessKeySerializer(data=request.data)
        form.is_valid(raise_exception=True)
        key = self.get_object()
        wanted = form.validated_data["is_enabled"]
        change = services.enable_access_key if wanted else services.disable_access_key
        change(key, author=self._author())
        key.refresh_from_db()
        return Response(AccessKeySerializer(key).data)

    def perform_destroy(self, instance: AccessKey) -> None:
        """Remove a key on every node."""
        services.delete_access_key(instance, author=self._author())

    def _author(self) -> str:
        user: Any = self.request.user
        return str(user.get_username())
