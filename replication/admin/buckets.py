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
from replication.core.consistency import DEGRADE_SECONDS_MAX
from replication.errors import WriteIndeterminate
from replication.models import BucketReplicationConfig
from rs3gw.common.admin import ServiceModelAdmin, badge, state_badge
from rs3gw.storage import selectors
from rs3gw.storage.core.names import check_bucket_name
from rs3gw.storage.models import Bucket, BucketState

TONES = {
    BucketState.LIVE: "ok",
    BucketState.DELETED: "off",
    BucketState.DELETE_CONFLICT: "warn",
    BucketState.RENAMED: "warn",
}


CONSISTENCY_FIELDS = ["write", "read", "degrade_after_seconds"]
_TONE = {False: "off", True: "bad"}


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


class ConsistencyForm(forms.ModelForm):  # type: ignore[type-arg]
    """Who confirms the writes of a bucket that is there, and who is asked before it is read."""

    write = forms.ChoiceField(
        label="Writes are confirmed by",
        required=False,
        choices=[
            ("", "the cluster's default"),
            ("async", "this node alone (async)"),
            ("quorum", "a majority of the members (quorum)"),
            ("sync", "every member (sync)"),
        ],
    )
    read = forms.ChoiceField(
        label="Reads ask",
        choices=[("local", "this node alone (local)"), ("quorum", "a majority (quorum)")],
    )
    degrade_after_seconds = forms.IntegerField(
        label="Go on without silent members after",
        min_value=0,
        max_value=DEGRADE_SECONDS_MAX,
        help_text=(
            "Seconds, for sync only: writes are asynchronous from then on, until all members are "
            "back. 0 refuses writes instead."
        ),
    )

    class Meta:
        model = Bucket
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = services.get_consistency(self.instance)
        self.initial.setdefault("write", str(known.write or ""))
        self.initial.setdefault("read", str(known.read))
        self.initial.setdefault("degrade_after_seconds", known.degrade_after_seconds)

    def clean(self) -> dict[str, Any]:
        """Check the values against each other."""
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors:
            try:
                self.wanted = services.make_consistency(
                    cleaned["write"], cleaned["read"], cleaned["degrade_after_seconds"]
                )
            except services.BadConsistency as error:
                self.add_error("degrade_after_seconds", error.message)
        return cleaned


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
        "confirmed",
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

    @admin.display(description="Confirmed now by")
    def confirmed(self, bucket: Bucket) -> SafeString:
        wanted, now = services.get_consistency(bucket).write, services.write_mode(bucket)
        is_degraded = wanted is not None and wanted != now
        return badge(f"{now}, degraded from {wanted}" if is_degraded else now, _TONE[is_degraded])

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,  # noqa: FBT001, FBT002
        **kwargs: Any,
    ) -> Any:
        if obj is not None:
            kwargs["form"] = ConsistencyForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ["name", "owner"]
        return ["name", "owner", *CONSISTENCY_FIELDS, *self.readonly_fields]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["name", "owner", *self.readonly_fields] if obj else []

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_served = obj is None or obj.state in selectors.SERVED_STATES
        return is_served and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_served = obj is None or obj.state in selectors.SERVED_STATES
        return is_served and super().has_delete_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001
        if change:
            author = request.user.get_username()
            services.save_consistency(bucket=obj, wanted=form.wanted, author=author)
            return
        try:
            saved = services.create_bucket(name=obj.name, owner=obj.owner)
        except WriteIndeterminate as error:
            messages.warning(request, error.message)
            saved = selectors.get_bucket(obj.name)
        self.adopt(obj, saved)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        services.delete_bucket(bucket=obj)
        self.log_deleted(request, obj)
