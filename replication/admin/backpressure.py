"""Backpressure on the pages of buckets."""

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest

from replication import services
from replication.services.backpressure import NAME
from rs3gw.common.errors import Rs3gwError
from rs3gw.storage.models import Bucket

FOLLOW = ""


class BackpressureForm(ActionForm):
    """The actions on buckets, with room for a policy."""

    policy = forms.ChoiceField(
        required=False,
        label="Over the hard limit of the backlog:",
        choices=[
            (FOLLOW, "As the cluster says"),
            ("none", "Do nothing"),
            ("delay", "Delay writes"),
            ("reject", "Refuse writes"),
        ],
    )


class BackpressureAdmin:
    """What bucket pages show and set of backpressure."""

    @admin.display(description="Backpressure")
    def backpressure(self, bucket: Bucket) -> str:
        """Return what the bucket says itself."""
        own = services.get_backpressure(bucket)
        return json.dumps(own) if own else "as the cluster says"

    @admin.action(description="Set backpressure", permissions=["press"])
    def set_backpressure(self, request: HttpRequest, queryset: QuerySet[Bucket]) -> None:
        """Set the policy of buckets; limits that were set by REST stay."""
        policy, author = request.POST.get("policy", FOLLOW), request.user.get_username()
        for bucket in queryset:
            try:
                _set(bucket, policy, author)
            except Rs3gwError as error:
                messages.error(request, f"{bucket.name}: {error.message}")
                return
        messages.success(request, f"{len(queryset)} changed.")

    def has_press_permission(self, request: HttpRequest) -> bool:
        """Return whether a person may change buckets."""
        return request.user.has_perm("storage.change_bucket")


def _set(bucket: Bucket, policy: str, author: str) -> None:
    if policy == FOLLOW:
        services.delete_bucket_setting(bucket=bucket, name=NAME, author=author)
        return
    value: dict[str, Any] = {**services.get_backpressure(bucket), "policy": policy}
    services.put_backpressure(bucket, value, author=author)
