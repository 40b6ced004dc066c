"""Access keys in the admin: made, disabled and deleted by services; a secret is shown once."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString

from rs3gw.common.admin import ServiceModelAdmin, badge, secret_page
from rs3gw.s3 import services
from rs3gw.s3.models import AccessKey, S3User


class AccessKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new access key; its id and secret are made here."""

    user = forms.ModelChoiceField(
        queryset=S3User.objects.all(),
        to_field_name="user_id",
        initial="root",
        empty_label=None,
        help_text="The account or user that acts with it.",
    )

    class Meta:
        model = AccessKey
        fields = ["name"]


@admin.register(AccessKey)
class AccessKeyAdmin(ServiceModelAdmin):
    form = AccessKeyForm
    list_display = ["access_key_id", "name", "owner", "status", "created_at", "last_used_at"]
    list_filter = ["is_enabled", "owner"]
    search_fields = ["access_key_id", "name", "owner"]
    search_help_text = "Search by id, name or owner"
    actions = ["disable", "enable"]

    @admin.display(description="State", ordering="is_enabled")
    def status(self, key: AccessKey) -> SafeString:
        return badge("Enabled", "ok") if key.is_enabled else badge("Disabled", "bad")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return list(self.list_display) if obj else ["name", "user"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return list(self.list_display) if obj else []

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("s3.change_accesskey")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001
        key, secret = services.create_access_key(
            name=obj.name,
            owner=form.cleaned_data["user"].user_id,
            author=request.user.get_username(),
        )
        self.adopt(obj, key)
        request.new_secret = secret  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        context = {
            "title": "New access key",
            "intro": "Give both to the program that is to use them. Every node accepts the key.",
            "values": [
                ("Access key ID", obj.access_key_id),
                ("Secret access key", request.new_secret),  # type: ignore[attr-defined]
            ],
            "continue_url": reverse("admin:s3_accesskey_changelist"),
        }
        return secret_page(request, self.admin_site, context)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        services.delete_access_key(obj, author=request.user.get_username())
        self.log_deleted(request, obj)

    @admin.action(description="Disable", permissions=["operate"])
    def disable(self, request: HttpRequest, queryset: QuerySet[AccessKey]) -> None:
        for key in queryset:
            services.disable_access_key(key, author=request.user.get_username())
        messages.success(request, f"{len(queryset)} disabled here and, shortly, on every node.")

    @admin.action(description="Enable again", permissions=["operate"])
    def enable(self, request: HttpRequest, queryset: QuerySet[AccessKey]) -> None:
        for key in queryset:
            services.enable_access_key(key, author=request.user.get_username())
        messages.success(request, f"{len(queryset)} enabled.")
