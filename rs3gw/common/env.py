"""Typed reading of the environment; a bad value stops the start.

Each helper takes the variable's name and default. `NAME_FILE` may name a file that holds the
value instead, as container secrets do; giving both is an error, because one would be ignored.
"""

import os
import re
from collections.abc import Collection
from pathlib import Path

from rs3gw.common.errors import SettingError

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})
DURATION_UNITS_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
SIZE_UNITS_BYTES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$")
_SIZE = re.compile(r"^(\d+)\s*([kmgt]?)(?:i?b)?$")


def raw(name: str) -> str | None:
    """Return the variable's text, or that of the file named by `NAME_FILE`.

    Raises:
        SettingError: Both are given, or the file cannot be read.
    """
    value = os.environ.get(name)
    file_name = os.environ.get(f"{name}_FILE")
    if not file_name:
        return value if value != "" else None
    if value:
        raise SettingError(f"{name}_FILE", file_name, f"give {name} or {name}_FILE, not both")
    try:
        return Path(file_name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{name}_FILE", file_name, f"the file cannot be read: {error}") from None


def envstr(name: str, default: str = "", *, pattern: str = "", allowed: str = "") -> str:
    """Return text that matches the whole of `pattern`, when one is given."""
    value = raw(name)
    if value is None:
        return default
    if pattern and not re.fullmatch(pattern, value):
        raise SettingError(name, value, allowed or f"it must match {pattern}")
    return value


def envsecret(name: str, *, bytes_min: int = 16) -> str:
    """Return a secret of at least `bytes_min` bytes, or "" when it is not set."""
    value = raw(name)
    if value is not None and len(value.encode()) < bytes_min:
        raise SettingError(name, "(hidden)", f"it must be at least {bytes_min} bytes long")
    return value or ""


def envbool(name: str, *, default: bool = False) -> bool:
    """Return a truth value: true/false, yes/no, on/off, 1/0."""
    value = raw(name)
    if value is None:
        return default
    word = value.strip().lower()
    if word not in TRUE_WORDS | FALSE_WORDS:
        raise SettingError(name, value, "it must be one of true, false, yes, no, on, off, 1, 0")
    return word in TRUE_WORDS


def envint(name: str, default: int, *, minimum: int, maximum: int) -> int:
    """Return a whole number in [minimum, maximum]."""
    value = raw(name)
    if value is None:
        return default
    allowed = f"it must be a whole number from {minimum} to {maximum}"
    try:
        number = int(value)
    except ValueError:
        raise SettingError(name, value, allowed) from None
    if not minimum <= number <= maximum:
        raise SettingError(name, value, allowed)
    return number


def envduration(name: str, default_seconds: float, *, minimum: float, maximum: float) -> float:
    """Return seconds, from a number of seconds or a number with ms, s, m, h or d."""
    value = raw(name)
    if value is None:
        return default_seconds
    allowed = f"it must be a duration from {minimum:g}s to {maximum:g}s, such as 500ms, 5s or 2m"
    match = _DURATION.match(value.strip().lower())
    if not match:
        raise SettingError(name, value, allowed)
    seconds = float(match[1]) * DURATION_UNITS_SECONDS[match[2] or "s"]
    if not minimum <= seconds <= maximum:
        raise SettingError(name, value, allowed)
    return seconds


def envsize(name: str, default_bytes: int, *, minimum: int, maximum: int) -> int:
    """Return bytes, from a number or a number with KiB, MiB, GiB or TiB (or their first letter)."""
    value = raw(name)
    if value is None:
        return default_bytes
    allowed = f"it must be a size from {minimum} to {maximum} bytes, such as 16KiB or 5GiB"
    match = _SIZE.match(value.strip().lower())
    if not match:
        raise SettingError(name, value, allowed)
    size_bytes = int(match[1]) * SIZE_UNITS_BYTES[match[2]]
    if not minimum <= size_bytes <= maximum:
        raise SettingError(name, value, allowed)
    return size_bytes


def envlist(name: str, *, pattern: str = ".+", allowed: str = "") -> list[str]:
    """Return a comma-separated list without empty items; each matches `pattern`."""
    items = [item.strip() for item in (raw(name) or "").split(",") if item.strip()]
    for item in items:
        if not re.fullmatch(pattern, item):
            raise SettingError(name, item, allowed or f"each item must match {pattern}")
    return items


def envchoice(name: str, default: str, choices: Collection[str]) -> str:
    """Return one of `choices`, compared in lower case."""
    value = (raw(name) or default).strip().lower()
    if value not in choices:
        raise SettingError(name, value, f"it must be one of {', '.join(sorted(choices))}")
    return value
