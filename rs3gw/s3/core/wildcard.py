"""Patterns of policies: `*`, `?` and policy variables, matched without backtracking.

A pattern is cut at its stars. Each piece is then looked for once, at the first place after the
piece before it, which decides the match: nothing is ever tried twice, whatever the pattern.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Lookup = Callable[[str], str | None]
_SPECIAL = {"*": "*", "?": "?", "$": "$"}
_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_DEFAULTED = re.compile(r"\s*([^\s,]+)\s*,\s*'(.*)'\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Variable:
    """A policy variable: a lower-case context key, and the text when the key is missing."""

    key: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class One:
    """Any one character."""


Token = str | One | Variable
_ONE = One()


@dataclass(frozen=True, slots=True)
class Piece:
    """Texts and single characters between two stars."""

    tokens: tuple[Token, ...]
    literal: str | None
    shape: re.Pattern[str] | None
    size: int

    def at(self, text: str, start: int) -> bool:
        """Return whether the piece stands at a place of a text."""
        if self.literal is not None:
            return text.startswith(self.literal, start)
        return self.shape is not None and self.shape.match(text, start) is not None

    def find(self, text: str, start: int, end: int) -> int:
        """Return the first place between two places, or -1."""
        if self.literal is not None:
            return text.find(self.literal, start, end)
        found = self.shape.search(text, start, end) if self.shape else None
        return found.start() if found else -1


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern: pieces between stars, in order."""

    text: str
    pieces: tuple[Piece, ...]

    @property
    def is_fixed(self) -> bool:
        """Whether the pattern is one text: without wildcards and variables."""
        return len(self.pieces) == 1 and self.pieces[0].literal is not None

    @property
    def is_bound(self) -> bool:
        """Whether the pattern has no variables."""
        return not any(isinstance(t, Variable) for piece in self.pieces for t in piece.tokens)

    def matches(self, text: str, lookup: Lookup) -> bool:
        """Return whether a whole text matches; a variable without a value matches nothing."""
        pieces = _bind(self.pieces, lookup)
        if pieces is None:
            return False
        first, last = pieces[0], pieces[-1]
        if len(pieces) == 1:
            return len(text) == first.size and first.at(text, 0)
        place, end = first.size, len(text) - last.size
        if place > end or not first.at(text, 0) or not last.at(text, end):
            return False
        for piece in pieces[1:-1]:
            found = piece.find(text, place, end)
            if found < 0:
                return False
            place = found + piece.size
        return True


def _piece(tokens: tuple[Token, ...]) -> Piece:
    if any(isinstance(token, Variable) for token in tokens):
        return Piece(tokens, None, None, 0)
    if all(isinstance(token, str) for token in tokens):
        literal = "".join(str(token) for token in tokens)
        return Piece(tokens, literal, None, len(literal))
    source = "".join("." if isinstance(token, One) else re.escape(str(token)) for token in tokens)
    size = sum(1 if isinstance(token, One) else len(str(token)) for token in tokens)
    return Piece(tokens, None, re.compile(source, re.DOTALL), size)


def _bind(pieces: tuple[Piece, ...], lookup: Lookup) -> tuple[Piece, ...] | None:
    """Return pieces with the values of their variables, taken literally."""
    bound: list[Piece] = []
    for piece in pieces:
        if piece.literal is not None or piece.shape is not None:
            bound.append(piece)
            continue
        tokens = tuple(_value(token, lookup) for token in piece.tokens)
        if None in tokens:
            return None
        bound.append(_piece(tuple(token for token in tokens if token is not None)))
    return tuple(bound)


def _value(token: Token, lookup: Lookup) -> Token | None:
    if not isinstance(token, Variable):
        return token
    found = lookup(token.key)
    return token.default if found is None else found


def _variable(inside: str) -> Token:
    """Return what `${inside}` stands for."""
    if inside.strip() in _SPECIAL:
        return _SPECIAL[inside.strip()]
    defaulted = _DEFAULTED.fullmatch(inside)
    if defaulted:
        return Variable(defaulted[1].lower(), defaulted[2])
    return Variable(inside.strip().lower())


def _plain(text: str, *, wildcards: bool) -> Iterator[Token | None]:
    """Yield the tokens of a text without variables, None for a star."""
    if not wildcards:
        if text:
            yield text
        return
    for part in re.split(r"([*?])", text):
        if part == "*":
            yield None
        elif part == "?":
            yield _ONE
        elif part:
            yield part


def _tokens(text: str, *, wildcards: bool, variables: bool) -> Iterator[Token | None]:
    place = 0
    for found in _VARIABLE.finditer(text) if variables else ():
        if not found[1].strip():
            continue
        yield from _plain(text[place : found.start()], wildcards=wildcards)
        yield _variable(found[1])
        place = found.end()
    yield from _plain(text[place:], wildcards=wildcards)


def compile_pattern(text: str, *, variables: bool, wildcards: bool = True) -> Pattern:
    """Return a pattern.

    Args:
        text: As in the policy.
        variables: Whether `${key}` stands for a value of the context (else for itself).
        wildcards: Whether `*` and `?` stand for other characters (else for themselves).
    """
    pieces: list[list[Token]] = [[]]
    for token in _tokens(text, wildcards=wildcards, variables=variables):
        if token is not None:
            pieces[-1].append(token)
        elif pieces[-1] or len(pieces) == 1:
            pieces.append([])
    return Pattern(text, tuple(_piece(tuple(tokens)) for tokens in pieces))


def no_variables(_: str) -> None:
    """Know no variable: the lookup for patterns that have none."""
    return
