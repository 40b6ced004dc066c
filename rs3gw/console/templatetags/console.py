"""How the console writes numbers, times and states."""

from datetime import datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from rs3gw.common import clock
from rs3gw.common.admin import badge
from rs3gw.common.units import format_bytes, format_duration, format_rate

register = template.Library()


@register.filter
def chip(text: object, tone: str) -> SafeString:
    """Return a state as a chip with its words."""
    return badge(text, tone)


@register.filter
def size(size_bytes: float) -> str:
    """Return a size with its unit."""
    return format_bytes(size_bytes)


@register.filter
def rate(bytes_per_second: float) -> str:
    """Return a rate with its unit."""
    return format_rate(bytes_per_second)


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """Return how long ago something was, the exact time on hover; a dash for never."""
    if moment is None:
        return "–"
    age_seconds = max(0.0, (clock.utcnow() - moment).total_seconds())
    text = "now" if age_seconds < 1 else f"{format_duration(age_seconds)} ago"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(timespec="seconds"),
        f"{moment:%Y-%m-%d %H:%M:%S} UTC",
        text,
    )
