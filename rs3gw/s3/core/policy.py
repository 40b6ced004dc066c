"""Policies of buckets and users, read strictly: what is not understood is refused when it is put.

What a policy says to a request is in `policy_model`, whose names can be had from here.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.policy_conditions import Condition, compile_condition
from rs3gw.s3.core.policy_model import (
    ANONYMOUS,
    Ask,
    Decision,
    Policy,
    Principal,
    PrincipalRef,
    Statement,
    is_public,
)
from rs3gw.s3.core.wildcard import Pattern, compile_pattern, no_variables

__all__ = [
    "ANONYMOUS",
    "POLICY_BYTES_MAX",
    "Ask",
    "Decision",
    "Policy",
    "Principal",
    "is_public",
    "parse_bucket_policy",
    "parse_user_policy",
]

POLICY_BYTES_MAX = 20 * 1024
VERSIONS = ("2008-10-17", "2012-10-17")
_DOCUMENT = frozenset({"Version", "Id", "Statement"})
_COMMON = frozenset({"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource"})
_STATEMENT = _COMMON | {"Condition"}
_BUCKET_STATEMENT = _STATEMENT | {"Principal", "NotPrincipal"}
_PRINCIPAL_TYPES = frozenset({"AWS", "CanonicalUser", "Service", "Federated"})
_ANY_ACTION = re.compile(r"\*|[A-Za-z0-9*?-]+:[A-Za-z0-9*?]+")
_S3_ACTION = re.compile(r"\*|[sS*?][a-z0-9*?-]*:[A-Za-z0-9*?]+")
_ACCOUNT = re.compile(r"[A-Za-z0-9._@$-]{1,128}")
_IAM_ARN = re.compile(r"arn:aws[a-z-]*:(?:iam|sts)::([^:*?]{0,128}):([^:*?/]+)(?:/([^*?]+))?")
_S3_ARN = re.compile(r"arn:aws[a-z-]*:s3::[^:/]*:(.+)", re.DOTALL)


def parse_bucket_policy(text: str | bytes, *, bucket: str) -> Policy:
    """Return the policy of a bucket.

    Args:
        text: JSON of at most 20 KiB.
        bucket: The only bucket its resources may be in.

    Raises:
        S3Error: MalformedPolicy, with the reason.
    """
    return _policy(_load(text), bucket=bucket)


def parse_user_policy(text: str | bytes) -> Policy:
    """Return a policy of a user: it names no principal, and any resource.

    Raises:
        S3Error: MalformedPolicy, with the reason.
    """
    return _policy(_load(text), bucket=None)


def _refuse(reason: str) -> NoReturn:
    raise S3Error("MalformedPolicy", reason)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        _refuse("Policies must be valid JSON without a name twice in one object.")
    return found


def _load(text: str | bytes) -> dict[str, Any]:
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    if len(data) > POLICY_BYTES_MAX:
        _refuse("Policy exceeds the maximum allowed document size of 20480 bytes.")
    try:
        # Numbers stay text: conditions compare them in decimal.
        document = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_int=str,
            parse_float=str,
            parse_constant=_refuse,
        )
    except (ValueError, RecursionError):
        _refuse("Policies must be valid JSON and the first byte must be '{'")
    if not isinstance(document, dict):
        _refuse("Policies must be valid JSON and the first byte must be '{'")
    return document


def _check_fields(found: Mapping[str, Any], allowed: frozenset[str]) -> None:
    unknown = sorted(set(found) - allowed)
    if unknown:
        _refuse(f"Unknown field {unknown[0][:100]!a}")


def _policy(document: dict[str, Any], *, bucket: str | None) -> Policy:
    _check_fields(document, _DOCUMENT)
    version = document.get("Version", VERSIONS[0])
    if version not in VERSIONS:
        _refuse("The policy must contain a valid version string")
    if not isinstance(document.get("Id", ""), str):
        _refuse("The Id of a policy is a text.")
    if "Statement" not in document:
        _refuse("Missing required field Statement")
    found = document["Statement"]
    statements = found if isinstance(found, list) else [found]
    if not statements:
        _refuse("Could not parse the policy: Statement is empty!")
    variables = version == VERSIONS[1]
    return Policy(tuple(_statement(s, bucket=bucket, variables=variables) for s in statements))


def _statement(found: Any, *, bucket: str | None, variables: bool) -> Statement:
    if not isinstance(found, dict):
        _refuse("Invalid policy syntax: a statement is an object.")
    _check_fields(found, _STATEMENT if bucket is None else _BUCKET_STATEMENT)
    if not isinstance(found.get("Sid", ""), str):
        _refuse("The Sid of a statement is a text.")
    effect = found.get("Effect")
    if effect is None:
        _refuse("Missing required field Effect")
    if effect not in ("Allow", "Deny"):
        _refuse(f"Invalid effect: {str(effect)[:100]!a}")
    principals, not_principals = _principals(found) if bucket is not None else (None, False)
    if not_principals and effect == "Allow":
        _refuse("Allow with NotPrincipal is not supported: it would allow everybody else.")
    action, resource = _one_of(found, "Action"), _one_of(found, "Resource")
    return Statement(
        allows=effect == "Allow",
        actions=_actions(found[action], bucket=bucket),
        resources=_resources(found[resource], bucket=bucket, variables=variables),
        principals=principals,
        conditions=_conditions(found.get("Condition", {}), variables=variables),
        not_actions=action == "NotAction",
        not_resources=resource == "NotResource",
        not_principals=not_principals,
    )


def _one_of(found: Mapping[str, Any], name: str) -> str:
    """Return `name` or its negation, whichever the statement has."""
    names = [known for known in (name, f"Not{name}") if known in found]
    if not names:
        _refuse(f"Missing required field {name}")
    if len(names) > 1:
        _refuse(f"Statement has both {names[0]} and {names[1]}")
    return names[0]


def _texts(value: Any, reason: str) -> list[str]:
    found = value if isinstance(value, list) else [value]
    if not found or not all(isinstance(text, str) and text for text in found):
        _refuse(reason)
    return found


def _actions(value: Any, *, bucket: str | None) -> tuple[Pattern, ...]:
    shape = _ANY_ACTION if bucket is None else _S3_ACTION
    actions = _texts(value, "Policy has invalid action")
    if not all(shape.fullmatch(action) for action in actions):
        _refuse("Policy has invalid action")
    return tuple(compile_pattern(action.lower(), variables=False) for action in actions)


def _resources(value: Any, *, bucket: str | None, variables: bool) -> tuple[Pattern, ...]:
    found = _texts(value, "Policy has invalid resource")
    if bucket is None:
        bad = any(text != "*" and not text.startswith("arn:") for text in found)
    else:
        bad = not all(_in_bucket(text, bucket) for text in found)
    if bad:
        _refuse("Policy has invalid resource")
    return tuple(_resource(text, variables=variables) for text in found)


def _resource(text: str, *, variables: bool) -> Pattern:
    """Return a resource as a pattern; an account in the ARN of a bucket says nothing."""
    arn = _S3_ARN.fullmatch(text)
    return compile_pattern(f"arn:aws:s3:::{arn[1]}" if arn else text, variables=variables)


def _in_bucket(text: str, bucket: str) -> bool:
    arn = _S3_ARN.fullmatch(text)
    if arn is None:
        return text == "*"
    pattern = compile_pattern(arn[1].partition("/")[0], variables=False)
    return pattern.matches(bucket, no_variables)


def _principals(found: Mapping[str, Any]) -> tuple[tuple[PrincipalRef, ...], bool]:
    name = _one_of(found, "Principal")
    value = found[name]
    if value == "*":
        return (PrincipalRef("anyone"),), name == "NotPrincipal"
    if not isinstance(value, dict) or not value or set(value) - _PRINCIPAL_TYPES:
        _refuse("Invalid principal in policy")
    refs = [
        _principal(kind, text)
        for kind, texts in value.items()
        for text in _texts(texts, "Invalid principal in policy")
    ]
    return tuple(refs), name == "NotPrincipal"


def _principal(kind: str, text: str) -> PrincipalRef:
    if kind == "Service":
        return PrincipalRef("service", name=text)
    if kind == "Federated":
        return PrincipalRef("other", name=text)
    if kind == "AWS" and text == "*":
        return PrincipalRef("anyone")
    if _ACCOUNT.fullmatch(text):
        return PrincipalRef("account", account=text)
    arn = _IAM_ARN.fullmatch(text) if kind == "AWS" else None
    if arn is None:
        _refuse("Invalid principal in policy")
    account, resource, name = arn[1], arn[2], arn[3]
    if resource == "root" and name is None and account:
        return PrincipalRef("account", account=account)
    if name is None or resource not in ("user", "role", "assumed-role", "federated-user"):
        _refuse("Invalid principal in policy")
    return PrincipalRef("user" if resource == "user" else "other", account, name)


def _condition_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        _refuse("The values of a condition are texts, numbers and booleans.")
    return value


def _conditions(value: Any, *, variables: bool) -> tuple[Condition, ...]:
    if not isinstance(value, dict) or not all(isinstance(keys, dict) for keys in value.values()):
        _refuse("Condition is an object of operators, each an object of keys.")
    found = []
    for operator, keys in value.items():
        if not keys:
            _refuse("A condition needs a key and at least one value.")
        for key, values in keys.items():
            texts = tuple(map(_condition_text, values if isinstance(values, list) else [values]))
            found.append(compile_condition(operator, key, texts, variables=variables))
    return tuple(found)
