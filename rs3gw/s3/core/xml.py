"""XML of S3 requests and answers.

Requests are read by a parser that refuses document types, so there are no entities to expand, and
that is only given bodies of a bounded size. Answers are written as text: a page of a thousand
keys by f-strings costs a fifth of what a tree does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote
from xml.etree.ElementTree import Element, ParseError, XMLParser
from xml.sax.saxutils import escape

from rs3gw.s3.core.conditions import DeleteConditions
from rs3gw.s3.core.errors import FORBIDDEN, S3Error

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
DELETE_KEYS_MAX = 1000
PARTS_MAX = 10_000


class _Strict(XMLParser):
    """A parser that refuses any document type."""

    def doctype(self, *_: object) -> None:
        raise S3Error("MalformedXML", "A document type is not allowed.")


def parse(body: bytes) -> Element:
    """Return the root of a small XML document, names without namespaces.

    Raises:
        S3Error: MalformedXML.
    """
    if b"<!" in body.replace(b"<!--", b""):
        raise S3Error("MalformedXML", "Document types and character data sections are refused.")
    parser = _Strict()
    try:
        parser.feed(body)
        root = parser.close()
    except (ParseError, ValueError) as error:
        raise S3Error("MalformedXML", f"The XML cannot be read: {error}") from None
    if not isinstance(root, Element):
        raise S3Error("MalformedXML", "The XML is empty.")
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def expect(root: Element, name: str) -> None:
    """Refuse a document whose root is another element.

    Raises:
        S3Error: MalformedXML.
    """
    if root.tag != name:
        raise S3Error("MalformedXML", f"The document must be a {name}.")


def _text(element: Element, name: str) -> str:
    found = element.findtext(name)
    if found is None:
        raise S3Error("MalformedXML", f"{element.tag} lacks {name}.")
    return found


@dataclass(frozen=True, slots=True)
class NamedPart:
    """A part as a CompleteMultipartUpload names it.

    Attributes:
        etag: Without quotes.
        checksums: What it gives of them, by algorithm.
    """

    number: int
    etag: str
    checksums: Mapping[str, str]


def parse_complete(body: bytes) -> list[NamedPart]:
    """Return the parts that a CompleteMultipartUpload names, in its order.

    Raises:
        S3Error: MalformedXML.
    """
    root = parse(body)
    expect(root, "CompleteMultipartUpload")
    parts = root.findall("Part")
    numbers = [_text(part, "PartNumber").strip() for part in parts]
    if not 1 <= len(parts) <= PARTS_MAX or not all(n.isdecimal() and len(n) < 9 for n in numbers):
        raise S3Error("MalformedXML", f"Name 1 to {PARTS_MAX} parts by their numbers.")
    return [
        NamedPart(int(number), _text(part, "ETag").strip().strip('"'), _checksums(part))
        for number, part in zip(numbers, parts, strict=True)
    ]


def _checksums(part: Element) -> dict[str, str]:
    return {
        element.tag.removeprefix("Checksum").lower(): (element.text or "").strip()
        for element in part
        if element.tag.startswith("Checksum")
    }


@dataclass(frozen=True, slots=True)
class DeleteItem:
    """One of the objects that a DeleteObjects names, and what is demanded of it."""

    key: str
    version_id: str | None
    conditions: DeleteConditions


def parse_delete(body: bytes) -> tuple[list[DeleteItem], bool]:
    """Return what a Delete names, and whether it is quiet."""
    root = parse(body)
    expect(root, "Delete")
    found = [
        DeleteItem(
            _text(item, "Key"),
            item.findtext("VersionId") or None,
            DeleteConditions(
                item.findtext("ETag"), item.findtext("LastModifiedTime"), item.findtext("Size")
            ),
        )
        for item in root.findall("Object")
    ]
    if not 1 <= len(found) <= DELETE_KEYS_MAX:
        raise S3Error("MalformedXML", f"Name 1 to {DELETE_KEYS_MAX} objects.")
    return found, (root.findtext("Quiet") or "").strip().lower() == "true"


def parse_location(body: bytes) -> str:
    """Return the location constraint of a CreateBucketConfiguration, "" when there is none."""
    if not body.strip():
        return ""
    root = parse(body)
    expect(root, "CreateBucketConfiguration")
    return (root.findtext("LocationConstraint") or "").strip()


def parse_versioning(body: bytes) -> str:
    """Return Enabled or Suspended of a VersioningConfiguration.

    Raises:
        S3Error: MalformedXML; NotImplemented for a delete that asks for a second factor.
    """
    root = parse(body)
    expect(root, "VersioningConfiguration")
    if (root.findtext("MfaDelete") or "Disabled").strip() != "Disabled":
        raise S3Error("NotImplemented", "Deleting with a second factor is not supported.")
    status = (root.findtext("Status") or "").strip()
    if status not in ("Enabled", "Suspended"):
        raise S3Error("MalformedXML", "The Status must be Enabled or Suspended.")
    return status


def parse_tagging(body: bytes, *, tags_max: int) -> dict[str, str]:
    """Return the tags of a Tagging document.

    Raises:
        S3Error: MalformedXML, or InvalidTag for duplicates and sizes out of range.
    """
    root = parse(body)
    expect(root, "Tagging")
    tags = [(_text(tag, "Key"), _text(tag, "Value")) for tag in root.findall("TagSet/Tag")]
    return check_tags(tags, tags_max=tags_max)


def check_tags(tags: Iterable[tuple[str, str]], *, tags_max: int) -> dict[str, str]:
    """Return tags as a mapping, refusing what S3 refuses."""
    found: dict[str, str] = {}
    for name, value in tags:
        if name in found:
            raise S3Error("InvalidTag", "Cannot provide multiple Tags with the same key")
        if not 1 <= len(name) <= 128 or len(value) > 256:
            raise S3Error("InvalidTag", "A tag's key has 1 to 128 characters, its value up to 256.")
        found[name] = value
    if len(found) > tags_max:
        raise S3Error("InvalidTag", f"There may be at most {tags_max} tags.")
    return found


def text(value: str) -> str:
    """Return a text escaped for an answer; what XML cannot hold becomes U+FFFD."""
    return escape(FORBIDDEN.sub("\ufffd", value), {'"': "&quot;", "\r": "&#13;"})


def key_text(value: str, encoding_type: str) -> str:
    """Return a key for a listing: percent-encoded when the client asked for `url`."""
    if encoding_type == "url":
        return quote(value, safe="-_.~/*")
    return text(value)


def tag(name: str, value: object) -> str:
    """Return one element with a text."""
    return f"<{name}>{text(str(value))}</{name}>"


def document(name: str, *content: str) -> bytes:
    """Return a whole answer in S3's namespace."""
    inner = "".join(content)
    return f'{HEAD}<{name} xmlns="{NAMESPACE}">{inner}</{name}>'.encode("utf-8", "replace")


def tag_set(tags: Iterable[tuple[str, str]]) -> bytes:
    """Return a Tagging document, in the order of the tags' keys."""
    items = "".join(f"<Tag>{tag('Key', k)}{tag('Value', v)}</Tag>" for k, v in sorted(tags))
    return document("Tagging", f"<TagSet>{items}</TagSet>")
