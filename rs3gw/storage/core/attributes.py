"""Changes of a version after it was written, as values, and which of two counts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rs3gw.storage.core.objects import ObjectHeaders
from rs3gw.storage.core.siblings import Stamp

TAGGING = "tagging"
ACL = "acl"
RETENTION = "retention"
LEGAL_HOLD = "legal_hold"
NAMES = (TAGGING, ACL, RETENTION, LEGAL_HOLD)
COMPLIANCE = "COMPLIANCE"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a version and when it was set.

    Attributes:
        name: One of `NAMES`.
        value: The tags; the access list as JSON; `mode` and `until` of a retention, both missing
            when there is none, and `floor`; `hold`, ON or OFF.
    """

    name: str
    value: Mapping[str, Any]
    stamp: Stamp


def retention_value(mode: str, until: str, current: Mapping[str, Any]) -> dict[str, str]:
    """Return the value of a retention that follows `current`; "" and "" for none.

    Its `floor` is the latest date up to which compliance was promised. Of two retentions that
    were set at the same time on two nodes the one with the later floor counts, so that no
    promise is ever shortened.
    """
    floor = max(str(current.get("floor", "")), until if mode == COMPLIANCE else "")
    value = {"mode": mode, "until": until, "floor": floor}
    return {name: text for name, text in value.items() if text}


def supersedes(incoming: Attribute, current: Attribute) -> bool:
    """Return whether `incoming` counts instead of `current`; a total order of the two."""
    return _rank(incoming) > _rank(current)


def _rank(attribute: Attribute) -> tuple[str, tuple[int, int, int]]:
    floor = str(attribute.value.get("floor", "")) if attribute.name == RETENTION else ""
    return floor, attribute.stamp.order_key()


def applied(headers: ObjectHeaders, attributes: Iterable[Attribute]) -> ObjectHeaders:
    """Return what is known of a version once these attributes were set."""
    for attribute in attributes:
        value = attribute.value
        if attribute.name == TAGGING:
            headers = replace(headers, tags={str(k): str(v) for k, v in value.items()})
        elif attribute.name == ACL:
            headers = replace(headers, acl=dict(value))
        elif attribute.name == RETENTION:
            rest = {name: text for name, text in headers.lock.items() if name == "hold"}
            headers = replace(headers, lock={**rest, **{k: str(v) for k, v in value.items()}})
        elif attribute.name == LEGAL_HOLD:
            headers = replace(headers, lock={**headers.lock, "hold": str(value.get("hold", ""))})
    return headers
