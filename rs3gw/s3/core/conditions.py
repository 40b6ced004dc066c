"""Conditional requests (RFC 9110, section 13), as S3 evaluates them."""

from collections.abc import Mapping
from datetime import datetime
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
