"""The Condition element of policies: operators, compiled once and asked often.

A condition names an operator, a key of the request's context and values. One value that matches
is enough; a negated operator holds when none does, also when the key is missing. `...IfExists`
holds without the key, `ForAllValues:` asks every value of the context and holds without any, and
`ForAnyValue:` wants one.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Protocol

from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.wildcard import Lookup, Pattern, compile_pattern

NUMBER = re.compile(r"[+-]?(?:[0-9]{1,64}(?:\.[0-9]{0,64})?|\.[0-9]{1,64})(?:[eE][+-]?[0-9]{1,3})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ARN_PARTS = 6
_COMPARISONS = {
    "Equals": (0,),
    "LessThan": (-1,),
    "LessThanEquals": (-1, 0),
    "GreaterThan": (1,),
    "GreaterThanEquals": (0, 1),
}


class Check(Protocol):
    """One value of a condition, compiled."""

    @property
    def is_fixed(self) -> bool:
        """Whether the check names one value (or range), not a pattern."""

    def matches(self, value: str, lookup: Lookup) -> bool:
        """Return whether a value of the context matches."""


def _folded(lookup: Lookup) -> Lookup:
    def lower(key: str) -> str | None:
        found = lookup(key)
        return None if found is None else found.lower()

    return lower


@dataclass(frozen=True, slots=True)
class Text:
    """A text or pattern; `fold` ignores case."""

    pattern: Pattern
    fold: bool = False

    @property
    def is_fixed(self) -> bool:
        """Whether it is one text."""
        return self.pattern.is_fixed

    def matches(self, value: str, lookup: Lookup) -> bool:
        """Return whether the text is this one."""
        if not self.fold:
            return self.pattern.matches(value, lookup)
        return self.pattern.matches(value.lower(), _folded(lookup))


@dataclass(frozen=True, slots=True)
class Order:
    """A number, or a moment in seconds since 1970, and which outcomes of comparing hold."""

    limit: Decimal
    outcomes: tuple[int, ...]
    is_date: bool
    is_fixed: bool = True

    def matches(self, value: str, lookup: Lookup) -> bool:
        """Return whether a number or moment stands so to the limit; nothing else does."""
        del lookup
        found = moment(value) if self.is_date else number(value)
        return found is not None and (found > self.limit) - (found < self.limit) in self.outcomes


@dataclass(frozen=True, slots=True)
class Network:
    """A range of addresses."""

    network: ipaddress.IPv4Network | ipaddress.IPv6Network
    is_fixed: bool = True

    def matches(self, value: str, lookup: Lookup) -> bool:
        """Return whether an address is inside; an IPv4 address inside IPv6 counts as IPv4."""
        del lookup
        try:
            found = ipaddress.ip_address(value)
        except ValueError:
            return False
        mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
        return (mapped or found) in self.network


@dataclass(frozen=True, slots=True)
class Arn:
    """An ARN of six parts, each a pattern of its own."""

    parts: tuple[Pattern, ...]

    @property
    def is_fixed(self) -> bool:
        """Whether it is one ARN."""
        return all(part.is_fixed for part in self.parts)

    def matches(self, value: str, lookup: Lookup) -> bool:
        """Return whether an ARN matches part by part."""
        found = value.split(":", _ARN_PARTS - 1)
        return len(found) == len(self.parts) and all(
            part.matches(text, lookup) for part, text in zip(self.parts, found, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Condition:
    """One key of a condition block.

    Args:
        operator: Without qualifier and suffix, e.g. "StringNotEquals".
        key: Lower-case.
        qualifier: "", "ForAllValues" or "ForAnyValue".
        if_exists: Whether a missing key is enough.
        negated: Whether it holds when no check matches.
        checks: Of the values; those of `Null` match "true" or "false".
    """

    operator: str
    key: str
    qualifier: str
    if_exists: bool
    negated: bool
    checks: tuple[Check, ...]

    def holds(self, values: tuple[str, ...], lookup: Lookup) -> bool:
        """Return whether the condition holds for the key's values, none when it is missing."""
        if self.operator == "Null":
            return self._any("false" if values else "true", lookup)
        if not values:
            return self._holds_without()
        if self.qualifier == "ForAllValues":
            return all(self._one(value, lookup) for value in values)
        if self.qualifier == "ForAnyValue":
            return any(self._one(value, lookup) for value in values)
        return any(self._any(value, lookup) for value in values) is not self.negated

    def _holds_without(self) -> bool:
        if self.qualifier == "ForAnyValue":
            return False
        return self.if_exists or self.negated or self.qualifier == "ForAllValues"

    def _one(self, value: str, lookup: Lookup) -> bool:
        return self._any(value, lookup) is not self.negated

    def _any(self, value: str, lookup: Lookup) -> bool:
        return any(check.matches(value, lookup) for check in self.checks)


def number(text: str) -> Decimal | None:
    """Return a decimal number, None for anything else."""
    return Decimal(text) if NUMBER.fullmatch(text) else None


def moment(text: str) -> Decimal | None:
    """Return seconds since 1970 of an ISO 8601 date or of seconds, None for anything else."""
    seconds = number(text)
    if seconds is not None:
        return seconds
    try:
        found = datetime.fromisoformat(text[:64])
    except ValueError:
        return None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    since = found - _EPOCH
    return Decimal(since.days * 86_400 + since.seconds) + Decimal(since.microseconds) / 1_000_000


def _refuse(operator: str, value: str) -> S3Error:
    return S3Error(
        "MalformedPolicy", f"Invalid value for {operator} in the policy: {value[:100]!a}"
    )


def _text(name: str, value: str, *, variables: bool) -> Check:
    fold = name.endswith("IgnoreCase")
    text = value.lower() if fold else value
    wildcards = name.endswith("Like")
    return Text(compile_pattern(text, variables=variables, wildcards=wildcards), fold)


def _order(name: str, value: str, *, is_date: bool) -> Check:
    limit = moment(value) if is_date else number(value)
    if limit is None:
        raise _refuse(name, value)
    outcomes = _COMPARISONS[name.removeprefix("Date").removeprefix("Numeric")]
    return Order(limit, outcomes, is_date)


def _flag(name: str, value: str) -> Check:
    if value.lower() not in ("true", "false"):
        raise _refuse(name, value)
    return Text(compile_pattern(value.lower(), variables=False, wildcards=False), fold=True)


def _network(name: str, value: str) -> Check:
    try:
        return Network(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise _refuse(name, value) from None


def _arn_parts(value: str) -> list[str]:
    """Return the parts between colons, but for the colons inside `${aws:username}`."""
    parts, inside = [""], False
    for found in re.finditer(r"\$\{|\}|:|[^:$}]+|\$", value):
        text = found[0]
        inside = text == "${" or (inside and text != "}")
        if text == ":" and not inside and len(parts) < _ARN_PARTS:
            parts.append("")
        else:
            parts[-1] += text
    return parts


def _arn(name: str, value: str, *, variables: bool) -> Check:
    parts = ["*"] * _ARN_PARTS if value == "*" else _arn_parts(value)
    if len(parts) != _ARN_PARTS:
        raise _refuse(name, value)
    return Arn(tuple(compile_pattern(part, variables=variables) for part in parts))


_TEXTS = ("StringEquals", "StringEqualsIgnoreCase", "StringLike", "BinaryEquals")


def _check(name: str, value: str, *, variables: bool) -> Check:
    """Return the check of one value for an operator without its negation."""
    if name in _TEXTS:
        return _text(name, value, variables=variables and name != "BinaryEquals")
    if name in ("Bool", "Null"):
        return _flag(name, value)
    if name == "IpAddress":
        return _network(name, value)
    if name in ("ArnEquals", "ArnLike"):
        return _arn(name, value, variables=variables)
    return _order(name, value, is_date=name.startswith("Date"))


def _operators() -> Mapping[str, tuple[str, bool]]:
    """Return positive operator and negation by lower-case name."""
    found = {name: (name, False) for name in (*_TEXTS, "Bool", "Null", "IpAddress")}
    found |= {name: (name, False) for name in ("ArnEquals", "ArnLike")}
    found |= {f"{k}{c}": (f"{k}{c}", False) for k in ("Numeric", "Date") for c in _COMPARISONS}
    for kind in ("String", "Numeric", "Date", "Arn"):
        found[f"{kind}NotEquals"] = (f"{kind}Equals", True)
    for kind in ("String", "Arn"):
        found[f"{kind}NotLike"] = (f"{kind}Like", True)
    found["StringNotEqualsIgnoreCase"] = ("StringEqualsIgnoreCase", True)
    found["NotIpAddress"] = ("IpAddress", True)
    return {name.lower(): operator for name, operator in found.items()}


OPERATORS = _operators()
_QUALIFIERS = {"forallvalues": "ForAllValues", "foranyvalue": "ForAnyValue"}


def _split(operator: str) -> tuple[str, str, bool]:
    """Return qualifier, lower-case operator and IfExists of an operator as written."""
    qualifier, colon, name = operator.lower().rpartition(":")
    if colon and qualifier not in _QUALIFIERS:
        raise S3Error("MalformedPolicy", f"Invalid Condition type : {operator[:100]!a}")
    if_exists = name.endswith("ifexists")
    return _QUALIFIERS.get(qualifier, ""), name.removesuffix("ifexists"), if_exists


def compile_condition(
    operator: str, key: str, values: tuple[str, ...], *, variables: bool
) -> Condition:
    """Return one condition.

    Raises:
        S3Error: MalformedPolicy: an unknown operator, no key, or a value it cannot have.
    """
    qualifier, name, if_exists = _split(operator)
    if name not in OPERATORS or (name == "null" and (qualifier or if_exists)):
        raise S3Error("MalformedPolicy", f"Invalid Condition type : {operator[:100]!a}")
    if not key or not values:
        raise S3Error("MalformedPolicy", "A condition needs a key and at least one value.")
    positive, negated = OPERATORS[name]
    checks = tuple(_check(positive, value, variables=variables) for value in values)
    return Condition(positive, key.lower(), qualifier, if_exists, negated, checks)
