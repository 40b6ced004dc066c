"""Short histories, written as they are told: who asked whom for what, from when to when."""

import itertools

from tests.chaos.history import ABSENT, DELETE, GET, OK, PUT, Op, Shown, Snapshot, Version

BUCKET, KEY = "plain", "k"
_numbers = itertools.count(1)


def _op(kind, node, start, end, **rest):
    values = {"bucket": BUCKET, "key": KEY, "outcome": OK, "status": 200} | rest
    return Op(number=next(_numbers), kind=kind, node=node, start=start, end=end, **values)


def put(value, node, start, end, **rest):
    return _op(PUT, node, start, end, value=value, **rest)


def delete(node, start, end, **rest):
    return _op(DELETE, node, start, end, **rest)


def read(value, node, start, end, **rest):
    return _op(GET, node, start, end, value=value, **rest)


def shows(node, value=ABSENT, **rest):
    """Return a snapshot in which a node shows one value of the key, or nothing."""
    values = {"etag": f"etag-{value}", "size_bytes": 1} | rest
    return Snapshot(node, BUCKET, {KEY: Shown(value, **values)} if value else {})


def shows_versions(node, *ids):
    found = tuple(Version(KEY, name, is_marker=False, is_latest=False) for name in ids)
    return Snapshot(node, BUCKET, {}, found)
