"""Who is who, for the request path: users by their canonical ids, remembered for a moment.

A change in this process is seen at once; one that the worker process or a command made, after
at most `FRESH_SECONDS`.
"""

import json
import threading
from dataclasses import dataclass

from rs3gw.common import clock
from rs3gw.s3.core.accounts import ROOT
from rs3gw.storage import rows

FRESH_SECONDS = 1.0
ENTRIES_MAX = 2000
_FIND = (
    "SELECT u.user_id, u.account_id, u.display_name, u.email, u.is_enabled, u.policies, "
    "a.is_enabled FROM s3_s3user u LEFT JOIN s3_s3user a ON a.user_id = u.account_id "
    "WHERE u.user_id = %s"
)
# Two nodes may have given one address away at the same time: every node then finds the same user.
_FIND_EMAIL = (
    "SELECT user_id FROM s3_s3user WHERE email = %s AND email <> '' "
    "ORDER BY created_at, user_id LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class UserFacts:
    """What a request has to know about a user.

    Attributes:
        user_id: Its canonical id.
        account_id: The account it acts for; its own id when it is an account.
        display_name: For people.
        email: "" when it has none.
        is_enabled: Whether it may do anything: it and its account are enabled.
        policies: Name and text of its inline policies, by name.
    """

    user_id: str
    account_id: str
    display_name: str
    email: str
    is_enabled: bool
    policies: tuple[tuple[str, str], ...]

    def is_account(self) -> bool:
        """Return whether the user owns what it makes."""
        return self.account_id == self.user_id


_ROOT_FACTS = UserFacts(ROOT, ROOT, ROOT, "", is_enabled=True, policies=())
_known: dict[str, tuple[float, UserFacts | None]] = {}
_lock = threading.Lock()
_generation = 0


def user(user_id: str) -> UserFacts | None:
    """Return the facts of a user, None when there is none of this id."""
    remembered = _known.get(user_id)
    if remembered is not None and clock.monotonic() - remembered[0] < FRESH_SECONDS:
        return remembered[1]
    generation, asked_at = _generation, clock.monotonic()
    facts = _read(user_id)
    with _lock:
        # What was read before a change must not outlive it.
        if generation == _generation:
            if len(_known) >= ENTRIES_MAX:
                _known.clear()
            _known[user_id] = (asked_at, facts)
    return facts


def account_of(user_id: str) -> str:
    """Return the account that a user acts for; an unknown id stands for itself."""
    facts = user(user_id)
    return user_id if facts is None else facts.account_id


def display_name(canonical_id: str) -> str:
    """Return the name to show for an id, the id itself when nobody has it."""
    facts = user(canonical_id)
    return canonical_id if facts is None else facts.display_name or canonical_id


def is_known(canonical_id: str) -> bool:
    """Return whether an id is a user's."""
    return user(canonical_id) is not None


def find_by_email(email: str) -> str | None:
    """Return the id of the user with an e-mail address, in capitals or not; one query."""
    row = rows.fetch_one(_FIND_EMAIL, (email.lower(),))
    return None if row is None else str(row[0])


def forget() -> None:
    """Read everything anew: something has changed."""
    global _generation
    with _lock:
        _generation += 1
        _known.clear()


def _read(user_id: str) -> UserFacts | None:
    if not user_id or "\0" in user_id:
        return None
    row = rows.fetch_one(_FIND, (user_id,))
    if row is None:
        return _ROOT_FACTS if user_id == ROOT else None
    found_id, account_id, name, email, is_enabled, policies, account_enabled = row
    is_account = account_id in ("", found_id)
    return UserFacts(
        user_id=found_id,
        account_id=found_id if is_account else account_id,
        display_name=name,
        email=email,
        is_enabled=bool(is_enabled and (is_account or account_enabled)),
        policies=tuple(sorted(json.loads(policies).items())),
    )
