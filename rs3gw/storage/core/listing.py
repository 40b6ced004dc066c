"""Order and grouping of keys in a listing.

Keys sort by their UTF-8 bytes, which is the order of their code points. A group of keys under
one common prefix is skipped by seeking to the least key after all of them.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

CODE_POINT_MAX = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
E = TypeVar("E")


def successor(prefix: str) -> str | None:
    """Return the least text after every text that starts with `prefix`; None when there is none."""
    for index in range(len(prefix) - 1, -1, -1):
        point = ord(prefix[index]) + 1
        if point in _SURROGATES:
            point = _SURROGATES.stop
        if point <= CODE_POINT_MAX:
            return prefix[:index] + chr(point)
    return None


def common_prefix(key: str, prefix: str, delimiter: str) -> str | None:
    """Return the group a key belongs to: up to and with the first delimiter after `prefix`."""
    if not delimiter:
        return None
    end = key.find(delimiter, len(prefix))
    return None if end < 0 else key[: end + len(delimiter)]


@dataclass(slots=True)
class Page(Generic[E]):
    """A page of a listing while it fills.

    Attributes:
        next_start_after: The last key or group given; where the next page begins.
    """

    keys_max: int
    entries: list[E] = field(default_factory=list)
    common_prefixes: list[str] = field(default_factory=list)
    is_truncated: bool = False
    next_start_after: str = ""

    def item_count(self) -> int:
        """Return how many objects and groups the page has."""
        return len(self.entries) + len(self.common_prefixes)

    def is_full(self) -> bool:
        """Return whether one more item would exceed `keys_max`."""
        return self.item_count() >= self.keys_max

    def add_entry(self, key: str, entry: E) -> bool:
        """Add an object; return False, and mark the page truncated, when it is full."""
        if self.is_full():
            self.is_truncated = True
            return False
        self.entries.append(entry)
        self.next_start_after = key
        return True

    def add_group(self, group: str) -> bool:
        """Add a common prefix; return False, and mark the page truncated, when it is full."""
        if self.is_full():
            self.is_truncated = True
            return False
        self.common_prefixes.append(group)
        self.next_start_after = group
        return True
