"""The admin site: Django's own, with the overview as its first page.

Every page says on which node and in which region it was made, because an operator has the
admins of several nodes open side by side.
"""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from replication import services
from rs3gw.common import identity
from rs3gw.common.identity import IdentityError
from rs3gw.console import navigation, selectors

FRAGMENTS = ("verdict", "tiles", "hints", "links", "nodes", "parked")
LINK_ACTIONS = {
    "pause": (services.pause_lane, "Paused the link to {}."),
    "resume": (services.resume_lane, "Resumed the link to {}."),
    "retry": (services.retry_lane, "Trying the link to {} now."),
}
PARKED_MAX = 10_000


def node_name() -> str:
    """Return this node's name, "" before its first start."""
    try:
        return identity.load().node_id
    except IdentityError:
        return ""


class Rs3gwAdminSite(admin.AdminSite):
    """The admin of one node."""

    site_title = "rs3gw"
    site_header = "rs3gw"
    index_title = "Overview"
    index_template = "console/overview.html"
    enable_nav_sidebar = False
    site_url = None

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Add where we are: node, region, release and the left column."""
        context = super().each_context(request)
        context.update(
            node_name=node_name(),
            region_name=settings.RS3GW_REGION,
            release=settings.RS3GW_VERSION,
            navigation=navigation.groups(request.path) if context["has_permission"] else [],
        )
        return context

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Show the overview."""
        extra = {"overview": selectors.overview(), "fragments": FRAGMENTS}
        return super().index(request, {**extra, **(extra_context or {})})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Leave Django's own list of models to the pages that show one."""
        return super().get_app_list(request, app_label) if app_label else []

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Add the overview's own addresses."""
        own = [
            path("live/", self.admin_view(self.live), name="live"),
            path("links/<str:action>/", self.admin_view(self.change_link), name="link"),
            path("parked/<str:action>/", self.admin_view(self.settle_parked), name="parked"),
        ]
        return [*own, *super().get_urls()]

    @method_decorator([never_cache, require_GET])
    def live(self, request: HttpRequest) -> JsonResponse:
        """Return the overview's parts as they are now."""
        context = {"overview": selectors.overview()}
        parts = {
            name: render_to_string(f"console/_{name}.html", context, request=request)
            for name in FRAGMENTS
        }
        return JsonResponse({"fragments": parts})

    @method_decorator(require_POST)
    def change_link(self, request: HttpRequest, action: str) -> HttpResponse:
        """Pause, resume or retry all lanes of one link."""
        if not request.user.has_perm("replication.change_lane"):
            raise PermissionDenied
        kind, _, destination = request.POST.get("link", "").partition(":")
        lanes = selectors.lanes_of(kind, destination)
        if action not in LINK_ACTIONS or not lanes:
            messages.error(request, "There is no such link any more.")
        else:
            change, said = LINK_ACTIONS[action]
            for lane in lanes:
                change(lane)
            messages.success(request, said.format(destination))
        return HttpResponseRedirect(reverse("admin:index"))

    @method_decorator(require_POST)
    def settle_parked(self, request: HttpRequest, action: str) -> HttpResponse:
        """Send again, or give up, what is parked: one change, or all of them."""
        if not request.user.has_perm("replication.change_delivery"):
            raise PermissionDenied
        parked = selectors.parked_for(request.POST.get("delivery", ""), limit=PARKED_MAX)
        who = request.user.get_username()
        if action == "retry":
            count = services.retry_parked(parked)
            messages.success(request, f"{count} parked to be sent again.")
        elif action == "skip":
            count = services.skip_parked(parked, reason=f"Skipped by {who} on the overview")
            messages.success(request, f"{count} skipped.")
        else:
            messages.error(request, "There is no such action.")
        return HttpResponseRedirect(reverse("admin:index"))
