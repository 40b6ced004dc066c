"""What all admin pages share: badges, history that cannot be edited, saves through services.

No page opens a transaction around a request: a service commits by itself and may then wait for
other nodes, which must see its change.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from rs3gw.common.errors import Rs3gwError

COUNT_MAX = 10_000
TONES = frozenset({"ok", "warn", "bad", "info", "off"})

if TYPE_CHECKING:
    from django.contrib.admin.models import LogEntry

    _ModelAdmin = admin.ModelAdmin[Any]
    _Paginator = Paginator[Any]
else:
    _ModelAdmin = admin.ModelAdmin
    _Paginator = Paginator


def badge(text: object, tone: str) -> SafeString:
    """Return a state as a chip: always with its words, the colour only underlines them.

    Args:
        text: What the state is called.
        tone: `ok`, `warn`, `bad`, `info` or `off`.
    """
    if tone not in TONES:
        raise ValueError(f"no such tone: {tone}")
    return format_html('<span class="chip chip-{}">{}</span>', tone, text)


def state_badge(row: Model, field: str, tones: Mapping[Any, str]) -> SafeString:
    """Return the badge of a choice field, `off` for values that `tones` does not name."""
    label = getattr(row, f"get_{field}_display")()
    return badge(label, tones.get(getattr(row, field), "off"))


def long_text(text: str, chars_max: int = 160) -> SafeString | str:
    """Return text for a list's cell, which may break into lines; a dash when there is none."""
    if not text:
        return "–"
    shown = text if len(text) <= chars_max else f"{text[: chars_max - 1]}…"
    return format_html('<span class="why">{}</span>', shown)


def table(head: Iterable[str], rows: Iterable[Iterable[object]], empty: str) -> SafeString:
    """Return a small table for a read-only field, or `empty` when it has no rows."""
    lines = [
        format_html("<tr>{}</tr>", _cells("<td>{}</td>", [str_or_safe(cell) for cell in row]))
        for row in rows
    ]
    if not lines:
        return format_html('<span class="quiet">{}</span>', empty)
    return format_html(
        '<div class="scroll"><table class="plain"><thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>",
        _cells('<th scope="col">{}</th>', head),
        SafeString("".join(lines)),
    )


def str_or_safe(value: object) -> object:
    """Return a value as a table shows it: a dash when there is none."""
    return "–" if value is None or value == "" else value


def _cells(template: str, values: Iterable[object]) -> SafeString:
    return SafeString("".join(format_html(template, value) for value in values))


def secret_page(
    request: HttpRequest, site: admin.AdminSite, context: Mapping[str, object]
) -> HttpResponse:
    """Return the page that shows a new secret the one time it can be seen.

    Args:
        request: The request that made the secret.
        site: The admin site.
        context: `title`, `intro`, `values` (pairs of label and text) and `continue_url`.
    """
    page = TemplateResponse(
        request, "admin/secret_once.html", {**site.each_context(request), **context}
    )
    page["Cache-Control"] = "no-store"
    return page


class CappedPaginator(_Paginator):
    """Pages of a table that may be huge: rows are counted up to `COUNT_MAX` and no further."""

    @cached_property
    def count(self) -> int:
        """Return how many rows there are, at most `COUNT_MAX`."""
        return min(self._counted, COUNT_MAX)

    @cached_property
    def is_capped(self) -> bool:
        """Return whether there are more rows than `count` says."""
        return self._counted > COUNT_MAX

    @cached_property
    def _counted(self) -> int:
        rows: Any = self.object_list[: COUNT_MAX + 1]
        return int(rows.count())


class Rs3gwModelAdmin(_ModelAdmin):
    """The base of our pages: plain titles, and no counting of whole tables."""

    show_full_result_count = False
    # Counts beside filters would cost a query each.
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_title = ""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list under the plain name of what it lists."""
        title = self.list_title or str(self.opts.verbose_name_plural)
        extra = {"title": title[:1].upper() + title[1:], **(extra_context or {})}
        return super().changelist_view(request, extra)

    def _changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None,
        form_url: str,
        extra_context: dict[str, Any] | None,
    ) -> HttpResponse:
        shown = self.get_object(request, object_id) if object_id else None
        title = str(shown) if shown is not None else f"New {self.opts.verbose_name}"
        extra = {"title": title, "subtitle": None, **(extra_context or {})}
        # Django's own transaction around this view is left out on purpose; see the module.
        return super()._changeform_view(  # type: ignore[misc,no-any-return]
            request, object_id, form_url, extra
        )


class ReadOnlyModelAdmin(Rs3gwModelAdmin):
    """Rows that record what happened: to be looked at, never written by hand."""

    paginator = CappedPaginator

    def _changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None,
        form_url: str,
        extra_context: dict[str, Any] | None,
    ) -> HttpResponse:
        extra = {"has_no_history": True, **(extra_context or {})}
        return super()._changeform_view(request, object_id, form_url, extra)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: history is written by what happens."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False: what happened stays as it was."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False: nothing is forgotten by hand."""
        return False


class ServiceModelAdmin(Rs3gwModelAdmin):
    """Rows that are created, changed and deleted by services.

    A subclass calls its service in `save_model` and `delete_model`; what the service refuses is
    shown where the person is: on the form, or as a message.
    """

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show or save a form; on a refusal show it again with the reason."""
        try:
            return self._changeform_view(request, object_id, form_url, extra_context)
        except Rs3gwError as error:
            request.service_error = error.message  # type: ignore[attr-defined]
            return self._changeform_view(request, object_id, form_url, extra_context)

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,  # noqa: FBT001, FBT002
        **kwargs: Any,
    ) -> Any:
        """Return the form class, one that fails with the service's reason after a refusal."""
        form = super().get_form(request, obj, change=change, **kwargs)
        reason = getattr(request, "service_error", "")
        return _refused(form, reason) if reason else form

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Confirm and delete; on a refusal go back to the row and say why."""
        try:
            return self._delete_view(  # type: ignore[attr-defined,no-any-return]
                request, object_id, extra_context
            )
        except Rs3gwError as error:
            messages.error(request, error.message)
            name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_change"
            return HttpResponseRedirect(reverse(name, args=[object_id]))

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Name the rows themselves only: services decide what else goes, tables may be huge."""
        return [str(row) for row in objs], {}, set(), []

    def log_deletions(self, request: HttpRequest, queryset: Any) -> "list[LogEntry]":
        """Record nothing yet: Django would call this before the service had its say."""
        return []

    def log_deleted(self, request: HttpRequest, row: Model) -> None:
        """Record a deletion that was done."""
        super().log_deletions(request, [row])  # type: ignore[arg-type]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Leave out the bulk delete, which knows no services."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def adopt(self, form_row: Model, saved: Model) -> None:
        """Make the form's row the saved one, so that Django logs and links what exists."""
        for field in saved._meta.concrete_fields:
            setattr(form_row, field.attname, getattr(saved, field.attname))
        form_row._state.adding = False


def _refused(form: Any, reason: str) -> Any:
    def clean(self: Any) -> Any:
        cleaned = form.clean(self)
        self.add_error(None, reason)
        return cleaned

    return type(form.__name__, (form,), {"clean": clean})
