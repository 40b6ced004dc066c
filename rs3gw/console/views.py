"""Health answers and the metrics page."""

import hmac
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import Error as DatabaseError
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from cluster import selectors as cluster
from cluster.core.node import NodeState
from rs3gw.common import stopping
from rs3gw.common.identity import IdentityError
from rs3gw.console import metrics

SCRAPER = "metrics-token"


@never_cache
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """Return 200 while this process answers."""
    return HttpResponse("ok", content_type="text/plain")


@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Return 200 when clients may be sent here, else 503 and the reason in a word."""
    reason = _why_not_ready()
    status = 503 if reason else 200
    return HttpResponse(reason or "ok", status=status, content_type="text/plain")


def _why_not_ready() -> str:
    if stopping.is_stopping():
        return "stopping"
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        state, removal = cluster.self_info().state, cluster.own_removal()
    except DatabaseError:
        return "database"
    except IdentityError:
        return "not initialised"
    if removal is not None:
        return "removed"
    return "" if state == NodeState.ACTIVE else state.value


class MetricsToken(BaseAuthentication):
    """The token of RS3GW_METRICS_TOKEN, as `Authorization: Bearer`, for a scraper."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, str] | None:
        """Return the scraper, or None when the request does not carry the token."""
        kind, _, given = get_authorization_header(request).partition(b" ")
        wanted = settings.RS3GW_METRICS_TOKEN.encode()
        is_right = kind.lower() == b"bearer" and hmac.compare_digest(given.strip(), wanted)
        return (AnonymousUser(), SCRAPER) if wanted and is_right else None

    def authenticate_header(self, request: Request) -> str:
        """Return what a scraper without credentials is asked for."""
        return 'Bearer realm="metrics"'


class IsScraperOrStaff(BasePermission):
    """The holder of the metrics token, or a staff user."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the request may read the metrics."""
        return request.auth == SCRAPER or bool(request.user and request.user.is_staff)


class MetricsView(APIView):
    """The metrics page of this node."""

    authentication_classes = (MetricsToken, *APIView.authentication_classes)
    permission_classes = (IsScraperOrStaff,)
    schema = None

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Take any Accept header: there is one form of this page."""
        return super().perform_content_negotiation(request, force=True)

    def get(self, request: Request) -> HttpResponse:
        """Return the page in the text format of Prometheus."""
        return HttpResponse(metrics.page(), content_type=metrics.CONTENT_TYPE)
