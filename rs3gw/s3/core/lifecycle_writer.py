"""Lifecycle rules written out: the XML that clients get, and the JSON that is kept."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rs3gw.s3.core import xml
from rs3gw.s3.core.lifecycle import (
    Expiration,
    LifecycleFilter,
    LifecycleRule,
    NoncurrentExpiration,
    Transition,
)

SIZES = ("ObjectSizeGreaterThan", "ObjectSizeLessThan")


def lifecycle_xml(rules: Iterable[LifecycleRule]) -> bytes:
    """Return the LifecycleConfiguration of these rules."""
    return xml.document("LifecycleConfiguration", *(_rule_xml(rule) for rule in rules))


def _rule_xml(rule: LifecycleRule) -> str:
    expiration, noncurrent = rule.expiration, rule.noncurrent_expiration
    parts = [xml.tag("ID", rule.rule_id)]
    parts.append(_tags_of(Prefix=rule.prefix) if rule.filter is None else _filter_xml(rule.filter))
    parts.append(xml.tag("Status", "Enabled" if rule.is_enabled else "Disabled"))
    parts += [_transition_xml("Transition", "Days", step) for step in rule.transitions]
    if expiration is not None:
        marker = expiration.expired_delete_marker
        inner = _tags_of(
            Days=expiration.days,
            Date=_iso(expiration.date),
            ExpiredObjectDeleteMarker=None if marker is None else str(marker).lower(),
        )
        parts.append(f"<Expiration>{inner}</Expiration>")
    name = "NoncurrentVersionTransition"
    parts += [_transition_xml(name, "NoncurrentDays", s) for s in rule.noncurrent_transitions]
    if noncurrent is not None:
        days, newer = noncurrent.days, noncurrent.newer_versions
        inner = _tags_of(NoncurrentDays=days, NewerNoncurrentVersions=newer)
        parts.append(f"<NoncurrentVersionExpiration>{inner}</NoncurrentVersionExpiration>")
    if rule.abort_days is not None:
        inner = _tags_of(DaysAfterInitiation=rule.abort_days)
        parts.append(f"<AbortIncompleteMultipartUpload>{inner}</AbortIncompleteMultipartUpload>")
    return f"<Rule>{''.join(parts)}</Rule>"


def _tags_of(**values: object) -> str:
    return "".join(xml.tag(name, value) for name, value in values.items() if value is not None)


def _iso(date: datetime | None) -> str | None:
    return None if date is None else f"{date.date().isoformat()}T00:00:00.000Z"


def _filter_xml(chosen: LifecycleFilter) -> str:
    tags = "".join(f"<Tag>{_tags_of(Key=name, Value=value)}</Tag>" for name, value in chosen.tags)
    sizes = zip(SIZES, (chosen.larger_than_bytes, chosen.smaller_than_bytes), strict=True)
    inner = _tags_of(Prefix=chosen.prefix) + tags + _tags_of(**dict(sizes))
    return f"<Filter>{f'<And>{inner}</And>' if chosen.is_and else inner}</Filter>"


def _transition_xml(name: str, days_name: str, step: Transition) -> str:
    days = _tags_of(**{days_name: step.days}, Date=_iso(step.date))
    more = _tags_of(NewerNoncurrentVersions=step.newer_versions, StorageClass=step.storage_class)
    return f"<{name}>{days}{more}</{name}>"


def to_json(rules: Iterable[LifecycleRule]) -> list[dict[str, Any]]:
    """Return rules as JSON values; what is not set is left out."""
    return [_json_of(rule) for rule in rules]


def _json_of(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_json_of(item) for item in value]
    names = getattr(type(value), "__slots__", None)
    if names is None:
        return value
    found = {name: getattr(value, name) for name in names}
    return {name: _json_of(item) for name, item in found.items() if item not in (None, ())}


def from_json(values: Iterable[Mapping[str, Any]]) -> tuple[LifecycleRule, ...]:
    """Return the rules that `to_json` wrote."""
    return tuple(_rule_from(value) for value in values)


def _rule_from(value: Mapping[str, Any]) -> LifecycleRule:
    fields = dict(value)
    if "filter" in fields:
        chosen = dict(fields["filter"])
        chosen["tags"] = tuple((str(name), str(text)) for name, text in chosen.get("tags", ()))
        fields["filter"] = LifecycleFilter(**chosen)
    if "expiration" in fields:
        fields["expiration"] = Expiration(**_dated(fields["expiration"]))
    if "noncurrent_expiration" in fields:
        fields["noncurrent_expiration"] = NoncurrentExpiration(**fields["noncurrent_expiration"])
    for name in ("transitions", "noncurrent_transitions"):
        fields[name] = tuple(Transition(**_dated(step)) for step in fields.get(name, ()))
    return LifecycleRule(**fields)


def _dated(value: Mapping[str, Any]) -> dict[str, Any]:
    fields = dict(value)
    if "date" in fields:
        fields["date"] = datetime.fromisoformat(fields["date"])
    return fields
