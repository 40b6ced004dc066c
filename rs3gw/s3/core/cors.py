"""Cross-origin rules of a bucket: their XML, and which rule answers a browser's question."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from rs3gw.s3.core import xml
from rs3gw.s3.core.errors import S3Error

RULES_MAX = 100
DOCUMENT_BYTES_MAX = 64 * 1024
ID_CHARS_MAX = 255
MAX_AGE_SECONDS_MAX = 2**31 - 1
METHODS = frozenset({"GET", "PUT", "POST", "DELETE", "HEAD"})
WILDCARD = "*"
VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
_NOT_OUR_SCHEMA = "The XML you provided was not well-formed or did not validate against our schema"
_ELEMENTS = {
    "AllowedOrigin": "origins",
    "AllowedMethod": "methods",
    "AllowedHeader": "headers",
    "ExposeHeader": "exposed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsRule:
    """One rule.

    Attributes:
        rule_id: The client's name for it, "" for none.
        origins: At least one; each may hold one `*`.
        methods: At least one of `METHODS`.
        headers: Names of allowed request headers as they were put; each may hold one `*`.
        exposed: Names of the answer's headers that scripts may read.
        max_age_seconds: How long a browser may keep the answer; None when it was not said.
    """

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    rule_id: str = ""
    max_age_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsAnswer:
    """What a matching rule says to a browser.

    Attributes:
        origin: `*`, or the origin that asked.
        methods: Methods of the rule.
        headers: The headers that were asked for, in lower case; all of them are allowed.
        exposed: Headers that scripts may read.
        max_age_seconds: None when the rule does not say.
    """

    origin: str
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    exposed: tuple[str, ...]
    max_age_seconds: int | None

    def to_headers(self) -> dict[str, str]:
        """Return the headers of the HTTP answer."""
        found = {
            "Access-Control-Allow-Origin": self.origin,
            "Access-Control-Allow-Methods": ", ".join(self.methods),
            "Vary": VARY,
        }
        if self.origin != WILDCARD:
            found["Access-Control-Allow-Credentials"] = "true"
        if self.headers:
            found["Access-Control-Allow-Headers"] = ", ".join(self.headers)
        if self.exposed:
            found["Access-Control-Expose-Headers"] = ", ".join(self.exposed)
        if self.max_age_seconds is not None:
            found["Access-Control-Max-Age"] = str(self.max_age_seconds)
        return found


def parse_cors(body: bytes) -> tuple[CorsRule, ...]:
    """Return the rules of a CORSConfiguration, in their order.

    Raises:
        S3Error: EntityTooLarge above 64 KiB; MalformedXML; InvalidRequest for a method that does
            not exist, a second `*`, or more than 100 rules.
    """
    if len(body) > DOCUMENT_BYTES_MAX:
        raise S3Error("EntityTooLarge", "A CORS configuration has at most 64 KiB.")
    root = xml.parse(body)
    elements = root.findall("CORSRule")
    if root.tag != "CORSConfiguration" or not elements or len(elements) != len(root):
        raise S3Error("MalformedXML", _NOT_OUR_SCHEMA)
    if len(elements) > RULES_MAX:
        raise S3Error(
            "InvalidRequest",
            f"The number of CORS rules should not exceed allowed limit of {RULES_MAX} rules.",
        )
    return tuple(_parse_rule(element) for element in elements)


def _parse_rule(element: Element) -> CorsRule:
    if {child.tag for child in element} - {*_ELEMENTS, "ID", "MaxAgeSeconds"}:
        raise S3Error("MalformedXML", _NOT_OUR_SCHEMA)
    rule = CorsRule(
        rule_id=element.findtext("ID") or "",
        max_age_seconds=_max_age(element.findtext("MaxAgeSeconds")),
        **{field: _texts(element, name) for name, field in _ELEMENTS.items()},
    )
    if not rule.origins or not rule.methods:
        raise S3Error("MalformedXML", _NOT_OUR_SCHEMA)
    _check(rule)
    return rule


def _texts(element: Element, name: str) -> tuple[str, ...]:
    return tuple((child.text or "").strip() for child in element.findall(name))


def _max_age(text: str | None) -> int | None:
    if text is None:
        return None
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10):
        raise S3Error("MalformedXML", _NOT_OUR_SCHEMA)
    return min(int(digits), MAX_AGE_SECONDS_MAX)


def _check(rule: CorsRule) -> None:
    for method in rule.methods:
        if method not in METHODS:
            raise S3Error(
                "InvalidRequest",
                "Found unsupported HTTP method in CORS config. Unsupported method is "
                f"{method[:100]}",
            )
    for name, values in (("AllowedOrigin", rule.origins), ("AllowedHeader", rule.headers)):
        for value in values:
            if value.count(WILDCARD) > 1:
                raise S3Error(
                    "InvalidRequest", f'{name} "{value[:100]}" can not have more than one wildcard.'
                )
    if any(WILDCARD in name for name in rule.exposed):
        raise S3Error("InvalidRequest", "An ExposeHeader contains a wildcard; name each header.")
    # The names end up in a header of the answer, where a line break would start another one.
    if any(not name.isprintable() for name in rule.exposed):
        raise S3Error("MalformedXML", _NOT_OUR_SCHEMA)
    if len(rule.rule_id) > ID_CHARS_MAX:
        raise S3Error("InvalidRequest", f"A rule's ID has at most {ID_CHARS_MAX} characters.")


def cors_xml(rules: Iterable[CorsRule]) -> bytes:
    """Return the CORSConfiguration of these rules."""
    return xml.document("CORSConfiguration", *(_rule_xml(rule) for rule in rules))


def _rule_xml(rule: CorsRule) -> str:
    parts = [xml.tag("ID", rule.rule_id)] if rule.rule_id else []
    for name, field in _ELEMENTS.items():
        parts += [xml.tag(name, value) for value in getattr(rule, field)]
    if rule.max_age_seconds is not None:
        parts.append(xml.tag("MaxAgeSeconds", rule.max_age_seconds))
    return f"<CORSRule>{''.join(parts)}</CORSRule>"


def to_json(rules: Iterable[CorsRule]) -> list[dict[str, Any]]:
    """Return rules as JSON values; what is not set is left out."""
    return [
        {
            name: list(value) if isinstance(value, tuple) else value
            for name in CorsRule.__slots__
            if (value := getattr(rule, name)) not in ((), "", None)
        }
        for rule in rules
    ]


def from_json(values: Iterable[Mapping[str, Any]]) -> tuple[CorsRule, ...]:
    """Return the rules that `to_json` wrote."""
    return tuple(
        CorsRule(
            origins=tuple(value["origins"]),
            methods=tuple(value["methods"]),
            headers=tuple(value.get("headers", ())),
            exposed=tuple(value.get("exposed", ())),
            rule_id=str(value.get("rule_id", "")),
            max_age_seconds=value.get("max_age_seconds"),
        )
        for value in values
    )


def match(
    rules: Iterable[CorsRule], *, origin: str, method: str, request_headers: Sequence[str] = ()
) -> CorsAnswer | None:
    """Return what the first rule that allows a request says, or None when no rule does.

    Args:
        rules: In the order in which they were put.
        origin: The Origin header.
        method: The method asked for.
        request_headers: Names of the headers asked for; every one must be allowed.
    """
    asked = tuple(name.strip().lower() for name in request_headers if name.strip())
    for rule in rules:
        allowed = next((text for text in rule.origins if _fits(text, origin)), None)
        if allowed is None or method not in rule.methods:
            continue
        patterns = tuple(text.lower() for text in rule.headers)
        if all(any(_fits(text, name) for text in patterns) for name in asked):
            return CorsAnswer(
                origin=WILDCARD if allowed == WILDCARD else origin,
                methods=rule.methods,
                headers=asked,
                exposed=rule.exposed,
                max_age_seconds=rule.max_age_seconds,
            )
    return None


def _fits(pattern: str, value: str) -> bool:
    """Return whether a value is what a pattern with at most one `*` describes."""
    before, wildcard, after = pattern.partition(WILDCARD)
    if not wildcard:
        return pattern == value
    is_long_enough = len(value) >= len(before) + len(after)
    return is_long_enough and value.startswith(before) and value.endswith(after)
