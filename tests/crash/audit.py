"""What a killed node left: rows against rows, and rows against files.

The database is read from a copy, so that it is the node itself that recovers its write-ahead log.
"""

import hashlib
import json
import shutil
import sqlite3
import tempfile
import time
from pathlib import Path

import psycopg

from tests.crash.ledger import DamageError
from tests.crash.load import check

DATABASE = "rs3gw.sqlite3"
OBJECT_KINDS = ("put_object", "put_delete_marker", "delete_object", "delete_object_version")
_VERSIONS = (
    "SELECT id, actor, seq, hlc, key, version_id, state, sha256, size_bytes, parts, bucket_id "
    "FROM storage_objectversion"
)
_EVENTS = (
    "SELECT shard, position, actor, seq, kind, key, version_id, body_sha256, bucket_incarnation "
    "FROM replication_replicationeventrecord"
)
_BUCKETS = "SELECT id, incarnation FROM storage_bucket"


class Audit:
    """Checks of one node's data while no process of it runs."""

    def __init__(self, node):
        self._node = node
        self._hashed = {}

    def check(self):
        """Check everything.

        Returns:
            SHA-256 of every body that a row names.

        Raises:
            DamageError: Something does not fit.
        """
        tables = self._read()
        check(tables["health"] in ([], [("ok",)]), f"the database: {tables['health']}")
        _check_log(tables)
        _check_versions(tables)
        self._check_files()
        return self._check_bodies(tables)

    def check_collected(self):
        """Check that after two sweeps exactly the bodies that rows name are left."""
        named = self.check()
        inline = {sha256 for sha256, _ in self._read()["inline"]}
        files = {path.name for path in self._files("blobs")}
        check(inline <= named, f"small bodies that nobody names: {inline - named}")
        check(files <= named, f"files that nobody names: {files - named}")
        for name in ("incoming", "trash"):
            check(not list(self._files(name)), f"{name} is not empty")

    def leftovers(self):
        """Return how many files of unfinished bodies there are."""
        return len(list(self._files("incoming")))

    def _files(self, name):
        directory = self._node.directory / name
        return (path for path in directory.rglob("*") if path.is_file())

    def _read(self):
        statements = {
            "versions": _VERSIONS,
            "events": _EVENTS,
            "buckets": _BUCKETS,
            "references": "SELECT version_id, sha256 FROM storage_partreference",
            "parts": "SELECT sha256, size_bytes FROM storage_uploadpart",
            "inline": "SELECT sha256, data FROM storage_inlinebody",
            "shards": "SELECT shard, actor, seq, position FROM storage_clockshard",
        }
        if self._node.database_url:
            return _read_postgres(self._node.database_url, statements)
        return _read_sqlite(self._node.directory / DATABASE, statements)

    def _check_files(self):
        """Every body's file has the hash that it is named by; the same file is read once."""
        for name in ("blobs", "trash"):
            for path in self._files(name):
                stat = path.stat()
                seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
                if self._hashed.get(path.name) == seen:
                    continue
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                check(digest == path.name, f"{path} holds other bytes than its name says")
                self._hashed[path.name] = seen

    def _check_bodies(self, tables):
        sizes = {
            path.name: path.stat().st_size for d in ("blobs", "trash") for path in self._files(d)
        }
        for sha256, data in tables["inline"]:
            digest = hashlib.sha256(bytes(data)).hexdigest()
            check(digest == sha256, f"small body {sha256} holds other bytes")
            sizes.setdefault(sha256, len(data))
        needed = {(v["sha256"], v["size"]) for v in tables["versions"] if v["sha256"]}
        needed |= set(tables["parts"])
        needed |= {part for v in tables["versions"] for part in v["parts"]}
        for sha256, size in needed:
            check(sizes.get(sha256) == size, f"body {sha256} of {size} bytes: {sizes.get(sha256)}")
        return {sha256 for sha256, _ in needed}


def _check_versions(tables):
    """The references of a version's parts are those that it lists; none dangles."""
    references = {}
    for row_id, sha256 in tables["references"]:
        references.setdefault(row_id, []).append(sha256)
    for version in tables["versions"]:
        listed = sorted(sha256 for sha256, _ in version["parts"])
        found = sorted(references.pop(version["id"], []))
        check(listed == found, f"{version}: references {found}")
    check(not references, f"references without a version: {references}")


def _check_log(tables):
    """The log has no gap; each row has its event; each key's rows are what the log says."""
    for shard, actor, seq, position in tables["shards"]:
        mine = [event for event in tables["events"] if event["shard"] == shard]
        dots = sorted(event["seq"] for event in mine if event["actor"] == actor)
        places = sorted(event["position"] for event in mine)
        check(dots == list(range(1, seq + 1)), f"shard {shard}: counts to {seq}, holds {dots[-3:]}")
        check(places == list(range(1, position + 1)), f"shard {shard}: positions to {position}")
    newest = {}
    for event in sorted(tables["events"], key=lambda event: event["seq"]):
        if event["kind"] in OBJECT_KINDS:
            newest[event["incarnation"], event["key"], event["version_id"]] = event
    rows = {}
    for version in tables["versions"]:
        place = (tables["buckets"][version["bucket_id"]], version["key"], version["version_id"])
        check(place not in rows, f"two rows of {place}")
        rows[place] = version
    for place in newest.keys() | rows.keys():
        _check_pair(place, newest.get(place), rows.get(place))


def _check_pair(place, event, version):
    if event is None or version is None:
        raise DamageError(f"{place}: the log says {event}, the index {version}")
    said = (event["actor"], event["seq"], event["sha256"], event["kind"].startswith("delete"))
    held = (version["actor"], version["seq"], version["sha256"], version["state"] == "tombstone")
    check(said == held, f"{place}: the log says {said}, the index {held}")


def _read_sqlite(path, statements):
    with tempfile.TemporaryDirectory(prefix="rs3gw-audit-") as directory:
        for suffix in ("", "-wal"):
            if Path(f"{path}{suffix}").exists():
                shutil.copy(f"{path}{suffix}", directory)
        connection = sqlite3.connect(Path(directory) / path.name)
        try:
            tables = {
                name: connection.execute(text).fetchall() for name, text in statements.items()
            }
            tables["health"] = connection.execute("PRAGMA integrity_check").fetchall()
            tables["health"] += connection.execute("PRAGMA foreign_key_check").fetchall()
        finally:
            connection.close()
    return _as_values(tables)


def _read_postgres(url, statements):
    with psycopg.connect(url) as connection:
        _wait_for_backends(connection)
        connection.rollback()
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        tables = {name: connection.execute(text).fetchall() for name, text in statements.items()}
    return _as_values(tables | {"health": []})


def _wait_for_backends(connection):
    """Wait until the server has noticed that the killed node's connections are gone."""
    connection.autocommit = True
    deadline = time.monotonic() + 20
    others = (
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' "
        "AND pid <> pg_backend_pid()"
    )
    while connection.execute(others).fetchone()[0]:
        check(time.monotonic() < deadline, "connections of the killed node are still open")
        time.sleep(0.02)
    connection.autocommit = False


def _as_values(tables):
    names = [
        "id",
        "actor",
        "seq",
        "hlc",
        "key",
        "version_id",
        "state",
        "sha256",
        "size",
        "parts",
        "bucket_id",
    ]
    versions = [dict(zip(names, row, strict=True)) for row in tables["versions"]]
    for version in versions:
        parts = version["parts"]
        listed = json.loads(parts) if isinstance(parts, str) else parts
        version["parts"] = [(part[3], part[1]) for part in listed]
    names = [
        "shard",
        "position",
        "actor",
        "seq",
        "kind",
        "key",
        "version_id",
        "sha256",
        "incarnation",
    ]
    events = [dict(zip(names, row, strict=True)) for row in tables["events"]]
    for event in events:
        event["incarnation"] = event["incarnation"].replace("-", "")
    buckets = {row_id: str(text).replace("-", "") for row_id, text in tables["buckets"]}
    return tables | {"versions": versions, "events": events, "buckets": buckets}
