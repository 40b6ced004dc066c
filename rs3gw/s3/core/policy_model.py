"""Policies of buckets and users: what a request asks, and what the documents say to it.

`Policy.decide` answers for one document alone. How the documents and access control lists of a
request combine is in `access`; how the documents are read, in `policy`.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rs3gw.s3.core.policy_conditions import Arn, Check, Condition, Network, Text
from rs3gw.s3.core.wildcard import Pattern, no_variables

Decision = Literal["allow", "deny", "none"]
Kind = Literal["anyone", "account", "user", "service", "other"]
# AWS takes a wider range of addresses than these for the public.
PUBLIC_PREFIX_BITS = {4: 8, 6: 32}
# Keys whose fixed value makes a statement for anyone a statement for somebody.
RESTRICTING_KEYS = frozenset(
    {
        "aws:principalaccount", "aws:principalarn", "aws:principalorgid", "aws:principalorgpaths",
        "aws:principalservicename", "aws:sourceaccount", "aws:sourcearn", "aws:sourceip",
        "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourceowner", "aws:sourcevpc",
        "aws:sourcevpcarn", "aws:sourcevpce", "aws:userid", "aws:username", "aws:vpceaccount",
        "aws:vpceorgid", "aws:vpceorgpaths", "aws:vpcsourceip", "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn", "s3:x-amz-server-side-encryption-aws-kms-key-id",
    }
)  # fmt: skip
_POSITIVE = frozenset(
    {"StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike", "IpAddress"}
)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Args:
        account: The canonical id of the account, "" for anonymous.
        user_id: Of a user of the account; the account's id for the account itself.
        user_name: "" for the account itself.
    """

    account: str = ""
    user_id: str = ""
    user_name: str = ""

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody signed."""
        return not self.account

    @property
    def is_user(self) -> bool:
        """Whether this is a user of an account, not the account itself."""
        return bool(self.account) and self.user_id not in ("", self.account)

    @property
    def arn(self) -> str:
        """The ARN, "" for anonymous."""
        if self.is_anonymous:
            return ""
        resource = f"user/{self.user_name or self.user_id}" if self.is_user else "root"
        return f"arn:aws:iam::{self.account}:{resource}"


ANONYMOUS = Principal()


def identity_context(principal: Principal) -> dict[str, tuple[str, ...]]:
    """Return the keys of a request's context that come from its principal."""
    if principal.is_anonymous:
        return {"aws:principaltype": ("Anonymous",), "aws:userid": ("anonymous",)}
    found: dict[str, tuple[str, ...]] = {
        "aws:principaltype": ("User" if principal.is_user else "Account",),
        "aws:principalaccount": (principal.account,),
        "aws:principalarn": (principal.arn,),
        "aws:userid": (principal.user_id or principal.account,),
    }
    if principal.is_user and principal.user_name:
        found["aws:username"] = (principal.user_name,)
    return found


_IDENTITY_KEYS = frozenset(
    {
        "aws:principaltype", "aws:principalaccount", "aws:principalarn", "aws:userid",
        "aws:username",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to a policy.

    Args:
        principal: Who asks; keys such as aws:username are taken from it, never from `context`.
        action: "s3:GetObject".
        resource: The ARN of the bucket or object.
        context: Values by lower-case key, e.g. "aws:sourceip", "s3:prefix".
        by_name: Whether an Allow for the whole account is not enough for its users, as it is
            not inside the account: there it leaves the decision to the user's own policies.
    """

    principal: Principal
    action: str
    resource: str
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    by_name: bool = False

    def values(self, key: str) -> tuple[str, ...]:
        """Return the values of a lower-case key, none when it is missing."""
        if key in _IDENTITY_KEYS:
            return identity_context(self.principal).get(key, ())
        return self.context.get(key, ())

    def lookup(self, key: str) -> str | None:
        """Return the value of a policy variable: of a key that has exactly one."""
        values = self.values(key)
        return values[0] if len(values) == 1 else None


@dataclass(frozen=True, slots=True)
class PrincipalRef:
    """One principal a statement names.

    Args:
        kind: "anyone", "account", "user", "service", or "other" for what does not exist here.
        account: Of an account or user; "" for a user named without one.
        name: Of a user or service.
    """

    kind: Kind
    account: str = ""
    name: str = ""

    def matches(self, ask: Ask, *, accounts_cover_users: bool) -> bool:
        """Return whether who asks is meant."""
        principal = ask.principal
        if self.kind == "anyone":
            return True
        if self.kind == "service":
            return self.name in ask.values("aws:principalservicename")
        if principal.is_anonymous or self.kind == "other":
            return False
        if self.kind == "account":
            covered = accounts_cover_users or not principal.is_user
            return covered and self.account == principal.account
        return self._is_user(ask)

    def _is_user(self, ask: Ask) -> bool:
        principal = ask.principal
        if self.account:
            same = self.account == principal.account and principal.is_user
            return same and self.name == principal.user_name
        if self.name == (principal.user_id or principal.account):
            return True
        # A name without an account is a name in the account that owns the bucket.
        own = ask.values("aws:resourceaccount") == (principal.account,)
        return own and principal.is_user and self.name == principal.user_name


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement.

    Args:
        allows: Whether the effect is Allow.
        actions: Lower-case patterns; with `not_actions`, of what is not meant.
        resources: Patterns of ARNs; with `not_resources`, of what is not meant.
        principals: None in a user's policy; with `not_principals`, of who is not meant.
        conditions: All have to hold.
    """

    allows: bool
    actions: tuple[Pattern, ...]
    resources: tuple[Pattern, ...]
    principals: tuple[PrincipalRef, ...] | None = None
    conditions: tuple[Condition, ...] = ()
    not_actions: bool = False
    not_resources: bool = False
    not_principals: bool = False

    def applies(self, ask: Ask) -> bool:
        """Return whether the statement speaks about what is asked."""
        return (
            self._means_action(ask.action)
            and self._means_principal(ask)
            and self._means_resource(ask)
            and all(c.holds(ask.values(c.key), ask.lookup) for c in self.conditions)
        )

    def _means_action(self, action: str) -> bool:
        name = action.lower()
        return any(p.matches(name, no_variables) for p in self.actions) is not self.not_actions

    def _means_resource(self, ask: Ask) -> bool:
        found = any(p.matches(ask.resource, ask.lookup) for p in self.resources)
        return found is not self.not_resources

    def _means_principal(self, ask: Ask) -> bool:
        if self.principals is None:
            return True
        # NotPrincipal with an account spares the account itself; its users need their own names.
        cover = not self.not_principals and not (self.allows and ask.by_name)
        found = any(ref.matches(ask, accounts_cover_users=cover) for ref in self.principals)
        return found is not self.not_principals

    @property
    def is_public(self) -> bool:
        """Whether the statement allows something to anyone."""
        if not self.allows or self.principals is None:
            return False
        anyone = self.not_principals or any(ref.kind == "anyone" for ref in self.principals)
        return anyone and not any(_restricts(condition) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy document."""

    statements: tuple[Statement, ...]

    def decide(self, ask: Ask) -> Decision:
        """Return what the document says: "deny" whenever any statement denies."""
        found: Decision = "none"
        for statement in self.statements:
            if statement.allows and found == "allow":
                continue
            if statement.applies(ask):
                if not statement.allows:
                    return "deny"
                found = "allow"
        return found


def is_public(policy: Policy) -> bool:
    """Return whether a bucket policy is public in the sense of Block Public Access.

    It is when a statement allows anything to anyone without a condition that names who or where
    from by fixed values. What other statements deny does not count.
    """
    return any(statement.is_public for statement in policy.statements)


def _restricts(condition: Condition) -> bool:
    """Return whether a condition keeps a statement from being public."""
    if condition.key not in RESTRICTING_KEYS or condition.operator not in _POSITIVE:
        return False
    if condition.negated or condition.if_exists or condition.qualifier == "ForAllValues":
        return False
    if not all(check.is_fixed for check in condition.checks):
        return condition.key == "s3:dataaccesspointarn" and _fixes_account(condition)
    networks = [check.network for check in condition.checks if isinstance(check, Network)]
    return all(_is_narrow(network) for network in networks)


def _is_narrow(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    return network.prefixlen >= PUBLIC_PREFIX_BITS[network.version]


def _fixes_account(condition: Condition) -> bool:
    """Return whether every access point is of a named account, whatever its own name."""
    return all(_fixes_account_of(check) for check in condition.checks)


def _fixes_account_of(check: Check) -> bool:
    if isinstance(check, Arn):
        return bool(check.parts[4].text) and check.parts[4].is_fixed
    if not isinstance(check, Text):
        return False
    parts = check.pattern.text.split(":", 5)
    return len(parts) == 6 and bool(parts[4]) and not set(":".join(parts[:5])) & set("*?$")
