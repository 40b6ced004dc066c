"""The history of control-plane changes in the admin: who set what, on which value it settled."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from replication.models import Register, RegisterRevision
from rs3gw.common.admin import ReadOnlyModelAdmin, badge, long_text
from rs3gw.common.secretbox import PREFIX

SCOPES_MAX = 1000


def shown_value(value: Any) -> Any:
    """Return a register's value without its sealed secrets."""
    if not isinstance(value, dict):
        return value
    return {name: _shown(content) for name, content in value.items()}


def _shown(content: Any) -> Any:
    return "(sealed)" if isinstance(content, str) and content.startswith(PREFIX) else content


class ScopeFilter(admin.SimpleListFilter):
    """What was changed; the registers of single buckets count as one kind."""

    title = "what"
    parameter_name = "scope"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        scopes = Register.objects.values_list("scope", flat=True).distinct()[:SCOPES_MAX]
        kinds = sorted({scope.partition(":")[0] for scope in scopes})
        return [(kind, kind.replace("_", " ").capitalize()) for kind in kinds]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[RegisterRevision]
    ) -> QuerySet[RegisterRevision]:
        kind = self.value()
        if not kind:
            return queryset
        is_kind = Q(register__scope=kind) | Q(register__scope__startswith=f"{kind}:")
        return queryset.filter(is_kind)


@admin.register(RegisterRevision)
class RegisterRevisionAdmin(ReadOnlyModelAdmin):
    list_title = "Change history"
    list_display = ["created_at", "scope", "name", "status", "author", "summary"]
    list_filter = [ScopeFilter, "is_winner", "is_deleted"]
    list_select_related = ["register"]
    search_fields = ["register__name", "author"]
    search_help_text = "Search by name or author"
    ordering = ["-pk"]
    fields = ["scope", "name", "status", "author", "created_at", "whole"]

    @admin.display(description="What", ordering="register__scope")
    def scope(self, revision: RegisterRevision) -> str:
        return revision.register.scope.partition(":")[0].replace("_", " ")

    @admin.display(description="Name", ordering="register__name")
    def name(self, revision: RegisterRevision) -> str:
        return revision.register.name

    @admin.display(description="Outcome")
    def status(self, revision: RegisterRevision) -> SafeString:
        if not revision.is_winner:
            return badge("Lost to a concurrent change", "warn")
        return badge("Deleted", "off") if revision.is_deleted else badge("Set", "ok")

    @admin.display(description="Value")
    def summary(self, revision: RegisterRevision) -> SafeString | str:
        if revision.is_deleted:
            return "–"
        return long_text(json.dumps(shown_value(revision.value), ensure_ascii=False))

    @admin.display(description="Value")
    def whole(self, revision: RegisterRevision) -> SafeString:
        text = json.dumps(shown_value(revision.value), indent=2, ensure_ascii=False)
        return format_html('<pre class="json">{}</pre>', text)


@admin.register(Register)
class RegisterAdmin(ReadOnlyModelAdmin):
    list_display = ["scope", "name", "status", "author", "updated_at"]
    list_filter = ["is_deleted"]
    search_fields = ["scope", "name", "author"]
    fields = ["scope", "name", "status", "author", "updated_at", "whole"]

    @admin.display(description="State")
    def status(self, register: Register) -> SafeString:
        return badge("Deleted", "off") if register.is_deleted else badge("Set", "ok")

    @admin.display(description="Value")
    def whole(self, register: Register) -> SafeString:
        text = json.dumps(shown_value(register.value), indent=2, ensure_ascii=False)
        return format_html('<pre class="json">{}</pre>', text)
