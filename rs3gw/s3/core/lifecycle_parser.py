"""The lifecycle documents that clients send: what S3 refuses in them, and the rules they hold."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree.ElementTree import Element

from rs3gw.s3.core import xml
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.lifecycle import (
    Expiration,
    LifecycleFilter,
    LifecycleRule,
    NoncurrentExpiration,
    Transition,
)

RULES_MAX = 1000
ID_CHARS_MAX = 255
PREFIX_BYTES_MAX = 1024
NEWER_VERSIONS_MAX = 100
DAYS_MAX = 2**31 - 1
STORAGE_CLASSES = frozenset(
    {
        "GLACIER", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "DEEP_ARCHIVE", "GLACIER_IR",
    }
)  # fmt: skip
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(T[0-9:.]{8,15}(Z|[+-]\d{2}:\d{2})?)?")
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_REPEATED = frozenset({"Transition", "NoncurrentVersionTransition", "Tag"})
SIZES = ("ObjectSizeGreaterThan", "ObjectSizeLessThan")


def _malformed() -> S3Error:
    return S3Error(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our schema",
    )


def parse_lifecycle(body: bytes, *, new_id: Callable[[], str]) -> tuple[LifecycleRule, ...]:
    """Return the rules of a LifecycleConfiguration, in their order.

    Args:
        body: The document.
        new_id: Returns a fresh random name, for rules that have none.

    Raises:
        S3Error: MalformedXML, InvalidArgument or InvalidRequest, as S3 tells them apart.
    """
    root = xml.parse(body)
    elements = root.findall("Rule")
    if root.tag != "LifecycleConfiguration" or not elements or len(elements) != len(root):
        raise _malformed()
    if len(elements) > RULES_MAX:
        raise S3Error("InvalidRequest", f"A lifecycle configuration has at most {RULES_MAX} rules.")
    rules = tuple(_parse_rule(element, new_id) for element in elements)
    _check_together(rules)
    return rules


def _check_together(rules: tuple[LifecycleRule, ...]) -> None:
    if len({rule.rule_id for rule in rules}) != len(rules):
        raise S3Error(
            "InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule"
        )
    if len({rule.filter is None for rule in rules}) > 1:
        raise S3Error(
            "InvalidRequest",
            "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the "
            "Filter.",
        )


def _parse_rule(element: Element, new_id: Callable[[], str]) -> LifecycleRule:
    found = _children(
        element,
        "ID Status Prefix Filter Expiration NoncurrentVersionExpiration "
        "AbortIncompleteMultipartUpload Transition NoncurrentVersionTransition",
    )
    rule_id = (element.findtext("ID") or "").strip() or new_id()
    if len(rule_id) > ID_CHARS_MAX:
        raise S3Error("InvalidArgument", "ID length should not exceed allowed limit of 255")
    status = (element.findtext("Status") or "").strip()
    if status not in ("Enabled", "Disabled") or ("Prefix" in found) == ("Filter" in found):
        raise _malformed()
    noncurrent, abort = "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"
    rule = LifecycleRule(
        rule_id=rule_id,
        is_enabled=status == "Enabled",
        prefix=_prefix(found.get("Prefix")),
        filter=_filter(found["Filter"]) if "Filter" in found else None,
        expiration=_expiration(found["Expiration"]) if "Expiration" in found else None,
        noncurrent_expiration=_noncurrent(found[noncurrent]) if noncurrent in found else None,
        abort_days=_abort_days(found[abort]) if abort in found else None,
        transitions=tuple(_transition(child) for child in element.findall("Transition")),
        noncurrent_transitions=tuple(
            _noncurrent_transition(child)
            for child in element.findall("NoncurrentVersionTransition")
        ),
    )
    _check(rule)
    return rule


def _children(element: Element, names: str) -> dict[str, Element]:
    """Return the children by name, refusing other names and repeated ones."""
    found: dict[str, Element] = {}
    for child in element:
        if child.tag not in names.split() or (child.tag in found and child.tag not in _REPEATED):
            raise _malformed()
        found[child.tag] = child
    return found


def _number(element: Element | None) -> int | None:
    if element is None:
        return None
    text = (element.text or "").strip()
    if not _NUMBER.fullmatch(text):
        raise _malformed()
    return int(text)


def _days(element: Element | None, name: str, *, minimum: int = 1) -> int | None:
    days = _number(element)
    if days is not None and days < minimum:
        kind = "positive" if minimum else "nonnegative"
        raise S3Error("InvalidArgument", f"{name} action must be a {kind} integer")
    if days is not None and days > DAYS_MAX:
        raise _malformed()
    return days


def _date(element: Element | None) -> datetime | None:
    if element is None:
        return None
    text = (element.text or "").strip()
    try:
        date = datetime.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        date = None
    if date is None:
        raise _malformed()
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    try:
        utc = date.astimezone(UTC)
    except OverflowError:
        raise _malformed() from None
    if (utc.hour, utc.minute, utc.second, utc.microsecond) != (0, 0, 0, 0):
        raise S3Error("InvalidArgument", "'Date' must be at midnight GMT")
    return utc


def _prefix(element: Element | None) -> str | None:
    if element is None:
        return None
    prefix = element.text or ""
    if len(prefix.encode()) > PREFIX_BYTES_MAX:
        raise S3Error("InvalidRequest", f"The maximum size of a prefix is {PREFIX_BYTES_MAX}.")
    return prefix


def _filter(element: Element) -> LifecycleFilter:
    found = _children(element, "Prefix Tag ObjectSizeGreaterThan ObjectSizeLessThan And")
    if "And" in found:
        if len(element) > 1:
            raise _malformed()
        return replace(_predicates(found["And"]), is_and=True)
    chosen = _predicates(element)
    # One predicate outside an And; an empty prefix beside it says nothing and is tolerated.
    if len(element) - (chosen.prefix == "") > 1:
        raise _malformed()
    return chosen


def _predicates(element: Element) -> LifecycleFilter:
    found = _children(element, "Prefix Tag ObjectSizeGreaterThan ObjectSizeLessThan")
    larger, smaller = (_number(found.get(name)) for name in SIZES)
    if (larger or 0) < 0 or (smaller is not None and smaller < 1):
        raise S3Error("InvalidRequest", "An object size in a Filter must not be negative.")
    if larger is not None and smaller is not None and smaller <= larger:
        raise S3Error(
            "InvalidRequest",
            "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.",
        )
    return LifecycleFilter(
        prefix=_prefix(found.get("Prefix")),
        tags=_tags(element),
        larger_than_bytes=larger,
        smaller_than_bytes=smaller,
    )


def _tags(element: Element) -> tuple[tuple[str, str], ...]:
    tags = []
    for child in element.findall("Tag"):
        name, value = child.findtext("Key"), child.findtext("Value")
        if name is None or value is None or len(child) != 2:
            raise _malformed()
        tags.append((name, value))
    if len({name for name, _ in tags}) != len(tags):
        raise S3Error("InvalidRequest", "Duplicate Tag Keys are not allowed.")
    xml.check_tags(tags, tags_max=len(tags))
    return tuple(tags)


def _expiration(element: Element) -> Expiration:
    found = _children(element, "Days Date ExpiredObjectDeleteMarker")
    marker = (element.findtext("ExpiredObjectDeleteMarker") or "").strip().lower()
    has_marker = "ExpiredObjectDeleteMarker" in found
    if len(found) != 1 or (has_marker and marker not in ("true", "false")):
        raise _malformed()
    return Expiration(
        days=_days(found.get("Days"), "'Days' for Expiration"),
        date=_date(found.get("Date")),
        expired_delete_marker=marker == "true" if has_marker else None,
    )


def _noncurrent(element: Element) -> NoncurrentExpiration:
    found = _children(element, "NoncurrentDays NewerNoncurrentVersions")
    if not found:
        raise _malformed()
    action = "NoncurrentVersionExpiration"
    return NoncurrentExpiration(
        days=_days(found.get("NoncurrentDays"), f"'NoncurrentDays' for {action}"),
        newer_versions=_newer(found.get("NewerNoncurrentVersions"), action),
    )


def _newer(element: Element | None, action: str) -> int | None:
    count = _days(element, f"'NewerNoncurrentVersions' for {action}")
    if count is not None and count > NEWER_VERSIONS_MAX:
        raise S3Error(
            "InvalidArgument", f"'NewerNoncurrentVersions' may be at most {NEWER_VERSIONS_MAX}"
        )
    return count


def _abort_days(element: Element) -> int:
    found = _children(element, "DaysAfterInitiation")
    name = "'DaysAfterInitiation' for AbortIncompleteMultipartUpload"
    days = _days(found.get("DaysAfterInitiation"), name)
    if days is None:
        raise _malformed()
    return days


def _class(element: Element) -> str:
    name = (element.findtext("StorageClass") or "").strip()
    if name not in STORAGE_CLASSES:
        raise _malformed()
    return name


def _transition(element: Element) -> Transition:
    found = _children(element, "Days Date StorageClass")
    if len(found) != 2:
        raise _malformed()
    return Transition(
        storage_class=_class(element),
        days=_days(found.get("Days"), "'Days' in Transition", minimum=0),
        date=_date(found.get("Date")),
    )


def _noncurrent_transition(element: Element) -> Transition:
    found = _children(element, "NoncurrentDays NewerNoncurrentVersions StorageClass")
    action = "NoncurrentVersionTransition"
    days = _days(found.get("NoncurrentDays"), f"'NoncurrentDays' in {action}", minimum=0)
    newer = _newer(found.get("NewerNoncurrentVersions"), action)
    if days is None and newer is None:
        raise _malformed()
    return Transition(storage_class=_class(element), days=days, newer_versions=newer)


def _check(rule: LifecycleRule) -> None:
    expiration, noncurrent = rule.expiration, rule.noncurrent_expiration
    steps = (*rule.transitions, *rule.noncurrent_transitions)
    if not (expiration or noncurrent or rule.abort_days or steps):
        raise S3Error("InvalidRequest", "At least one action needs to be specified in a rule")
    if rule.chosen_by().tags:
        if expiration is not None and expiration.expired_delete_marker is not None:
            raise S3Error(
                "InvalidRequest", "ExpiredObjectDeleteMarker cannot be specified with Tags."
            )
        if rule.abort_days is not None:
            raise S3Error(
                "InvalidRequest", "AbortIncompleteMultipartUpload cannot be specified with Tags."
            )
    keeps_newer = [step.newer_versions for step in steps]
    keeps_newer += [noncurrent.newer_versions] if noncurrent else []
    if rule.filter is None and any(keeps_newer):
        raise S3Error(
            "InvalidRequest", "NewerNoncurrentVersions element can only be used in Lifecycle V2."
        )
    _check_transitions(rule)


def _check_transitions(rule: LifecycleRule) -> None:
    for steps in (rule.transitions, rule.noncurrent_transitions):
        if len({step.storage_class for step in steps}) != len(steps):
            raise S3Error(
                "InvalidRequest", "'StorageClass' must be different for each action of a rule."
            )
    timed: list[Transition | Expiration] = [*rule.transitions]
    timed += [rule.expiration] if rule.expiration else []
    has_days = any(action.days is not None for action in timed)
    if has_days and any(action.date is not None for action in timed):
        raise S3Error(
            "InvalidRequest",
            "Found mixed 'Date' and 'Days' based Expiration and Transition actions in a rule.",
        )
    days = rule.expiration.days if rule.expiration else None
    if days is not None and any((step.days or 0) >= days for step in rule.transitions):
        raise S3Error(
            "InvalidArgument",
            "'Days' in the Expiration action must be greater than 'Days' in the Transition action",
        )
