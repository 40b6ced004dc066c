"""Accounts and users in the admin: made, changed, disabled and deleted by services."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from rs3gw.common.admin import ServiceModelAdmin, badge, table
from rs3gw.common.errors import Rs3gwError
from rs3gw.s3 import services
from rs3gw.s3.admin.forms import NEW_NAME, NEW_TEXT, POLICY_PREFIX, NewUserForm, form_for
from rs3gw.s3.models import AccessKey, S3User


@admin.register(S3User)
class S3UserAdmin(ServiceModelAdmin):
    list_title = "accounts and users"
    form = NewUserForm
    list_display = ["user_id", "account", "display_name", "email", "keys", "status"]
    list_filter = ["is_enabled"]
    search_fields = ["user_id", "account_id", "display_name", "email"]
    search_help_text = "Search by id, account, name or e-mail"
    actions = ["disable", "enable"]
    shown = ["user_id", "account", "status", "keys", "created_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[S3User]:
        found = AccessKey.objects.filter(owner=OuterRef("user_id")).order_by().values("owner")
        counts = found.annotate(count=Count("pk")).values("count")
        users: QuerySet[S3User] = super().get_queryset(request)
        return users.annotate(key_count=Coalesce(Subquery(counts), 0))

    @admin.display(description="Account", ordering="account_id")
    def account(self, user: S3User) -> str:
        return "an account itself" if user.is_account() else user.account_id

    @admin.display(description="Access keys", ordering="key_count")
    def keys(self, user: S3User) -> SafeString:
        count = user.key_count  # type: ignore[attr-defined]
        return format_html(
            '<a href="{}?{}">{}</a> <a href="{}?{}">New key</a>',
            reverse("admin:s3_accesskey_changelist"),
            urlencode({"owner__exact": user.user_id}),
            "1 key" if count == 1 else f"{count} keys",
            reverse("admin:s3_accesskey_add"),
            urlencode({"user": user.user_id}),
        )

    @admin.display(description="State", ordering="is_enabled")
    def status(self, user: S3User) -> SafeString:
        return badge("Enabled", "ok") if user.is_enabled else badge("Disabled", "bad")

    @admin.display(description="Policies")
    def policy_texts(self, user: S3User) -> SafeString:
        return table(["Name", "Text"], sorted(user.policies.items()), "none")

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,  # noqa: FBT001, FBT002
        **kwargs: Any,
    ) -> Any:
        """Return the form of a new user, or that of the one to be changed."""
        if obj is not None and self.has_change_permission(request, obj):
            kwargs["form"] = form_for(obj)
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ["user_id", "account", "display_name", "email"]
        if not self.has_change_permission(request, obj):
            return [*self.shown, "display_name", "email", "policy_texts"]
        areas = [f"{POLICY_PREFIX}{name}" for name in sorted(obj.policies)]
        return [*self.shown, "display_name", "email", *areas, NEW_NAME, NEW_TEXT]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return []
        if not self.has_change_permission(request, obj):
            return self.get_fields(request, obj)
        return self.shown

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001
        author = request.user.get_username()
        given = form.cleaned_data
        if not change:
            account = given["account"]
            saved = services.create_user(
                user_id=given["user_id"] or None,
                display_name=given["display_name"],
                email=given["email"],
                account_id=account.user_id if account else "",
                author=author,
            )
            self.adopt(obj, saved)
            return
        fields = {
            name: given[name] for name in ("display_name", "email") if name in form.changed_data
        }
        if fields:
            services.update_user(obj, **fields, author=author)
        for name, text in form.changed_policies().items():
            if text:
                services.put_user_policy(obj, name, text, author=author)
            else:
                services.delete_user_policy(obj, name, author=author)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        services.delete_user(obj, author=request.user.get_username())
        self.log_deleted(request, obj)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("s3.change_s3user")

    @admin.action(description="Disable", permissions=["operate"])
    def disable(self, request: HttpRequest, queryset: QuerySet[S3User]) -> None:
        count = self._set_enabled(request, queryset, is_enabled=False)
        messages.success(request, f"{count} disabled here and, shortly, on every node.")

    @admin.action(description="Enable again", permissions=["operate"])
    def enable(self, request: HttpRequest, queryset: QuerySet[S3User]) -> None:
        count = self._set_enabled(request, queryset, is_enabled=True)
        messages.success(request, f"{count} enabled.")

    def _set_enabled(
        self, request: HttpRequest, queryset: QuerySet[S3User], *, is_enabled: bool
    ) -> int:
        count = 0
        for user in queryset:
            try:
                services.update_user(
                    user, is_enabled=is_enabled, author=request.user.get_username()
                )
                count += 1
            except Rs3gwError as error:
                messages.error(request, error.message)
        return count
