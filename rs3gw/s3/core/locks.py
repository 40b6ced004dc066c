"""Object lock: retention, legal hold, and a bucket's default, as S3 defines them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rs3gw.s3.core import xml
from rs3gw.s3.core.errors import S3Error

GOVERNANCE = "GOVERNANCE"
COMPLIANCE = "COMPLIANCE"
MODES = (GOVERNANCE, COMPLIANCE)
DAYS_PER_YEAR = 365
DAYS_MAX = 36_500
YEARS_MAX = 100


@dataclass(frozen=True, slots=True)
class DefaultRetention:
    """What new versions of a bucket are locked with.

    Attributes:
        mode: GOVERNANCE or COMPLIANCE.
        days: From 1; None when `years` is given.
        years: From 1; None when `days` is given.
    """

    mode: str
    days: int | None = None
    years: int | None = None

    def until(self, now: datetime) -> datetime:
        """Return until when a version that is written now is kept."""
        days = self.days if self.days is not None else DAYS_PER_YEAR * (self.years or 0)
        return now + timedelta(days=days)


@dataclass(frozen=True, slots=True)
class LockConfiguration:
    """A bucket's object lock; it cannot be turned off."""

    default: DefaultRetention | None = None


def parse_configuration(body: bytes) -> LockConfiguration:
    """Return an ObjectLockConfiguration.

    Raises:
        S3Error: MalformedXML, InvalidRetentionPeriod for no period, InvalidArgument for one that
            is too long.
    """
    root = xml.parse(body)
    xml.expect(root, "ObjectLockConfiguration")
    if root.findtext("ObjectLockEnabled") != "Enabled":
        raise S3Error("MalformedXML", "ObjectLockEnabled must be Enabled.")
    rule = root.find("Rule")
    if rule is None:
        return LockConfiguration()
    retention = rule.find("DefaultRetention")
    if retention is None:
        raise S3Error("MalformedXML", "A Rule holds a DefaultRetention.")
    mode = _mode(retention.findtext("Mode"))
    days, years = retention.findtext("Days"), retention.findtext("Years")
    if (days is None) == (years is None):
        raise S3Error("MalformedXML", "Give either Days or Years.")
    if days is not None:
        return LockConfiguration(DefaultRetention(mode, days=_period(days, DAYS_MAX)))
    return LockConfiguration(DefaultRetention(mode, years=_period(str(years), YEARS_MAX)))


def _mode(text: str | None) -> str:
    if text not in MODES:
        raise S3Error("MalformedXML", "The Mode must be GOVERNANCE or COMPLIANCE.")
    return text


def _period(text: str, maximum: int) -> int:
    try:
        period = int(text)
    except ValueError:
        raise S3Error("MalformedXML", "Days and Years are whole numbers.") from None
    if period < 1:
        raise S3Error(
            "InvalidRetentionPeriod", "Default retention period must be a positive integer value"
        )
    if period > maximum:
        raise S3Error("InvalidArgument", "Default retention period too large")
    return period


def configuration_xml(configuration: LockConfiguration) -> bytes:
    """Return the ObjectLockConfiguration of a bucket."""
    rule = ""
    default = configuration.default
    if default is not None:
        days = "" if default.days is None else xml.tag("Days", default.days)
        years = "" if default.years is None else xml.tag("Years", default.years)
        retention = f"{xml.tag('Mode', default.mode)}{days}{years}"
        rule = f"<Rule><DefaultRetention>{retention}</DefaultRetention></Rule>"
    return xml.document("ObjectLockConfiguration", xml.tag("ObjectLockEnabled", "Enabled"), rule)


def parse_retention(body: bytes) -> tuple[str, datetime | None]:
    """Return mode and date of a Retention; "" and None for an empty one, which lifts it.

    Raises:
        S3Error: MalformedXML.
    """
    root = xml.parse(body)
    xml.expect(root, "Retention")
    mode, until = root.findtext("Mode"), root.findtext("RetainUntilDate")
    if not mode and not until:
        return "", None
    return _mode(mode), _xml_date(until)


def _xml_date(text: str | None) -> datetime:
    date = parse_date(text or "")
    if date is None:
        raise S3Error("MalformedXML", "The RetainUntilDate must be an ISO 8601 date.")
    return date


def parse_date(text: str) -> datetime | None:
    """Return an ISO 8601 date in UTC, or None."""
    try:
        date = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)


def date_text(date: datetime) -> str:
    """Return a date as a lock holds it; later dates sort after earlier ones."""
    date = date.astimezone(UTC)
    return date.strftime("%Y-%m-%dT%H:%M:%S.") + f"{date.microsecond // 1000:03}Z"


def retention_xml(lock: Mapping[str, str]) -> bytes:
    """Return the Retention of a version that has one."""
    return xml.document(
        "Retention", xml.tag("Mode", lock["mode"]), xml.tag("RetainUntilDate", lock["until"])
    )


def parse_legal_hold(body: bytes) -> str:
    """Return ON or OFF of a LegalHold.

    Raises:
        S3Error: MalformedXML.
    """
    root = xml.parse(body)
    xml.expect(root, "LegalHold")
    return hold_of(root.findtext("Status"), "MalformedXML")


def hold_of(text: str | None, code: str) -> str:
    """Return a legal hold's ON or OFF, or refuse the text with this code."""
    if text not in ("ON", "OFF"):
        raise S3Error(code, "Legal Hold must be either of 'ON' or 'OFF'")
    return text


def lock_from_headers(headers: Mapping[str, str], now: datetime) -> dict[str, str]:
    """Return the lock that a write asks for by its headers.

    Raises:
        S3Error: InvalidArgument for what cannot be.
    """
    mode = headers.get("x-amz-object-lock-mode", "")
    until = headers.get("x-amz-object-lock-retain-until-date", "")
    hold = headers.get("x-amz-object-lock-legal-hold")
    lock: dict[str, str] = {}
    if mode or until:
        if not (mode and until):
            raise S3Error(
                "InvalidArgument",
                "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be "
                "supplied",
            )
        if mode.upper() not in MODES:
            raise S3Error("InvalidArgument", "Unknown wormMode directive.")
        lock |= {"mode": mode.upper(), "until": date_text(_future(parse_date(until), now))}
    if hold is not None:
        lock["hold"] = hold_of(hold.upper(), "InvalidArgument")
    return lock


def _future(date: datetime | None, now: datetime) -> datetime:
    if date is None:
        raise S3Error("InvalidArgument", "The retain until date must be an ISO 8601 date.")
    if date <= now:
        raise S3Error("InvalidArgument", "The retain until date must be in the future!")
    return date


def check_retention(
    lock: Mapping[str, str], mode: str, until: datetime | None, now: datetime, *, bypasses: bool
) -> None:
    """Refuse a change of retention that would break the one in force.

    Args:
        lock: The version's lock.
        mode: New mode, "" to lift the retention.
        until: New date, None to lift it.
        now: The present.
        bypasses: The caller asked to bypass governance, and may.

    Raises:
        S3Error: AccessDenied, or InvalidArgument for a date that has passed.
    """
    if until is not None:
        _future(until, now)
    if not is_retained(lock, now):
        return
    current = parse_date(lock["until"])
    assert current is not None
    is_longer = until is not None and until >= current
    allowed = is_longer and mode == lock["mode"]
    if not allowed and not (lock["mode"] == GOVERNANCE and bypasses):
        raise S3Error("AccessDenied", "Access Denied because object protected by object lock.")


def is_retained(lock: Mapping[str, str], now: datetime) -> bool:
    """Return whether a retention is in force."""
    until = parse_date(lock.get("until", ""))
    return bool(lock.get("mode")) and until is not None and until > now


def check_delete(lock: Mapping[str, str], now: datetime, *, bypasses: bool) -> None:
    """Refuse to delete a version that is locked.

    Raises:
        S3Error: AccessDenied.
    """
    is_held = lock.get("hold") == "ON"
    is_kept = is_retained(lock, now) and not (lock["mode"] == GOVERNANCE and bypasses)
    if is_held or is_kept:
        raise S3Error("AccessDenied", "Access Denied because object protected by object lock.")
