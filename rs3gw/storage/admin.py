"""Objects and uploads in the admin: to look at.

Buckets are in replication's admin, since making one must reach the other nodes.
"""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from rs3gw.common.admin import ReadOnlyModelAdmin, badge, table
from rs3gw.common.units import format_bytes
from rs3gw.storage.core.listing import successor
from rs3gw.storage.core.objects import PartInfo
from rs3gw.storage.models import MultipartUpload, ObjectState, ObjectVersion

KEY_SHOWN_CHARS = 90
PARTS_SHOWN = 1000


def shown_key(key: str) -> str:
    """Return a key short enough for a list."""
    return key if len(key) <= KEY_SHOWN_CHARS else f"{key[: KEY_SHOWN_CHARS - 1]}…"


class KeyPrefixSearch(ReadOnlyModelAdmin):
    """Lists that are searched by the beginning of a key: a range of the index, not a scan."""

    search_fields = ["key"]
    search_help_text = "Keys that begin with"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return the rows whose key begins with the term."""
        if not search_term:
            return queryset, False
        found = queryset.filter(key__gte=search_term)
        end = successor(search_term)
        return (found if end is None else found.filter(key__lt=end)), False


@admin.register(ObjectVersion)
class ObjectVersionAdmin(KeyPrefixSearch):
    list_display = [
        "short_key",
        "bucket",
        "status",
        "size",
        "content_type",
        "last_modified",
        "origin_node",
    ]
    list_filter = ["is_latest", "state", "bucket"]
    list_select_related = ["bucket"]
    ordering = ["bucket_id", "key", "-hlc"]
    fields = [
        "bucket",
        "key",
        "status",
        "size",
        "content_type",
        "last_modified",
        "etag",
        "sha256",
        "version_id",
        "origin_node",
        "dot",
        "user_metadata",
        "object_tags",
        "other_headers",
        "checksums",
        "part_list",
        "seen_before",
    ]

    @admin.display(description="Key", ordering="key")
    def short_key(self, version: ObjectVersion) -> str:
        return shown_key(version.key)

    @admin.display(description="State")
    def status(self, version: ObjectVersion) -> SafeString:
        if version.state == ObjectState.TOMBSTONE:
            return badge("Deleted", "off")
        if version.state == ObjectState.MARKER:
            return badge("Delete marker", "off")
        if not version.is_latest:
            return badge("Older version", "info")
        return badge("Current", "ok")

    @admin.display(description="Size", ordering="size_bytes")
    def size(self, version: ObjectVersion) -> str:
        return format_bytes(version.size_bytes) if version.state == ObjectState.LIVE else "–"

    @admin.display(description="Dot")
    def dot(self, version: ObjectVersion) -> str:
        return f"change {version.seq} of writer {version.actor}"

    @admin.display(description="User metadata")
    def user_metadata(self, version: ObjectVersion) -> SafeString:
        return table(["Name", "Value"], version.metadata.items(), "none")

    @admin.display(description="Tags")
    def object_tags(self, version: ObjectVersion) -> SafeString:
        return table(["Name", "Value"], version.tags.items(), "none")

    @admin.display(description="Other headers")
    def other_headers(self, version: ObjectVersion) -> SafeString:
        return table(["Name", "Value"], version.headers.items(), "none")

    @admin.display(description="Parts")
    def part_list(self, version: ObjectVersion) -> SafeString:
        parts = [PartInfo.from_json(part) for part in version.parts[:PARTS_SHOWN]]
        rows = [(part.number, format_bytes(part.size_bytes), part.etag) for part in parts]
        return table(["Number", "Size", "ETag"], rows, "in one piece")

    @admin.display(description="Writes it had seen")
    def seen_before(self, version: ObjectVersion) -> SafeString:
        return format_html("<code>{}</code>", json.dumps(version.context))


@admin.register(MultipartUpload)
class MultipartUploadAdmin(KeyPrefixSearch):
    list_display = ["short_key", "bucket", "owner", "initiated_at"]
    list_filter = ["bucket"]
    list_select_related = ["bucket"]
    ordering = ["-pk"]
    fields = ["bucket", "key", "owner", "initiated_at", "upload_id", "part_list"]

    @admin.display(description="Key", ordering="key")
    def short_key(self, upload: MultipartUpload) -> str:
        return shown_key(upload.key)

    @admin.display(description="Parts so far")
    def part_list(self, upload: MultipartUpload) -> SafeString:
        parts = upload.parts.order_by("number")[:PARTS_SHOWN]
        rows = [(part.number, format_bytes(part.size_bytes), part.uploaded_at) for part in parts]
        return table(["Number", "Size", "Uploaded"], rows, "none yet")
