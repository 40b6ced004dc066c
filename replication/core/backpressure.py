"""What writers feel of a backlog: first a header, then, where that is wanted, a brake.

A backlog is what the members of the region lack of this node's writes. Over the soft limit,
answers to writes say how old it is. Over the hard limit the policy decides: nothing, a delay that
grows with the backlog, or a refusal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

DELAY_SECONDS_MAX = 0.25
FIELDS = ("policy", "soft_age_seconds", "hard_age_seconds", "soft_events", "hard_events")


class BackpressurePolicy(StrEnum):
    """What is done to writes over the hard limit."""

    NONE = "none"
    DELAY = "delay"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What the member that is furthest behind lacks.

    Attributes:
        age_seconds: Age of the oldest change it lacks; 0 when it lacks none.
        events: How many entries of the log it lacks.
    """

    age_seconds: float = 0.0
    events: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BackpressureLimits:
    """From where on a backlog is felt.

    Attributes:
        policy: What is done over the hard limit.
        soft_age_seconds: Older backlogs are told of; > 0.
        hard_age_seconds: Older ones are too old; at least the soft limit.
        soft_events: Longer backlogs are told of; > 0.
        hard_events: Longer ones are too long; at least the soft limit.
    """

    policy: BackpressurePolicy = BackpressurePolicy.NONE
    soft_age_seconds: float = 60.0
    hard_age_seconds: float = 600.0
    soft_events: int = 10_000
    hard_events: int = 100_000

    def __post_init__(self) -> None:
        """Check that the limits are in order.

        Raises:
            ValueError: A soft limit is not > 0, or greater than its hard one.
        """
        for what in ("age_seconds", "events"):
            soft, hard = getattr(self, f"soft_{what}"), getattr(self, f"hard_{what}")
            if not 0 < soft <= hard:
                raise ValueError(
                    f"soft_{what} must be more than 0 and at most hard_{what}; "
                    f"they are {soft:g} and {hard:g}"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressure:
    """What a write feels.

    Attributes:
        is_felt: The backlog is over a soft limit: answers tell its age.
        delay_seconds: How long the write is held back first; 0 to DELAY_SECONDS_MAX.
        is_refused: The write is refused before its body is read.
    """

    is_felt: bool = False
    delay_seconds: float = 0.0
    is_refused: bool = False


def decide(backlog: Backlog, limits: BackpressureLimits) -> Pressure:
    """Return what a write feels of this backlog."""
    over = max(backlog.age_seconds / limits.hard_age_seconds, backlog.events / limits.hard_events)
    is_felt = backlog.age_seconds > limits.soft_age_seconds or backlog.events > limits.soft_events
    if over <= 1 or limits.policy is BackpressurePolicy.NONE:
        return Pressure(is_felt=is_felt)
    if limits.policy is BackpressurePolicy.REJECT:
        return Pressure(is_felt=True, is_refused=True)
    # The full delay is reached at twice the hard limit.
    return Pressure(is_felt=True, delay_seconds=DELAY_SECONDS_MAX * min(1.0, over - 1))


def limits_from_json(
    value: Mapping[str, object], default: BackpressureLimits
) -> BackpressureLimits:
    """Return limits as a bucket's setting gives them; what it does not name is the cluster's.

    Raises:
        ValueError: A field is unknown or has a value that cannot be.
    """
    unknown = sorted(set(value) - set(FIELDS))
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r}; known are {', '.join(FIELDS)}")
    policy = value.get("policy", default.policy.value)
    if policy not in list(BackpressurePolicy):
        raise ValueError("policy must be none, delay or reject")
    soft_age, hard_age = _pair(value, "age_seconds", default)
    soft_events, hard_events = _pair(value, "events", default)
    return BackpressureLimits(
        policy=BackpressurePolicy(str(policy)),
        soft_age_seconds=soft_age,
        hard_age_seconds=hard_age,
        soft_events=int(soft_events),
        hard_events=int(hard_events),
    )


def _pair(
    value: Mapping[str, object], what: str, default: BackpressureLimits
) -> tuple[float, float]:
    """Return a soft and a hard limit; one that is given alone moves the other out of its way."""
    soft, hard = (_number(value, f"{level}_{what}") for level in ("soft", "hard"))
    known_soft, known_hard = (getattr(default, f"{level}_{what}") for level in ("soft", "hard"))
    if soft is None:
        soft = known_soft if hard is None else min(known_soft, hard)
    if hard is None:
        hard = max(known_hard, soft)
    return soft, hard


def _number(value: Mapping[str, object], field: str) -> float | None:
    found = value.get(field)
    if found is None:
        return None
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    if not is_number or not 0 < float(str(found)) < 1e12:
        raise ValueError(f"{field} must be a number greater than 0")
    return float(str(found))
