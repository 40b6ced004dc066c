"""Buckets in the admin: made and deleted by the services that tell the other nodes."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from replication import services
from replication.admin.backpressure import BackpressureAdmin, BackpressureForm
from replication.errors import WriteIndeterminate
from replication.models import BucketReplicationConfig
from rs3gw.common.admin import ServiceModelAdmin, state_badge
from rs3gw.storage import selectors
from rs3gw.storage.core.names import check_bucket_name
from rs3gw.storage.models import Bucket, BucketState

TONES = {
    BucketState.LIVE: "ok",
    BucketState.DELETED: "off",
    BucketState.DELETE_CONFLICT: "warn",
    BucketState.RENAMED: "warn",
}


class BucketForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new bucket."""

    name = forms.CharField(
        max_length=63,
        help_text="3 to 63 lower-case letters, digits, hyphens and dots. It cannot be changed.",
    )
    owner = forms.CharField(
        max_length=64, initial="root", help_text="Whose bucket it is: the owner of an access key."
    )

    class Meta:
        model = Bucket
        fields = ["name", "owner"]

    def clean_name(self) -> str:
        """Check the name by S3's rules."""
        name = str(self.cleaned_data["name"])
        problem = check_bucket_name(name)
        if problem:
            raise forms.ValidationError(problem)
        return name


class ServedFilter(admin.SimpleListFilter):
    """Buckets that exist, unless others are asked for."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("deleted", "Deleted"), ("renamed", "Hidden"), ("any", "Any")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Bucket]) -> QuerySet[Bucket]:
        if self.value() == "any":
            return queryset
        if self.value():
            return queryset.filter(state=self.value())
        return queryset.filter(state__in=selectors.SERVED_STATES)

    def choices(self, changelist: Any) -> Iterator[Any]:
        default, *others = super().choices(changelist)
        yield {**default, "display": "In use"}
        yield from others


@admin.register(Bucket)
class BucketAdmin(BackpressureAdmin, ServiceModelAdmin):
    form = BucketForm
    action_form = BackpressureForm
    actions = ["set_backpressure"]
    list_display = ["name", "status", "owner", "region", "created_at", "contents"]
    list_filter = [ServedFilter]
    search_fields = ["name", "owner"]
    search_help_text = "Search by name or owner"
    fields = ["name", "owner"]
    readonly_fields = [
        "status",
        "region",
        "created_at",
        "incarnation",
        "contents",
        "rules",
        "policy",
        "tagging",
        "backpressure",
    ]

    @admin.display(description="State", ordering="state")
    def status(self, bucket: Bucket) -> SafeString:
        return state_badge(bucket, "state", TONES)

    @admin.display(description="Objects")
    def contents(self, bucket: Bucket) -> SafeString:
        url = reverse("admin:storage_objectversion_changelist")
        query = urlencode({"bucket__id__exact": bucket.pk})
        return format_html('<a href="{}?{}">Show objects</a>', url, query)

    @admin.display(description="Replicated by")
    def rules(self, bucket: Bucket) -> str:
        names = BucketReplicationConfig.objects.filter(bucket=bucket.name)
        return ", ".join(names.values_list("name", flat=True)) or "no rule"

    @admin.display(description="Policy")
    def policy(self, bucket: Bucket) -> str:
        return services.get_bucket_setting(bucket, "policy") or "none"

    @admin.display(description="Tags")
    def tagging(self, bucket: Bucket) -> str:
        return services.get_bucket_setting(bucket, "tagging") or "none"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["name", "owner", *self.readonly_fields] if obj else ["name", "owner"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return list(self.readonly_fields) if obj else []

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_served = obj is None or obj.state in selectors.SERVED_STATES
        return is_served and super().has_delete_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001
        try:
            saved = services.create_bucket(name=obj.name, owner=obj.owner)
        except WriteIndeterminate as error:
            messages.warning(request, error.message)
            saved = selectors.get_bucket(obj.name)
        self.adopt(obj, saved)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        services.delete_bucket(bucket=obj)
        self.log_deleted(request, obj)
