"""Peer links in the admin: who is left alone, why, since when, and what can be done."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from replication import link_rows, services
from replication.core.circuit_breaker import BreakerState, Outcome
from replication.models import LinkState, PeerLink
from rs3gw.common import clock
from rs3gw.common.admin import ReadOnlyModelAdmin, badge, long_text, state_badge

MINUTES_MAX = 7 * 24 * 60
MINUTES_DIGITS = 5
TONES = {LinkState.CLOSED: "ok", LinkState.HALF_OPEN: "warn", LinkState.OPEN: "bad"}
CAUSES = {
    Outcome.UNREACHABLE: "It does not answer",
    Outcome.FAILED: "It answers with errors",
    Outcome.CONFIG_ERROR: "It refuses this node: check secrets and pairing keys",
    Outcome.PEER_FULL: "It has no room left",
    Outcome.UNTRUSTED: "It does not count this node as a member",
}


class ForceForm(ActionForm):
    """The actions on links, with room for how long a forced state holds."""

    # Checked by the action: Django says of a form it refuses that no action was chosen.
    minutes = forms.CharField(required=False, initial="60", label="Minutes, to force:")


@admin.register(PeerLink)
class PeerLinkAdmin(ReadOnlyModelAdmin):
    list_display = ["destination", "status", "traffic", "why", "since", "next_probe", "forced"]
    list_filter = ["kind", "traffic", "state"]
    search_fields = ["destination"]
    search_help_text = "Search by node or region"
    action_form = ForceForm
    actions = ["probe_now", "force_open", "force_closed", "free"]
    fields = [
        "destination",
        "kind",
        "traffic",
        "status",
        "why",
        "reason",
        "since",
        "openings",
        "probed_at",
        "next_probe",
        "forced",
    ]

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("replication.change_peerlink")

    @admin.display(description="State", ordering="state")
    def status(self, link: PeerLink) -> SafeString:
        wanted = link_rows.breaker_of(link).forced(clock.now())
        if wanted is not None:
            return badge("Held open" if wanted is BreakerState.OPEN else "Held closed", "info")
        return state_badge(link, "state", TONES)

    @admin.display(description="Why")
    def why(self, link: PeerLink) -> SafeString | str:
        cause = CAUSES.get(Outcome(link.cause), "") if link.cause else ""
        return long_text(": ".join(part for part in (cause, link.reason) if part))

    @admin.display(description="Next probe")
    def next_probe(self, link: PeerLink) -> Any:
        return link.probe_at if link.state != LinkState.CLOSED else None

    @admin.display(description="Forced")
    def forced(self, link: PeerLink) -> str:
        if link_rows.breaker_of(link).forced(clock.now()) is None:
            return "–"
        assert link.force_until is not None
        return f"until {link.force_until:%Y-%m-%d %H:%M} UTC by {link.force_by}"

    @admin.action(description="Probe now", permissions=["operate"])
    def probe_now(self, request: HttpRequest, queryset: QuerySet[PeerLink]) -> None:
        for link in queryset:
            services.probe_link(link)
        messages.success(request, f"{len(queryset)} to be probed now.")

    @admin.action(description="Force open: send nothing", permissions=["operate"])
    def force_open(self, request: HttpRequest, queryset: QuerySet[PeerLink]) -> None:
        self._force(request, queryset, is_open=True)

    @admin.action(description="Force closed: send whatever happens", permissions=["operate"])
    def force_closed(self, request: HttpRequest, queryset: QuerySet[PeerLink]) -> None:
        self._force(request, queryset, is_open=False)

    @admin.action(description="Stop forcing", permissions=["operate"])
    def free(self, request: HttpRequest, queryset: QuerySet[PeerLink]) -> None:
        for link in queryset:
            services.free_link(link)
        messages.success(request, f"{len(queryset)} left to themselves again.")

    def _force(self, request: HttpRequest, queryset: QuerySet[PeerLink], *, is_open: bool) -> None:
        text = request.POST.get("minutes", "").strip() or "60"
        minutes = int(text) if text.isdecimal() and len(text) <= MINUTES_DIGITS else 0
        if not 0 < minutes <= MINUTES_MAX:
            messages.error(request, f"Give 1 to {MINUTES_MAX} minutes.")
            return
        author = request.user.get_username()
        for link in queryset:
            services.force_link(link, is_open=is_open, seconds=minutes * 60, author=author)
        word = "open" if is_open else "closed"
        messages.success(request, f"{len(queryset)} held {word} for {minutes} minutes.")
