"""Remote regions and the rules that lead to them, in the admin."""

import re
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from replication import services
from replication.core.filters import ReplicationFilter
from replication.models import BucketReplicationConfig, ReplicationRegion
from replication.services.control import PAIRING_KEY_BYTES, new_pairing_key
from rs3gw.common.admin import ServiceModelAdmin, badge, long_text, secret_page
from rs3gw.storage import selectors

_ENDPOINT = re.compile(r"(https?://)?(\[[0-9a-fA-F:.]+\]|[^\s:/,]+):\d{1,5}")


class EndpointsField(forms.CharField):
    """Cluster addresses, one a line."""

    widget = forms.Textarea(attrs={"rows": 4, "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        """Return the stored list as lines."""
        return "\n".join(value) if isinstance(value, list) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare lines with lines."""
        return super().has_changed(self.prepare_value(initial), data)

    def clean(self, value: Any) -> Any:
        """Return the lines as a list, each of them an address."""
        lines = str(super().clean(value)).split()
        for line in lines:
            if not _ENDPOINT.fullmatch(line):
                raise forms.ValidationError(
                    f"{line} is not an address. Write host:port or http://host:port, one a line."
                )
        return lines


class RegionForm(forms.ModelForm):  # type: ignore[type-arg]
    """A remote region."""

    endpoints = EndpointsField(
        help_text="Cluster addresses of nodes there, one a line, such as http://10.0.0.5:9001."
    )
    pairing_key = forms.CharField(
        required=False,
        min_length=PAIRING_KEY_BYTES,
        max_length=512,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=(
            "The secret that both regions hold. For a new region, leave it empty to get a new "
            "one, or paste the one that the other side shows. Later, leave it empty to keep it."
        ),
    )

    class Meta:
        model = ReplicationRegion
        fields = ["name", "label", "endpoints", "pairing_key", "priority", "is_enabled"]


class HistoryInRegisters:
    """History from the registers: who changed what on any node, not only in this admin."""

    register_scope = ""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Go to the change history of this row."""
        row = self.get_object(request, object_id)  # type: ignore[attr-defined]
        url = reverse("admin:replication_registerrevision_changelist")
        query = {"scope": self.register_scope, "q": str(row) if row else ""}
        return HttpResponseRedirect(f"{url}?{urlencode(query)}")


@admin.register(ReplicationRegion)
class ReplicationRegionAdmin(HistoryInRegisters, ServiceModelAdmin):
    register_scope = "region"
    form = RegionForm
    list_display = ["name", "label", "status", "addresses", "priority"]
    list_filter = ["is_enabled"]
    search_fields = ["name", "label"]
    search_help_text = "Search by name or label"

    @admin.display(description="State", ordering="is_enabled")
    def status(self, region: ReplicationRegion) -> SafeString:
        if not region.sealed_pairing_key:
            return badge("Incomplete: no pairing key yet", "warn")
        return badge("Enabled", "ok") if region.is_enabled else badge("Off", "off")

    @admin.display(description="Endpoints")
    def addresses(self, region: ReplicationRegion) -> SafeString | str:
        return long_text(", ".join(region.endpoints))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["name"] if obj else []

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001
        key = form.cleaned_data.get("pairing_key") or None
        if key is None and not (change and obj.sealed_pairing_key):
            key = request.new_pairing_key = new_pairing_key()  # type: ignore[attr-defined]
        saved = services.save_region(
            name=obj.name,
            label=obj.label,
            endpoints=obj.endpoints,
            priority=obj.priority,
            pairing_key=key,
            is_enabled=obj.is_enabled,
            author=request.user.get_username(),
        )
        self.adopt(obj, saved)

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._key_page(request, obj) or super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return self._key_page(request, obj) or super().response_change(request, obj)

    def _key_page(self, request: HttpRequest, region: ReplicationRegion) -> HttpResponse | None:
        key = getattr(request, "new_pairing_key", None)
        if key is None:
            return None
        context = {
            "title": f"Pairing key for {region.name}",
            "intro": (
                f"The region {region.name} is saved. Enter this key there too, on a region "
                "named like this one: both sides must hold the same key."
            ),
            "values": [("Pairing key", key)],
            "continue_url": reverse("admin:replication_replicationregion_changelist"),
        }
        return secret_page(request, self.admin_site, context)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        services.delete_region(region=obj, author=request.user.get_username())
        self.log_deleted(request, obj)


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    """A rule: the objects of a bucket go to a region."""

    bucket = forms.ChoiceField(help_text="Its objects are copied, those of today as well.")

    class Meta:
        model = BucketReplicationConfig
        fields = ["name", "bucket", "region", "priority", "is_enabled", "compression"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "bucket" in self.fields:
            names = [bucket.name for bucket in selectors.list_buckets()]
            if self.instance.bucket and self.instance.bucket not in names:
                names.append(self.instance.bucket)
            self.fields["bucket"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]


@admin.register(BucketReplicationConfig)
class BucketReplicationConfigAdmin(HistoryInRegisters, ServiceModelAdmin):
    register_scope = "rule"
    form = RuleForm
    list_display = ["name", "bucket", "region", "status", "priority", "compression"]
    list_filter = ["is_enabled", "region"]
    list_select_related = ["region"]
    search_fields = ["name", "bucket"]
    search_help_text = "Search by name or bucket"

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        # A plain choice: the small window for adding a region could not show its key.
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        widget = getattr(field, "widget", None)
        if field is not None and isinstance(widget, RelatedFieldWidgetWrapper):
            field.widget = widget.widget
        return field

    @admin.display(description="State", ordering="is_enabled")
    def status(self, rule: BucketReplicationConfig) -> SafeString:
        if not rule.is_enabled:
            return badge("Off", "off")
        if not rule.region.is_enabled:
            return badge("Region is off", "warn")
        return badge("Enabled", "ok")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["name"] if obj else []

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001
        saved = services.save_rule(
            name=obj.name,
            bucket=obj.bucket,
            region=obj.region,
            priority=obj.priority,
            is_enabled=obj.is_enabled,
            compression=obj.compression,
            filter=ReplicationFilter.from_json(obj.filter),
            author=request.user.get_username(),
        )
        self.adopt(obj, saved)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        services.delete_rule(rule=obj, author=request.user.get_username())
        self.log_deleted(request, obj)
