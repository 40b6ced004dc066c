"""What can be changed of a version after it was written: tags, access list, retention, hold.

Each is a register of its own, named by the dot of the version, so it converges whatever order
changes and versions arrive in. The values are also written into the version's row, where readers
find them without a second query.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rs3gw.storage import rows
from rs3gw.storage.core.attributes import Attribute, applied, supersedes
from rs3gw.storage.core.objects import Entry, ObjectHeaders
from rs3gw.storage.core.siblings import Stamp

_READ = (
    "SELECT name, value, set_actor, set_seq, set_hlc FROM storage_versionattribute "
    "WHERE actor = %s AND seq = %s"
)
_WRITE = (
    "INSERT INTO storage_versionattribute (actor, seq, name, value, set_actor, set_seq, set_hlc) "
    "VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (actor, seq, name) DO UPDATE SET "
    "value = excluded.value, set_actor = excluded.set_actor, set_seq = excluded.set_seq, "
    "set_hlc = excluded.set_hlc"
)
_FIND = "SELECT id FROM storage_objectversion WHERE actor = %s AND seq = %s"
_UPDATE = "UPDATE storage_objectversion SET headers = %s, tags = %s WHERE id = %s"


@dataclass(frozen=True, slots=True)
class VersionDot:
    """Which version an attribute belongs to: the dot of the write that made it."""

    actor: int
    seq: int


def read(version: VersionDot) -> list[Attribute]:
    """Return what was changed of a version since it was written."""
    return [
        Attribute(name, json.loads(value), Stamp(actor, seq, hlc))
        for name, value, actor, seq, hlc in rows.fetch_all(_READ, (version.actor, version.seq))
    ]


def write(version: VersionDot, attribute: Attribute) -> bool:
    """Join an attribute into what is known of a version, inside the caller's transaction.

    Returns:
        Whether it is the value that counts now.
    """
    known = {current.name: current for current in read(version)}.get(attribute.name)
    if known is not None and not supersedes(attribute, known):
        return False
    stamp = attribute.stamp
    rows.execute(
        _WRITE,
        (
            version.actor,
            version.seq,
            attribute.name,
            rows.dump(dict(attribute.value)),
            stamp.actor,
            stamp.seq,
            stamp.hlc,
        ),
    )
    found = rows.fetch_one(_FIND, (version.actor, version.seq))
    if found is not None:
        [entry] = rows.read_entries([found[0]])
        _update(entry, applied(entry.headers, [attribute]))
    return True


def newest_hlc(version: VersionDot) -> int:
    """Return the time of the newest change of a version; 0 when it has none."""
    return max((attribute.stamp.hlc for attribute in read(version)), default=0)


def complete(entry: Entry) -> Entry:
    """Return a version that arrives, with the changes that overtook it."""
    early = read(VersionDot(entry.actor, entry.seq))
    return replace(entry, headers=applied(entry.headers, early)) if early else entry


def _update(entry: Entry, headers: ObjectHeaders) -> None:
    tags: Mapping[str, Any] = headers.tags
    row = (rows.dump(headers.to_json()), rows.dump(dict(tags)), entry.row_id)
    rows.execute(_UPDATE, row)
