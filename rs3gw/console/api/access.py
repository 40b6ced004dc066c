"""Who may use the REST API: tokens, and the pages that describe it."""

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth import authenticate
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework import exceptions, serializers
from rest_framework.authtoken.models import Token
from rest_framework.permissions import AllowAny, IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import AnonRateThrottle
from rest_framework.views import APIView

from rs3gw.console.api.cluster import Serializer


class LoginThrottle(AnonRateThrottle):
    """Slows down who guesses passwords; counted per process."""

    rate = "20/min"


class CredentialsSerializer(Serializer):
    """Name and password of a staff user."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=4096, trim_whitespace=False, write_only=True)


class TokenSerializer(Serializer):
    """A token for the Authorization header: `Token <token>`."""

    token = serializers.CharField()


class TokenView(APIView):
    """Tokens for programs."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (LoginThrottle,)

    @extend_schema(
        request=CredentialsSerializer, responses=TokenSerializer, operation_id="token_create"
    )
    def post(self, request: Request) -> Response:
        """Exchange a staff user's name and password for a token."""
        form = CredentialsSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        user = authenticate(request._request, **form.validated_data)
        if user is None or not user.is_staff:
            raise exceptions.AuthenticationFailed(
                "Name and password do not belong to a staff user of this node."
            )
        token, _ = Token.objects.get_or_create(user=user)
        return Response({"token": token.key})


class SchemaView(SpectacularAPIView):
    """The OpenAPI description of this API."""

    permission_classes = (IsAdminUser,)


class DocsView(SpectacularSwaggerSplitView):
    """The description as a page, to read and to try; for people, so it asks for the login page."""

    permission_classes = (AllowAny,)
    # Its own template has a style element, which our policy forbids.
    template_name = "console/api_docs.html"


docs = staff_member_required(DocsView.as_view(url_name="api-schema"), login_url="admin:login")
