"""Conditional requests (RFC 9110, section 13), as S3 evaluates them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from rs3gw.s3.core.errors import S3Error


def _tags(header: str) -> list[str]:
    return [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]


def _date(header: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return date if date.tzinfo else None


def check_read(
    headers: Mapping[str, str], *, etag: str, last_modified: datetime, prefix: str = ""
) -> bool:
    """Return whether the object is to be sent; False means 304 Not Modified.

    Args:
        headers: Values by lower-case name.
        etag: Without quotes.
        last_modified: Of the object; compared in whole seconds.
        prefix: `x-amz-copy-source-` for the conditions of a copy, where False is refused.

    Raises:
        S3Error: PreconditionFailed.
    """
    modified = last_modified.replace(microsecond=0)
    if_match = headers.get(f"{prefix}if-match")
    if if_match is not None:
        if not {"*", etag} & set(_tags(if_match)):
            raise S3Error("PreconditionFailed", "If-Match does not hold.")
    else:
        limit = _date(headers.get(f"{prefix}if-unmodified-since", ""))
        if limit is not None and modified > limit:
            raise S3Error("PreconditionFailed", "If-Unmodified-Since does not hold.")
    if_none = headers.get(f"{prefix}if-none-match")
    if if_none is not None:
        return not {"*", etag} & set(_tags(if_none))
    limit = _date(headers.get(f"{prefix}if-modified-since", ""))
    return limit is None or modified > limit


def check_write(headers: Mapping[str, str], *, current_etag: str | None) -> None:
    """Refuse a write whose condition does not hold for the version it would replace.

    Raises:
        S3Error: PreconditionFailed, or NoSuchKey for If-Match on a key that is not there.
    """
    if_match = headers.get("if-match")
    if if_match is not None:
        if current_etag is None:
            raise S3Error("NoSuchKey", "If-Match names an object that does not exist.")
        if not {"*", current_etag} & set(_tags(if_match)):
            raise S3Error("PreconditionFailed", "If-Match does not hold.")
    if_none = headers.get("if-none-match")
    if if_none is None or current_etag is None:
        return
    if {"*", current_etag} & set(_tags(if_none)):
        raise S3Error("PreconditionFailed", "If-None-Match does not hold.")


@dataclass(frozen=True, slots=True)
class DeleteConditions:
    """What a delete demands of the version that it deletes or hides; None for nothing.

    Attributes:
        etag: Its entity tag, `*` for any.
        last_modified: When it was written: an HTTP or ISO 8601 date, compared in whole seconds.
        size_bytes: Its size, as a decimal text.
    """

    etag: str | None = None
    last_modified: str | None = None
    size_bytes: str | None = None

    def is_empty(self) -> bool:
        """Return whether nothing is demanded."""
        return self.etag is None and self.last_modified is None and self.size_bytes is None


def delete_conditions(headers: Mapping[str, str]) -> DeleteConditions:
    """Return what the headers of a DeleteObject demand."""
    return DeleteConditions(
        headers.get("if-match"),
        headers.get("x-amz-if-match-last-modified-time"),
        headers.get("x-amz-if-match-size"),
    )


def check_delete(
    conditions: DeleteConditions, *, etag: str | None, last_modified: datetime, size_bytes: int
) -> None:
    """Refuse a delete whose conditions do not hold for the version it is about.

    Args:
        conditions: What the delete demands.
        etag: Without quotes; None for a delete marker, which no entity tag matches.
        last_modified: Of the version; compared in whole seconds.
        size_bytes: Of the version; 0 for a delete marker.

    Raises:
        S3Error: PreconditionFailed; InvalidArgument for a date or size that is none.
    """
    holds = conditions.etag is None or (
        etag is not None and bool({"*", etag} & set(_tags(conditions.etag)))
    )
    if conditions.last_modified is not None:
        wanted = _any_date(conditions.last_modified)
        holds = holds and wanted.replace(microsecond=0) == last_modified.replace(microsecond=0)
    if conditions.size_bytes is not None:
        if not conditions.size_bytes.isdecimal():
            raise S3Error("InvalidArgument", "The size of a condition is a whole number.")
        holds = holds and int(conditions.size_bytes) == size_bytes
    if not holds:
        raise S3Error("PreconditionFailed", "A condition of the delete does not hold.")


def _any_date(text: str) -> datetime:
    date = _date(text)
    if date is None:
        try:
            date = datetime.fromisoformat(text)
        except ValueError:
            raise S3Error("InvalidArgument", "The date of a condition cannot be read.") from None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
