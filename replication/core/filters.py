"""Which objects a rule is about.

A filter is a value: a prefix, a set of tags that must all be there, or several filters that must
all match. The empty filter matches everything.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ReplicationFilter:
    """A condition on key and tags; all of its parts must hold.

    Attributes:
        key_prefix: What the key starts with; "" for any.
        required_tags: Tags that the object must carry, with these values.
        parts: Filters that must match too.
    """

    key_prefix: str = ""
    required_tags: tuple[tuple[str, str], ...] = ()
    parts: tuple["ReplicationFilter", ...] = ()

    @classmethod
    def prefix(cls, key_prefix: str) -> "ReplicationFilter":
        """Return a filter for keys that start with `key_prefix`."""
        return cls(key_prefix=key_prefix)

    @classmethod
    def tags(cls, required: Iterable[tuple[str, str]]) -> "ReplicationFilter":
        """Return a filter for objects that carry all of these tags."""
        return cls(required_tags=tuple(sorted(required)))

    @classmethod
    def and_(cls, filters: Sequence["ReplicationFilter"]) -> "ReplicationFilter":
        """Return a filter that matches what all of `filters` match."""
        return cls(parts=tuple(filters))

    def matches(self, key: str, tags: Mapping[str, str]) -> bool:
        """Return whether an object with this key and these tags is meant."""
        return (
            key.startswith(self.key_prefix)
            and all(tags.get(name) == value for name, value in self.required_tags)
            and all(part.matches(key, tags) for part in self.parts)
        )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object; an empty one matches everything."""
        value: dict[str, Any] = {
            "prefix": self.key_prefix,
            "tags": dict(self.required_tags),
            "and": [part.to_json() for part in self.parts],
        }
        return {name: content for name, content in value.items() if content}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ReplicationFilter":
        """Return the filter that `to_json` wrote.

        Raises:
            ValueError: The object has a member that is not known, or of another type.
        """
        unknown = set(value) - {"prefix", "tags", "and"}
        prefix, tags, parts = value.get("prefix", ""), value.get("tags", {}), value.get("and", [])
        is_valid = isinstance(prefix, str) and isinstance(tags, Mapping) and isinstance(parts, list)
        if unknown or not is_valid:
            raise ValueError(f"not a filter: {dict(value)}")
        return cls(
            prefix,
            tuple(sorted((str(name), str(text)) for name, text in tags.items())),
            tuple(cls.from_json(part) for part in parts),
        )
