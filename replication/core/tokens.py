"""Session tokens: which changes a client has made or seen, as one header holds them.

The text is `actor:seq` for each writer, separated by commas. A client that sends back what it was
told reads its own writes on any node.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

WRITERS_MAX = 32
_TEXT = re.compile(r"\d{1,19}:\d{1,19}(, *\d{1,19}:\d{1,19})*", re.ASCII)
NUMBER_MAX = 2**63 - 1


class MalformedToken(ValueError):
    """The text is no session token."""


@dataclass(frozen=True, slots=True)
class Token:
    """The newest change of each of some writers: (actor, seq) pairs."""

    changes: tuple[tuple[int, int], ...] = ()

    def __str__(self) -> str:
        return ",".join(f"{actor}:{seq}" for actor, seq in self.changes)

    def is_met(self, frontiers: Mapping[int, int]) -> bool:
        """Return whether who has applied all up to `frontiers` has applied these changes."""
        return all(frontiers.get(actor, 0) >= seq for actor, seq in self.changes)


def parse_token(text: str) -> Token:
    """Return the token that a header holds; the newest change of a writer counts.

    Raises:
        MalformedToken: It has another form, or names more than `WRITERS_MAX` writers.
    """
    if len(text) > WRITERS_MAX * 44 or not _TEXT.fullmatch(text):
        raise MalformedToken("A session token is actor:seq, separated by commas.")
    newest: dict[int, int] = {}
    for pair in text.split(","):
        actor, seq = (int(number) for number in pair.split(":"))
        if max(actor, seq) > NUMBER_MAX:
            raise MalformedToken("A number of the session token has more than 63 bits.")
        newest[actor] = max(seq, newest.get(actor, 0))
    if len(newest) > WRITERS_MAX:
        raise MalformedToken(f"A session token names at most {WRITERS_MAX} writers.")
    return Token(tuple(sorted(newest.items())))
