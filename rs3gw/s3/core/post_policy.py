"""Policies of browser forms: what a signed form lets its sender post, and until when."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rs3gw.s3.core.errors import S3Error

# Fields that need no condition: what signs the form, and what its sender may add freely.
_FREE = frozenset({"awsaccesskeyid", "signature", "x-amz-signature", "policy", "file"})
_LITERAL = _FREE | {"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-security-token"}
FILENAME = "${filename}"
# A checksum that was not foreseen can only make a form stricter.
_FREE_PREFIXES = ("x-ignore-", "x-amz-checksum-")
_SIZE_RANGE = "content-length-range"
CONDITIONS_MAX = 200
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,18}")
# Escapes that S3 knows and JSON does not; those of JSON pass through.
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_OWN_ESCAPES = {"$": "$", "v": r"\u000b"}


@dataclass(frozen=True, slots=True)
class FieldCondition:
    """What a field must be: a value, or how it begins."""

    name: str
    value: str
    is_prefix: bool = False

    def holds(self, given: str | None) -> bool:
        """Return whether a field's value meets the condition; a field that is missing does not."""
        if given is None:
            return False
        if not self.is_prefix:
            return given == self.value
        if self.name == "content-type":
            # A list of types: each of them must begin so.
            return all(one.strip().startswith(self.value) for one in given.split(","))
        return given.startswith(self.value)


@dataclass(frozen=True, slots=True)
class PostPolicy:
    """A policy as it was signed.

    Attributes:
        expires_at: Until when the form may be posted.
        conditions: All of them must hold.
        size_range: Least and greatest size of the file in bytes; None for any.
    """

    expires_at: datetime
    conditions: tuple[FieldCondition, ...]
    size_range: tuple[int, int] | None = None

    def check(self, fields: Mapping[str, str], *, bucket: str, now: datetime) -> None:
        """Refuse a form that the policy does not cover.

        Args:
            fields: Values by lower-case name, all but the file, as they will be used.
            bucket: Where the form is posted to.
            now: The present.

        Raises:
            S3Error: AccessDenied, saying which condition does not hold.
        """
        if now >= self.expires_at:
            raise _denied("Policy expired.")
        given = {**fields, "bucket": bucket}
        for condition in self.conditions:
            if not condition.holds(given.get(condition.name)):
                kind = "starts-with" if condition.is_prefix else "eq"
                raise _denied(
                    f'Policy Condition failed: ["{kind}", "${condition.name}", "{condition.value}"]'
                )
        covered = {condition.name for condition in self.conditions} | _FREE
        extra = [
            name for name in fields if name not in covered and not name.startswith(_FREE_PREFIXES)
        ]
        if extra:
            raise _denied(f"Extra input fields: {', '.join(sorted(extra))}")

    def check_size(self, size_bytes: int, *, is_whole: bool = True) -> None:
        """Refuse a file whose size is out of range; one that still grows may only be too large.

        Raises:
            S3Error: EntityTooSmall or EntityTooLarge.
        """
        if self.size_range is None:
            return
        least, greatest = self.size_range
        if size_bytes > greatest:
            raise S3Error(
                "EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size."
            )
        if is_whole and size_bytes < least:
            raise S3Error(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed object size.",
            )


def with_filename(fields: Mapping[str, str], filename: str) -> dict[str, str]:
    """Return the fields of a form with `${filename}` replaced, but in what signs it.

    A policy is checked against the result, so that what is stored is what it allows.
    """
    return {
        name: value if name in _LITERAL else value.replace(FILENAME, filename)
        for name, value in fields.items()
    }


def _denied(reason: str) -> S3Error:
    return S3Error("AccessDenied", f"Invalid according to Policy: {reason}")


def _invalid(reason: str) -> S3Error:
    return S3Error("InvalidPolicyDocument", f"Invalid Policy: {reason}")


def parse_post_policy(encoded: str) -> PostPolicy:
    """Return the policy of a form's `policy` field.

    Raises:
        S3Error: InvalidPolicyDocument, with the reason.
    """
    try:
        text = base64.b64decode("".join(encoded.split()), validate=True).decode("utf-8-sig")
        document = json.loads(_ESCAPE.sub(_json_escape, text))
    except (binascii.Error, ValueError, RecursionError):
        raise _invalid("it is not base64 of JSON.") from None
    if not isinstance(document, dict):
        raise _invalid("it is not an object.")
    if "expiration" not in document:
        raise _invalid("Policy missing expiration.")
    expires_at = _date(document["expiration"])
    conditions = document.get("conditions")
    if conditions is None:
        raise _invalid("Policy missing conditions.")
    if not isinstance(conditions, list) or len(conditions) > CONDITIONS_MAX:
        raise _invalid("Policy conditions must be a list.")
    found: list[FieldCondition] = []
    size_range: tuple[int, int] | None = None
    for condition in conditions:
        if isinstance(condition, list) and condition[:1] and _is_size_range(condition[0]):
            size_range = _narrowed(size_range, _range(condition))
        else:
            found += _condition(condition)
    return PostPolicy(expires_at, tuple(found), size_range)


def _json_escape(match: re.Match[str]) -> str:
    return _OWN_ESCAPES.get(match[1], match[0])


def _is_size_range(value: Any) -> bool:
    return isinstance(value, str) and value.lower() == _SIZE_RANGE


def _date(value: Any) -> datetime:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise _invalid("Invalid 'expiration' value.")
    try:
        date = datetime.fromisoformat(value)
    except ValueError:
        raise _invalid("Invalid 'expiration' value.") from None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _range(condition: list[Any]) -> tuple[int, int]:
    if len(condition) != 3:
        raise _invalid("content-length-range takes two whole numbers.")
    return _size(condition[1]), _size(condition[2])


def _size(value: Any) -> int:
    if isinstance(value, bool) or not _NUMBER.fullmatch(str(value)):
        raise _invalid("content-length-range takes two whole numbers from 0.")
    return int(value)


def _narrowed(known: tuple[int, int] | None, more: tuple[int, int]) -> tuple[int, int]:
    return more if known is None else (max(known[0], more[0]), min(known[1], more[1]))


def _condition(condition: Any) -> list[FieldCondition]:
    if isinstance(condition, dict):
        if not condition:
            raise _invalid("a condition is empty.")
        if not all(isinstance(value, str) for value in condition.values()):
            raise _invalid("the value of a condition is not a text.")
        return [FieldCondition(name.lower(), value) for name, value in condition.items()]
    if not isinstance(condition, list) or len(condition) != 3:
        raise _invalid("a condition is an object or a list of three.")
    kind, name, value = condition
    if not all(isinstance(one, str) for one in condition) or not name.startswith("$"):
        raise _invalid("a condition names a field as $name, and a text.")
    if kind.lower() not in ("eq", "starts-with"):
        raise _invalid(f"{kind[:40]!a} is not a condition.")
    return [FieldCondition(name[1:].lower(), value, kind.lower() == "starts-with")]
