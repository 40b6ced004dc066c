"""`/api/buckets/<name>/backpressure`: what writers of one bucket feel of a backlog."""

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from replication import services

if TYPE_CHECKING:
    _Serializer = serializers.Serializer[Any]
else:
    _Serializer = serializers.Serializer


class BackpressureSerializer(_Serializer):
    """What the bucket says itself; what it leaves out is the cluster's."""

    policy = serializers.ChoiceField(choices=["none", "delay", "reject"], required=False)
    soft_age_seconds = serializers.FloatField(required=False)
    hard_age_seconds = serializers.FloatField(required=False)
    soft_events = serializers.IntegerField(required=False)
    hard_events = serializers.IntegerField(required=False)


class BackpressureMixin:
    """The backpressure of a bucket, beside its other actions."""

    @extend_schema(responses=BackpressureSerializer, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def backpressure(self: Any, request: Request, name: str) -> Response:
        """Return what the bucket says of backpressure; nothing when it follows the cluster."""
        return Response(services.get_backpressure(self.get_object()))

    @extend_schema(request=BackpressureSerializer, responses=BackpressureSerializer)
    @backpressure.mapping.put
    def put_backpressure(self: Any, request: Request, name: str) -> Response:
        """Say what writers of this bucket feel of a backlog."""
        bucket = self.get_object()
        author = request.user.get_username()
        return Response(services.put_backpressure(bucket, request.data, author=author))

    @extend_schema(request=None, responses={204: None})
    @backpressure.mapping.delete
    def delete_backpressure(self: Any, request: Request, name: str) -> Response:
        """Let the bucket follow the cluster again."""
        services.delete_bucket_setting(
            bucket=self.get_object(), name="backpressure", author=request.user.get_username()
        )
        return Response(status=204)
