"""Jobs that heal bodies, and bodies that were damaged, in the admin."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from replication.errors import ControlError
from replication.healing import jobs, report
from replication.models import DamagedBody, HealingItem, HealingJob, ItemKind, JobState
from rs3gw.common.admin import ReadOnlyModelAdmin, badge, long_text, state_badge
from rs3gw.common.units import format_bytes, format_rate

JOB_TONES = {
    JobState.RUNNING: "info",
    JobState.PAUSED: "warn",
    JobState.CANCELLED: "off",
    JobState.DONE: "ok",
}


@admin.register(HealingJob)
class HealingJobAdmin(ReadOnlyModelAdmin):
    list_title = "healing of bodies"
    list_display = [
        "kind",
        "status",
        "progress",
        "moved",
        "dropped",
        "damaged_bodies",
        "rate",
        "why",
        "problem",
        "started_at",
    ]
    list_filter = ["kind", "state"]
    ordering = ["-pk"]
    actions = ["pause", "resume", "cancel"]
    fields = [
        "kind",
        "status",
        "progress",
        "looked_at",
        "moved",
        "dropped",
        "damaged_bodies",
        "rate",
        "reason",
        "last_error",
        "changed_by",
        "started_at",
        "finished_at",
    ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Say above the list what placement cannot keep now."""
        found = report.summary()
        for text in (*found.violations, found.withheld):
            if text:
                messages.warning(request, text)
        return super().changelist_view(request, extra_context)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("replication.change_healingjob")

    @admin.display(description="State", ordering="state")
    def status(self, job: HealingJob) -> SafeString:
        if job.state == JobState.DONE and job.last_error:
            return badge("Done in part", "warn")
        return state_badge(job, "state", JOB_TONES)

    @admin.display(description="Progress")
    def progress(self, job: HealingJob) -> SafeString:
        total = max(1, job.total_bodies)
        is_over = job.state == JobState.DONE
        share = 100 if is_over else min(100, 100 * job.done_bodies // total)
        return format_html(
            '<progress max="100" value="{}" aria-label="{} %"></progress> {} %', share, share, share
        )

    @admin.display(description="Looked at")
    def looked_at(self, job: HealingJob) -> str:
        return (
            f"{job.done_bodies:,} of {job.total_bodies:,} bodies, "
            f"{format_bytes(job.done_bytes)} of {format_bytes(job.total_bytes)}"
        )

    @admin.display(description="Fetched or sent")
    def moved(self, job: HealingJob) -> str:
        return _load(job.moved_bodies, job.moved_bytes)

    @admin.display(description="Dropped here")
    def dropped(self, job: HealingJob) -> str:
        return _load(job.dropped_bodies, job.dropped_bytes)

    @admin.display(description="Rate")
    def rate(self, job: HealingJob) -> str:
        return format_rate(job.rate_bytes_per_second) if job.rate_bytes_per_second else "–"

    @admin.display(description="Reason")
    def why(self, job: HealingJob) -> SafeString | str:
        return long_text(job.reason)

    @admin.display(description="Last problem")
    def problem(self, job: HealingJob) -> SafeString | str:
        return long_text(job.last_error)

    @admin.action(description="Pause", permissions=["operate"])
    def pause(self, request: HttpRequest, queryset: QuerySet[HealingJob]) -> None:
        _change_all(request, queryset, jobs.pause, "paused")

    @admin.action(description="Resume", permissions=["operate"])
    def resume(self, request: HttpRequest, queryset: QuerySet[HealingJob]) -> None:
        _change_all(request, queryset, jobs.resume, "resumed")

    @admin.action(description="Cancel", permissions=["operate"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[HealingJob]) -> None:
        _change_all(request, queryset, jobs.cancel, "cancelled")


def _change_all(
    request: HttpRequest,
    queryset: QuerySet[HealingJob],
    change: Callable[..., None],
    done: str,
) -> None:
    count = 0
    for job in queryset:
        try:
            change(job, author=request.user.get_username())
            count += 1
        except ControlError as error:
            messages.error(request, f"{job}: {error.message}")
    if count:
        messages.success(request, f"{count} {done}.")


def _load(bodies: int, size_bytes: int) -> str:
    return f"{bodies:,} ({format_bytes(size_bytes)})" if bodies else "–"


@admin.register(HealingItem)
class HealingItemAdmin(ReadOnlyModelAdmin):
    list_display = ["sha256", "what", "size", "live_copies", "attempts", "problem", "created_at"]
    list_filter = ["kind"]
    search_fields = ["=sha256"]
    search_help_text = "A whole hash"

    @admin.display(description="To be done")
    def what(self, item: HealingItem) -> SafeString:
        tone = "info" if item.kind == ItemKind.CHECK else "warn"
        return badge(item.get_kind_display(), tone)

    @admin.display(description="Size", ordering="size_bytes")
    def size(self, item: HealingItem) -> str:
        return format_bytes(item.size_bytes)

    @admin.display(description="Last problem")
    def problem(self, item: HealingItem) -> SafeString | str:
        return long_text(item.last_error)


@admin.register(DamagedBody)
class DamagedBodyAdmin(ReadOnlyModelAdmin):
    list_display = ["sha256", "status", "reason", "size", "path", "found_at", "repaired_at"]
    list_filter = ["is_needed"]
    search_fields = ["=sha256"]
    search_help_text = "A whole hash"
    ordering = ["-pk"]
    fields = ["sha256", "status", "reason", "size", "path", "found_at", "repaired_at"]

    @admin.display(description="State")
    def status(self, body: DamagedBody) -> SafeString:
        if body.repaired_at is not None:
            return badge("Repaired", "ok")
        return badge("No good copy yet", "bad") if body.is_needed else badge("Not needed", "off")

    @admin.display(description="Size", ordering="size_bytes")
    def size(self, body: DamagedBody) -> str:
        return format_bytes(body.size_bytes)
