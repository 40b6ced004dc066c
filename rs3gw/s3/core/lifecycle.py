"""What a bucket's lifecycle rules mean: which version of an object must go, and when.

Nothing here deletes. The rules and what is known of a key are turned into a list of acts, which
a shell carries out; the same facts always give the same acts.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import formatdate
from enum import StrEnum
from urllib.parse import quote

DAY_SECONDS = 86_400
# The last second that an HTTP date can name: the end of the year 9999.
HTTP_DATE_MAX_SECONDS = 253_402_300_799
_NO_TAGS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleFilter:
    """Which objects a rule is about: those that fit all that is given.

    Attributes:
        prefix: None when it was not given.
        tags: (key, value) pairs that the object must have.
        larger_than_bytes: Exclusive; None for no bound.
        smaller_than_bytes: Exclusive; None for no bound.
        is_and: Whether the client wrote it as an And.
    """

    prefix: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    larger_than_bytes: int | None = None
    smaller_than_bytes: int | None = None
    is_and: bool = False

    def is_about_content(self) -> bool:
        """Return whether it asks for tags or sizes, which delete markers and uploads lack."""
        bounds = (self.larger_than_bytes, self.smaller_than_bytes)
        return bool(self.tags) or bounds != (None, None)

    def fits_content(self, tags: Mapping[str, str], size_bytes: int) -> bool:
        """Return whether an object's tags and size are what is asked for."""
        if self.larger_than_bytes is not None and size_bytes <= self.larger_than_bytes:
            return False
        if self.smaller_than_bytes is not None and size_bytes >= self.smaller_than_bytes:
            return False
        return all(tags.get(name) == value for name, value in self.tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiration:
    """When current versions expire: exactly one of the three is set."""

    days: int | None = None
    date: datetime | None = None
    expired_delete_marker: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoncurrentExpiration:
    """When replaced versions are deleted; at least one is set.

    Attributes:
        days: Since the version was replaced; counted as 0 when it is None.
        newer_versions: How many of the newest replaced versions stay, whatever their age.
    """

    days: int | None = None
    newer_versions: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """When versions get another storage class: after `days` >= 0, or from a date."""

    storage_class: str
    days: int | None = None
    date: datetime | None = None
    newer_versions: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleRule:
    """One rule.

    Attributes:
        rule_id: Unique in its configuration.
        is_enabled: A disabled rule is kept and does nothing.
        prefix: The older way to choose objects; None when there is a filter.
        filter: None when there is only a prefix.
        abort_days: Age in days at which unfinished uploads are aborted.
    """

    rule_id: str
    is_enabled: bool = True
    prefix: str | None = None
    filter: LifecycleFilter | None = None
    expiration: Expiration | None = None
    noncurrent_expiration: NoncurrentExpiration | None = None
    abort_days: int | None = None
    transitions: tuple[Transition, ...] = ()
    noncurrent_transitions: tuple[Transition, ...] = ()

    def chosen_by(self) -> LifecycleFilter:
        """Return what chooses the objects, however it was written."""
        return self.filter or LifecycleFilter(prefix=self.prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFacts:
    """What the rules need to know of one version of a key.

    Attributes:
        became_noncurrent_at: When the next newer version was written; None for the current one.
        is_locked: Whether a retention period or a legal hold protects it now.
    """

    version_id: str
    is_latest: bool
    last_modified: datetime
    is_delete_marker: bool = False
    became_noncurrent_at: datetime | None = None
    size_bytes: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    is_locked: bool = False


class ActKind(StrEnum):
    """What must be done to a version."""

    EXPIRE_CURRENT = "expire_current"
    DELETE_NONCURRENT = "delete_noncurrent"
    DELETE_MARKER = "delete_marker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing to do.

    Attributes:
        kind: EXPIRE_CURRENT deletes the object as a client would, by its key alone: where
            versions are kept, a delete marker covers it. The others delete this version for good.
        version_id: The version that the decision is about.
        rule_id: The rule that asks for it.
    """

    kind: ActKind
    version_id: str
    rule_id: str


def decide_key(  # noqa: PLR0913  (the facts of one decision)
    rules: Iterable[LifecycleRule],
    key: str,
    versions: Sequence[VersionFacts],
    *,
    now: datetime,
    day_seconds: float,
    newer_noncurrent: int = 0,
    is_whole: bool = True,
) -> list[Act]:
    """Return what must be done to the versions of a key, at most one act for each.

    Args:
        rules: The bucket's rules.
        key: The key.
        versions: Newest first.
        now: The time of the decision.
        day_seconds: Length of a day, > 0. Only with 86,400 is a time rounded up to midnight UTC.
        newer_noncurrent: How many replaced versions of the key come before these.
        is_whole: Whether these are all the versions of the key.
    """
    active = _active(rules, key)
    is_alone = is_whole and newer_noncurrent == 0 and len(versions) == 1
    time = _Time(now.timestamp(), day_seconds)
    acts = []
    for facts in versions if active else ():
        act = _decide_version(active, facts, time, newer_noncurrent, is_alone=is_alone)
        newer_noncurrent += not facts.is_latest
        if act is not None:
            acts.append(act)
    return acts


@dataclass(frozen=True, slots=True)
class _Time:
    now: float
    day_seconds: float

    def is_past(self, since: datetime, days: int) -> bool:
        return self.now >= _due(since, days, self.day_seconds)


def _due(since: datetime, days: int, day_seconds: float) -> float:
    """Return the second since 1970 at which something has been there for `days`."""
    due = since.timestamp() + days * day_seconds
    return math.ceil(due / DAY_SECONDS) * DAY_SECONDS if day_seconds == DAY_SECONDS else due


def _active(rules: Iterable[LifecycleRule], key: str) -> list[LifecycleRule]:
    return [
        rule for rule in rules if rule.is_enabled and key.startswith(rule.chosen_by().prefix or "")
    ]


def _decide_version(
    rules: Iterable[LifecycleRule],
    facts: VersionFacts,
    time: _Time,
    newer_noncurrent: int,
    *,
    is_alone: bool,
) -> Act | None:
    for rule in _fitting(rules, facts):
        kind = None
        if not facts.is_latest:
            if _is_noncurrent_due(rule, facts, time, newer_noncurrent):
                kind = ActKind.DELETE_NONCURRENT
        elif facts.is_delete_marker:
            if is_alone and _is_marker_due(rule, facts, time):
                kind = ActKind.DELETE_MARKER
        elif _is_current_due(rule, facts, time):
            kind = ActKind.EXPIRE_CURRENT
        if kind == ActKind.EXPIRE_CURRENT or (kind is not None and not facts.is_locked):
            return Act(kind=kind, version_id=facts.version_id, rule_id=rule.rule_id)
    return None


def _fitting(rules: Iterable[LifecycleRule], facts: VersionFacts) -> Iterator[LifecycleRule]:
    """Yield the rules, already of the right prefix, whose filter a version fits."""
    for rule in rules:
        chosen = rule.chosen_by()
        if facts.is_delete_marker:
            if not chosen.is_about_content():
                yield rule
        elif chosen.fits_content(facts.tags, facts.size_bytes):
            yield rule


def _is_current_due(rule: LifecycleRule, facts: VersionFacts, time: _Time) -> bool:
    expiration = rule.expiration
    if expiration is None:
        return False
    if expiration.date is not None:
        return time.now >= expiration.date.timestamp()
    return expiration.days is not None and time.is_past(facts.last_modified, expiration.days)


def _is_marker_due(rule: LifecycleRule, facts: VersionFacts, time: _Time) -> bool:
    expiration = rule.expiration
    is_cleaned = expiration is not None and expiration.expired_delete_marker is True
    return is_cleaned or _is_current_due(rule, facts, time)


def _is_noncurrent_due(
    rule: LifecycleRule, facts: VersionFacts, time: _Time, newer_noncurrent: int
) -> bool:
    expiration = rule.noncurrent_expiration
    if expiration is None or facts.became_noncurrent_at is None:
        return False
    if newer_noncurrent < (expiration.newer_versions or 0):
        return False
    return time.is_past(facts.became_noncurrent_at, expiration.days or 0)


def decide_upload(
    rules: Iterable[LifecycleRule],
    key: str,
    initiated_at: datetime,
    *,
    now: datetime,
    day_seconds: float,
) -> bool:
    """Return whether an upload that is still unfinished must be aborted."""
    time = _Time(now.timestamp(), day_seconds)
    return any(
        rule.abort_days is not None
        and not rule.chosen_by().is_about_content()
        and time.is_past(initiated_at, rule.abort_days)
        for rule in _active(rules, key)
    )


def expiration_header(
    rules: Iterable[LifecycleRule],
    key: str,
    tags: Mapping[str, str],
    size_bytes: int,
    last_modified: datetime,
    day_seconds: float = DAY_SECONDS,
) -> str:
    """Return the value of `x-amz-expiration` for a current version, "" when it stays."""
    facts = VersionFacts(
        version_id="",
        is_latest=True,
        last_modified=last_modified,
        tags=tags,
        size_bytes=size_bytes,
    )
    expiries = []
    for rule in _fitting(_active(rules, key), facts):
        expiration = rule.expiration
        if expiration is not None and expiration.date is not None:
            expiries.append((expiration.date.timestamp(), rule.rule_id))
        elif expiration is not None and expiration.days is not None:
            expiries.append((_due(last_modified, expiration.days, day_seconds), rule.rule_id))
    if not expiries:
        return ""
    due, rule_id = min(expiries)
    date = formatdate(min(due, HTTP_DATE_MAX_SECONDS), usegmt=True)
    return f'expiry-date="{date}", rule-id="{quote(rule_id, safe="")}"'


def storage_class(
    rules: Iterable[LifecycleRule],
    key: str,
    facts: VersionFacts,
    *,
    now: datetime,
    day_seconds: float,
    newer_noncurrent: int = 0,
) -> str:
    """Return the class that transitions have given to a version, "" when none has yet.

    It is a label: the bytes stay where they are. Of several transitions the last one counts.
    """
    time = _Time(now.timestamp(), day_seconds)
    reached = []
    for rule in _fitting(_active(rules, key), facts):
        since = facts.last_modified if facts.is_latest else facts.became_noncurrent_at
        for step in rule.transitions if facts.is_latest else rule.noncurrent_transitions:
            if since is None or newer_noncurrent < (step.newer_versions or 0):
                continue
            if step.date is not None:
                due = step.date.timestamp()
            else:
                due = _due(since, step.days or 0, day_seconds)
            if time.now >= due:
                reached.append((due, step.days or 0, step.storage_class))
    return max(reached)[2] if reached and not facts.is_delete_marker else ""
