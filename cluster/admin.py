"""Admin pages of the membership: facts to look at, and the two things that can be done."""

import functools
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from cluster import selectors, services
from cluster.core.node import Liveness
from cluster.models import LeaveRun, Node, NodeTransition, PeerView, RemovedNode
from cluster.services import views
from cluster.services.table import label
from rs3gw.common.admin import ReadOnlyModelAdmin, badge

HISTORY_ROWS = 20

if TYPE_CHECKING:
    _TabularInline = admin.TabularInline[NodeTransition, Node]
else:
    _TabularInline = admin.TabularInline

TONES = {
    "starting": "info",
    "joining": "info",
    "active": "ok",
    "leaving": "warn",
    "suspect": "warn",
    "failed": "bad",
    "left": "off",
}


def state_badge_of(word: str) -> SafeString:
    """Return the badge of a word of the history."""
    return badge(word.capitalize() or "Unknown", TONES.get(word, "off"))


class TransitionInline(_TabularInline):
    model = NodeTransition
    fields = ["created_at", "from_state", "to_state", "reason", "incarnation"]
    readonly_fields = ["from_state", "to_state"]
    extra = 0
    max_num = 0
    can_delete = False
    verbose_name_plural = "history"

    @admin.display(description="from")
    def from_state(self, row: NodeTransition) -> SafeString:
        return state_badge_of(row.old)

    @admin.display(description="to")
    def to_state(self, row: NodeTransition) -> SafeString:
        return state_badge_of(row.new)

    def get_queryset(self, request: HttpRequest) -> QuerySet[NodeTransition]:
        newest = NodeTransition.objects.order_by("-id")
        match = request.resolver_match
        shown = str(match.kwargs.get("object_id", "")) if match else ""
        if not shown.isdigit():
            return newest.none()
        ids = newest.filter(node_id=int(shown)).values_list("pk", flat=True)[:HISTORY_ROWS]
        return newest.filter(pk__in=list(ids))


@admin.register(Node)
class NodeAdmin(ReadOnlyModelAdmin):
    list_display = [
        "node_id",
        "shown_state",
        "is_member",
        "region",
        "address",
        "version",
        "last_seen",
        "is_self",
    ]
    list_filter = ["state", "liveness", "region"]
    search_fields = ["node_id", "address"]
    actions = ["leave_cluster", "remove_failed"]
    inlines = [TransitionInline]
    fields = [
        "node_id",
        "shown_state",
        "is_member",
        "is_self",
        "region",
        "address",
        "s3_link",
        "admin_link",
        "version",
        "metadata",
        "last_seen",
        "held_until",
        "state_changed_at",
        "incarnation",
        "actor",
    ]

    @admin.display(description="state", ordering="state")
    def shown_state(self, row: Node) -> SafeString:
        return state_badge_of(label(row))

    @admin.display(description="S3 endpoint")
    def s3_link(self, row: Node) -> SafeString:
        return _link(row.s3_url)

    @admin.display(description="admin")
    def admin_link(self, row: Node) -> SafeString:
        return _link(row.admin_url)

    def has_steer_permission(self, request: HttpRequest) -> bool:
        user = request.user
        return user.is_active and user.has_perm("cluster.change_node")

    @admin.action(description="Let this node leave the cluster", permissions=["steer"])
    def leave_cluster(self, request: HttpRequest, queryset: QuerySet[Node]) -> None:
        rows = list(queryset)
        if len(rows) != 1 or not rows[0].is_self:
            here = Node.objects.filter(is_self=True).first()
            self.message_user(
                request,
                f"Choose only {here}, the node you are on. Any other node leaves on its own admin.",
                messages.ERROR,
            )
            return
        name = request.user.get_username()
        done = "This node leaves; the page Leaves shows how far it is."
        self._do(request, lambda: services.request_leave(name), done)

    @admin.action(description="Remove failed nodes for good", permissions=["steer"])
    def remove_failed(self, request: HttpRequest, queryset: QuerySet[Node]) -> None:
        for row in queryset:
            node_id = row.node_id
            name = request.user.get_username()
            act = functools.partial(services.remove, node_id, removed_by=name)
            self._do(request, act, f"{node_id} was removed.")

    def _do(self, request: HttpRequest, act: Any, done: str) -> None:
        try:
            act()
        except services.ClusterConflict as error:
            self.message_user(request, error.message, messages.ERROR)
        else:
            self.message_user(request, done)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Say on top why this node takes no writes, when that is so."""
        reason = selectors.closed_because()
        if reason and request.method == "GET":
            self.message_user(request, reason, messages.WARNING)
        return super().changelist_view(request, extra_context)


@admin.register(PeerView)
class PeerViewAdmin(ReadOnlyModelAdmin):
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show who sees whom as a table."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        names, found = views.matrix()
        known = {(row.observer, row.node_id): row for row in found}
        rows = [(a, [_view_of(a, b, known.get((a, b))) for b in names]) for a in names]
        context = {
            **self.admin_site.each_context(request),
            "title": "Who sees whom",
            "opts": self.opts,
            "names": names,
            "rows": rows if len(names) > 1 else [],
            "one_way": views.asymmetric(found),
        }
        return TemplateResponse(request, "cluster/matrix.html", context)


def _view_of(observer: str, node_id: str, row: PeerView | None) -> SafeString | str:
    if observer == node_id:
        return "–"
    if row is None:
        return badge("Not told", "off")
    if row.liveness == Liveness.ALIVE and not row.reaches:
        return badge("Heard, not reached", "warn")
    shown = badge(row.get_liveness_display(), TONES.get(row.liveness, "ok"))
    return format_html("{} {} ms", shown, row.rtt_ms) if row.reaches else shown


LEAVE_TONES = {"done": "off", "failed": "bad", "cancelled": "warn"}


@admin.register(LeaveRun)
class LeaveRunAdmin(ReadOnlyModelAdmin):
    list_display = ["created_at", "shown_state", "step", "progress", "rate", "requested_by"]
    fields = [
        "shown_state",
        "step",
        "progress",
        "rate",
        "error",
        "told",
        "requested_by",
        "created_at",
        "updated_at",
        "finished_at",
    ]
    actions = ["cancel"]

    @admin.display(description="state", ordering="state")
    def shown_state(self, row: LeaveRun) -> SafeString:
        return badge(row.get_state_display(), LEAVE_TONES.get(row.state, "info"))

    @admin.display(description="progress")
    def progress(self, row: LeaveRun) -> str:
        return f"{row.done} of {row.total}"

    @admin.display(description="per second")
    def rate(self, row: LeaveRun) -> str:
        return f"{row.rate_per_second:.0f}"

    def has_steer_permission(self, request: HttpRequest) -> bool:
        user = request.user
        return user.is_active and user.has_perm("cluster.change_node")

    @admin.action(description="Call the leave off", permissions=["steer"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[LeaveRun]) -> None:
        try:
            is_open = services.cancel_leave()
        except services.ClusterConflict as error:
            self.message_user(request, error.message, messages.ERROR)
            return
        if is_open:
            self.message_user(request, "The leave is called off; the node goes back to work.")
        else:
            self.message_user(request, "No leave is under way.", messages.WARNING)


@admin.register(RemovedNode)
class RemovedNodeAdmin(ReadOnlyModelAdmin):
    list_display = ["epoch", "node_id", "actor", "removed_by", "removed_at"]
    search_fields = ["node_id", "removed_by"]
    fields = ["epoch", "node_id", "actor", "removed_by", "removed_at"]


@admin.register(NodeTransition)
class NodeTransitionAdmin(ReadOnlyModelAdmin):
    list_display = ["created_at", "node", "from_state", "to_state", "reason"]
    list_filter = ["new", "created_at"]
    search_fields = ["node__node_id", "reason"]
    list_select_related = ["node"]
    fields = ["created_at", "node", "from_state", "to_state", "reason", "incarnation"]

    @admin.display(description="from", ordering="old")
    def from_state(self, row: NodeTransition) -> SafeString:
        return state_badge_of(row.old)

    @admin.display(description="to", ordering="new")
    def to_state(self, row: NodeTransition) -> SafeString:
        return state_badge_of(row.new)


def _link(url: str) -> SafeString:
    if not url.startswith(("http://", "https://")):
        return format_html("{}", url or "–")
    return format_html('<a href="{}" rel="noreferrer">{}</a>', url, url)
