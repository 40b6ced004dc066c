"""Answers that several operations give."""

from datetime import UTC, datetime
from email.utils import format_datetime

from django.http import HttpResponse

from rs3gw.s3 import directory
from rs3gw.s3.core import xml


def xml_answer(body: bytes) -> HttpResponse:
    """Return an XML document."""
    return HttpResponse(body, content_type="application/xml")


def empty(status: int = 200) -> HttpResponse:
    """Return an answer without a body."""
    response = HttpResponse(status=status)
    del response["Content-Type"]
    return response


def iso(date: datetime) -> str:
    """Return a date as S3's XML has it."""
    return date.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{date.microsecond // 1000:03}Z"


def http_date(date: datetime) -> str:
    """Return a date as HTTP headers have it."""
    return format_datetime(date.astimezone(UTC).replace(microsecond=0), usegmt=True)


def owner_xml(owner: str, element: str = "Owner") -> str:
    """Return an owner element: a canonical id and the name to show for it."""
    return f"<{element}>{_person(owner)}</{element}>"


def _person(canonical_id: str) -> str:
    name = directory.display_name(canonical_id)
    return f"{xml.tag('ID', canonical_id)}{xml.tag('DisplayName', name)}"
