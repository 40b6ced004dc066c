"""Lanes, events and deliveries in the admin: where each change is and why."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from replication import selectors, services
from replication.models import (
    Delivery,
    DeliveryState,
    Lane,
    LaneState,
    ReplicationEventRecord,
)
from rs3gw.common import clock
from rs3gw.common.admin import ReadOnlyModelAdmin, badge, long_text, state_badge, table
from rs3gw.common.errors import Rs3gwError
from rs3gw.common.hlc import physical_ms
from rs3gw.common.units import format_bytes, format_duration, format_rate

LANE_TONES = {LaneState.RUNNING: "ok", LaneState.PAUSED: "info", LaneState.HELD: "warn"}
LANE_TONES[LaneState.RESYNC] = "bad"
DELIVERY_TONES = {
    DeliveryState.RETRY: "warn",
    DeliveryState.PARKED: "bad",
    DeliveryState.DONE: "ok",
    DeliveryState.SKIPPED: "off",
}


def _look_up(lanes: Iterable[Any]) -> None:
    """Give each lane row what waits for it, by one look at the log for all of them."""
    statuses = {status.lane.pk: status for status in selectors.lanes_overview()}
    for lane in lanes:
        lane.now = statuses.get(lane.pk)


@admin.register(Lane)
class LaneAdmin(ReadOnlyModelAdmin):
    list_display = [
        "destination",
        "status",
        "lag",
        "waiting",
        "aside",
        "rate",
        "problem",
        "last_success_at",
        "kind",
        "shard",
    ]
    list_display_links = ["destination"]
    list_filter = ["destination_kind", "state"]
    search_fields = ["destination"]
    search_help_text = "Search by node or region"
    actions = ["pause", "resume", "retry_now", "evict"]
    fields = [
        "destination",
        "destination_kind",
        "shard",
        "status",
        "lag",
        "waiting",
        "aside",
        "cursor",
        "rate",
        "peak",
        "events_delivered",
        "bytes_delivered",
        "last_success_at",
        "attempts",
        "next_attempt_at",
        "last_error",
        "last_error_at",
        "lease_until",
    ]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changes = super().get_changelist_instance(request)
        _look_up(changes.result_list)
        return changes

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        found = super().get_object(request, object_id, from_field)
        if found is not None:
            _look_up([found])
        return found

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("replication.change_lane")

    @admin.display(description="Kind", ordering="destination_kind")
    def kind(self, lane: Lane) -> str:
        return "member" if lane.destination_kind == "member" else "region"

    @admin.display(description="State", ordering="state")
    def status(self, lane: Lane) -> SafeString:
        if lane.state == LaneState.RUNNING and lane.attempts and lane.last_error:
            return badge("Failing", "bad")
        return state_badge(lane, "state", LANE_TONES)

    @admin.display(description="Lag")
    def lag(self, lane: Any) -> str:
        lag_seconds = lane.now.lag_seconds if lane.now else 0
        return format_duration(lag_seconds) if lag_seconds else "–"

    @admin.display(description="Waiting")
    def waiting(self, lane: Any) -> str:
        if not lane.now or not lane.now.pending:
            return "0"
        return f"{lane.now.pending:,} ({format_bytes(lane.now.pending_bytes)})"

    @admin.display(description="Retrying / parked")
    def aside(self, lane: Any) -> str:
        return f"{lane.now.retrying:,} / {lane.now.parked:,}" if lane.now else "0 / 0"

    @admin.display(description="Rate", ordering="rate_bytes_per_second")
    def rate(self, lane: Lane) -> str:
        return format_rate(lane.rate_bytes_per_second) if lane.rate_bytes_per_second else "–"

    @admin.display(description="Peak rate")
    def peak(self, lane: Lane) -> str:
        return format_rate(lane.peak_bytes_per_second)

    @admin.display(description="Last problem")
    def problem(self, lane: Lane) -> SafeString | str:
        return long_text(lane.last_error)

    @admin.action(description="Pause", permissions=["operate"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Lane]) -> None:
        for lane in queryset:
            services.pause_lane(lane)
        messages.success(request, f"{len(queryset)} paused; what waits is kept.")

    @admin.action(description="Resume", permissions=["operate"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Lane]) -> None:
        for lane in queryset:
            services.resume_lane(lane)
        messages.success(request, f"{len(queryset)} resumed.")

    @admin.action(description="Try now", permissions=["operate"])
    def retry_now(self, request: HttpRequest, queryset: QuerySet[Lane]) -> None:
        for lane in queryset:
            services.retry_lane(lane)
        messages.success(request, f"{len(queryset)} to be tried now.")

    @admin.action(description="Evict the member: it has to join again", permissions=["operate"])
    def evict(self, request: HttpRequest, queryset: QuerySet[Lane]) -> None:
        author = request.user.get_username()
        names = {lane.destination for lane in queryset if lane.destination_kind == "member"}
        for name in sorted(names):
            try:
                services.evict_member(name, reason="", author=author)
                messages.success(request, f"{name} is evicted; its lanes are gone.")
            except Rs3gwError as error:
                messages.error(request, error.message)


class SettleForm(ActionForm):
    """The actions on deliveries, with room for the reason of a skip."""

    reason = forms.CharField(required=False, max_length=200, label="Reason, when skipping:")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyModelAdmin):
    list_display = [
        "what",
        "destination",
        "status",
        "reason",
        "attempts",
        "next_attempt_at",
        "created_at",
    ]
    list_filter = ["state", "lane__destination"]
    list_select_related = ["lane", "event"]
    search_fields = ["event__key", "event__bucket", "reason"]
    search_help_text = "Search by key, bucket or reason"
    ordering = ["-pk"]
    action_form = SettleForm
    actions = ["retry", "skip"]
    fields = [
        "event_link",
        "destination",
        "status",
        "reason",
        "attempts",
        "next_attempt_at",
        "created_at",
        "settled_at",
    ]

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("replication.change_delivery")

    @admin.display(description="Change")
    def what(self, delivery: Delivery) -> str:
        return str(delivery.event)[:120]

    @admin.display(description="Change")
    def event_link(self, delivery: Delivery) -> SafeString:
        url = reverse("admin:replication_replicationeventrecord_change", args=[delivery.event_id])
        return format_html('<a href="{}">{}</a>', url, delivery.event)

    @admin.display(description="Reason")
    def why(self, delivery: Delivery) -> SafeString | str:
        return long_text(delivery.reason)

    @admin.display(description="To", ordering="lane__destination")
    def destination(self, delivery: Delivery) -> str:
        return delivery.lane.destination

    @admin.display(description="State", ordering="state")
    def status(self, delivery: Delivery) -> SafeString:
        return state_badge(delivery, "state", DELIVERY_TONES)

    @admin.action(description="Retry those that are parked", permissions=["operate"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        count = services.retry_parked(queryset)
        messages.success(request, f"{count} parked to be sent again.")

    @admin.action(description="Skip those that are parked", permissions=["operate"])
    def skip(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        words = request.POST.get("reason", "").strip() or "no reason given"
        count = services.skip_parked(queryset, reason=f"{request.user.get_username()}: {words}")
        messages.success(request, f"{count} skipped; the destination will not get them.")


@admin.register(ReplicationEventRecord)
class ReplicationEventRecordAdmin(ReadOnlyModelAdmin):
    list_display = ["created_at", "progress", "what", "bucket", "short_key", "size", "origin_node"]
    list_filter = ["kind", "origin_node"]
    search_fields = ["=key", "=bucket", "=event_id"]
    search_help_text = "A whole key, bucket or event id"
    ordering = ["-pk"]
    fields = [
        "what",
        "bucket",
        "key",
        "version_id",
        "size",
        "body_sha256",
        "origin_node",
        "origin_region",
        "created_at",
        "written_at",
        "event_id",
        "dot",
        "place",
        "journey",
        "payload",
    ]

    def get_queryset(self, request: HttpRequest) -> Any:
        beside = Delivery.objects.filter(event=OuterRef("pk"))
        ahead = Lane.objects.filter(shard=OuterRef("shard"), cursor__lt=OuterRef("position"))
        return (
            super()
            .get_queryset(request)
            .annotate(
                is_waiting=Exists(ahead),
                is_retrying=Exists(beside.filter(state=DeliveryState.RETRY)),
                is_parked=Exists(beside.filter(state=DeliveryState.PARKED)),
            )
        )

    @admin.display(description="Kind", ordering="kind")
    def what(self, event: ReplicationEventRecord) -> str:
        return event.kind.replace("_", " ").capitalize()

    @admin.display(description="Key", ordering="key")
    def short_key(self, event: ReplicationEventRecord) -> SafeString | str:
        return long_text(event.key, 120)

    @admin.display(description="Size", ordering="body_size_bytes")
    def size(self, event: ReplicationEventRecord) -> str:
        return format_bytes(event.body_size_bytes) if event.body_size_bytes else "–"

    @admin.display(description="State")
    def progress(self, event: Any) -> SafeString:
        if event.is_parked:
            return badge("Parked", "bad")
        if event.is_retrying:
            return badge("Retrying", "warn")
        return badge("Waiting", "info") if event.is_waiting else badge("Copied", "ok")

    @admin.display(description="Written, by the writer's clock")
    def written_at(self, event: ReplicationEventRecord) -> str:
        return f"{clock.from_ms(physical_ms(event.hlc)):%Y-%m-%d %H:%M:%S.%f} UTC"

    @admin.display(description="Dot")
    def dot(self, event: ReplicationEventRecord) -> str:
        return f"change {event.seq} of writer {event.actor}"

    @admin.display(description="Place in the log")
    def place(self, event: ReplicationEventRecord) -> str:
        return f"shard {event.shard}, position {event.position}"

    @admin.display(description="Where it is")
    def journey(self, event: ReplicationEventRecord) -> SafeString:
        settled = {row.lane_id: row for row in Delivery.objects.filter(event=event)}
        lanes = Lane.objects.filter(shard=event.shard)
        rows = [(lane.destination, *_stage(event, lane, settled.get(lane.pk))) for lane in lanes]
        return table(["To", "State", "Why"], rows, "No other node or region is to get it.")


def _stage(
    event: ReplicationEventRecord, lane: Lane, delivery: Delivery | None
) -> tuple[SafeString, str]:
    if delivery is not None:
        return state_badge(delivery, "state", DELIVERY_TONES), delivery.reason
    if lane.cursor >= event.position:
        return badge("Copied, or not meant for it", "ok"), ""
    return badge("Waiting", "info"), lane.last_error if lane.attempts else ""
