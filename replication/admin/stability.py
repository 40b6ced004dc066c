"""Evictions and the objects in quarantine in the admin."""

from collections.abc import Callable

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from replication import services
from replication.models import Eviction, QuarantinedVersion, QuarantineOutcome
from rs3gw.common.admin import ReadOnlyModelAdmin, badge, long_text, state_badge
from rs3gw.common.errors import Rs3gwError
from rs3gw.common.units import format_bytes

QUARANTINE_TONES = {
    QuarantineOutcome.OPEN: "warn",
    QuarantineOutcome.ACCEPTED: "ok",
    QuarantineOutcome.DISCARDED: "off",
}


@admin.register(Eviction)
class EvictionAdmin(ReadOnlyModelAdmin):
    list_display = ["node_id", "status", "reason", "decided_by", "evicted_at", "ended_at"]
    list_filter = ["node_id"]
    search_fields = ["node_id", "reason"]
    search_help_text = "Search by node or reason"
    ordering = ["-pk"]
    fields = ["node_id", "status", "reason", "decided_by", "evicted_at", "ended_at", "outcome"]

    @admin.display(description="State", ordering="ended_at")
    def status(self, row: Eviction) -> SafeString:
        return badge("Back", "ok") if row.ended_at else badge("Has to join again", "warn")


@admin.register(QuarantinedVersion)
class QuarantinedVersionAdmin(ReadOnlyModelAdmin):
    list_display = ["bucket", "short_key", "status", "size", "reason", "created_at", "decided_by"]
    list_display_links = ["short_key"]
    list_filter = ["outcome"]
    search_fields = ["key", "=bucket"]
    search_help_text = "Search by key, or by a whole bucket name"
    ordering = ["-pk"]
    actions = ["accept", "discard"]
    fields = [
        "bucket",
        "key",
        "version_id",
        "status",
        "size",
        "reason",
        "created_at",
        "decided_by",
        "decided_at",
    ]

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("replication.change_quarantinedversion")

    @admin.display(description="Key", ordering="key")
    def short_key(self, row: QuarantinedVersion) -> SafeString | str:
        return long_text(row.key, 120)

    @admin.display(description="Size", ordering="size_bytes")
    def size(self, row: QuarantinedVersion) -> str:
        return format_bytes(row.size_bytes)

    @admin.display(description="State", ordering="outcome")
    def status(self, row: QuarantinedVersion) -> SafeString:
        return state_badge(row, "outcome", QUARANTINE_TONES)

    @admin.action(description="Write again", permissions=["operate"])
    def accept(self, request: HttpRequest, queryset: QuerySet[QuarantinedVersion]) -> None:
        _decide(request, queryset, services.accept_quarantined, "written again")

    @admin.action(description="Discard", permissions=["operate"])
    def discard(self, request: HttpRequest, queryset: QuerySet[QuarantinedVersion]) -> None:
        _decide(request, queryset, services.discard_quarantined, "discarded")


def _decide(
    request: HttpRequest,
    queryset: QuerySet[QuarantinedVersion],
    decide: Callable[..., None],
    done_text: str,
) -> None:
    done = 0
    for row in queryset:
        try:
            decide(row, author=request.user.get_username())
            done += 1
        except Rs3gwError as error:
            messages.error(request, error.message)
    messages.success(request, f"{done} {done_text}.")
