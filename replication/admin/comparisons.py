"""Comparisons of this node's index with other nodes' in the admin."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from replication.anti_entropy import runs
from replication.models import Comparison, ComparisonState
from rs3gw.common.admin import ReadOnlyModelAdmin, badge, long_text


@admin.register(Comparison)
class ComparisonAdmin(ReadOnlyModelAdmin):
    list_title = "Comparisons with other nodes"
    list_display = [
        "created_at",
        "peer",
        "outcome",
        "progress",
        "keys_differing",
        "keys_repaired",
        "why",
        "asked_by",
    ]
    list_filter = ["state", "peer", "is_dry_run"]
    ordering = ["-pk"]
    actions = ["cancel"]
    fields = [
        "peer",
        "bucket",
        "outcome",
        "progress",
        "is_dry_run",
        "asked_by",
        "created_at",
        "started_at",
        "ended_at",
        "is_control_equal",
        "keys_differing",
        "keys_in_flight",
        "keys_repaired",
        "keys_left",
        "why",
        "some_keys",
        "error",
    ]

    def has_steer_permission(self, request: HttpRequest) -> bool:
        user = request.user
        return user.is_active and user.has_perm("replication.change_comparison")

    @admin.display(description="outcome", ordering="state")
    def outcome(self, run: Comparison) -> SafeString:
        if run.state == ComparisonState.FAILED:
            return badge("Failed", "bad")
        if run.state != ComparisonState.DONE:
            return badge(run.get_state_display(), "info")
        if run.is_equal:
            return badge("Equal", "ok")
        is_repaired = run.is_control_equal and run.keys_repaired == run.keys_differing
        return badge("Repaired", "warn") if is_repaired else badge("Different", "bad")

    @admin.display(description="progress")
    def progress(self, run: Comparison) -> SafeString:
        if run.state != ComparisonState.RUNNING or not run.total:
            return format_html("{} buckets", run.total)
        return format_html(
            '<progress max="{}" value="{}"></progress> {} of {} buckets',
            run.total,
            run.done,
            run.done,
            run.total,
        )

    @admin.display(description="causes")
    def why(self, run: Comparison) -> SafeString | str:
        causes = [f"{cause} {count}" for cause, count in sorted(run.causes.items())]
        control = [] if run.is_control_equal else ["registers or buckets differ"]
        return long_text(run.error or ", ".join([*control, *causes]))

    @admin.display(description="some of the keys")
    def some_keys(self, run: Comparison) -> SafeString | str:
        rows = [(said["bucket"], said["key"], said["cause"]) for said in run.sample]
        return format_html_join("", "<div>{}/{}: {}</div>", rows) or "–"

    @admin.action(description="Cancel", permissions=["steer"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Comparison]) -> None:
        for run in queryset.filter(state__in=runs.OPEN_STATES):
            runs.cancel(run)
        self.message_user(request, "They end before their next bucket.", messages.SUCCESS)
