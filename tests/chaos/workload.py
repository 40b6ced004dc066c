"""Clients that write, read, delete and list through all nodes, and note what they were told."""

import itertools
import random
import threading
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass

from tests.chaos.client import NoAnswerError, NotSentError
from tests.chaos.history import (
    ABSENT,
    DELETE,
    FAILED,
    GET,
    LIST,
    OK,
    PUT,
    UNKNOWN,
    DamageError,
    Op,
    Shown,
    Snapshot,
    Version,
    body_of,
    etag_of,
    value_of,
)
from tests.chaos.region import thread_in
from tests.probe.cluster import wait_until

VERSIONING_ON = (
    b'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    b"<Status>Enabled</Status></VersioningConfiguration>"
)
SIZES_BYTES = (200, 3_000, 40_000, 90_000)
KINDS, WEIGHTS = (PUT, DELETE, GET, LIST), (50, 10, 34, 6)
THINK_SECONDS = (0.01, 0.05)
CLIENTS_PER_NODE = 2
KEYS = 12


def make_buckets(cluster, name):
    """Make two buckets, the second with versions, and wait until every node has both."""
    buckets = f"{name}-plain", f"{name}-kept"
    for bucket in buckets:
        answer = cluster.send(0, "PUT", bucket)
        assert answer.status == 200, answer
    answer = cluster.send(0, "PUT", buckets[1], query=[("versioning", "")], body=VERSIONING_ON)
    assert answer.status == 200, answer
    for node in cluster.all:
        wait_until(
            lambda node=node: (
                cluster.send(node, "GET", buckets[0]).status == 200
                and b"Enabled"
                in cluster.send(node, "GET", buckets[1], query=[("versioning", "")]).body
            ),
            30,
            f"node {node} knows the buckets",
        )
    return buckets


def outcome_of(answer):
    """Return (outcome, version) of an answer to a write."""
    told = answer.headers.get("x-rs3gw-write-outcome", "")
    if told.startswith("indeterminate"):
        words = dict(part.strip().partition("=")[::2] for part in told.split(";"))
        return UNKNOWN, words.get("version-id", "")
    if answer.status in (200, 204):
        return OK, answer.version_id or ""
    is_certain = answer.status < 500 or answer.status in (503, 507)
    return (FAILED if is_certain else UNKNOWN), ""


def certified(answer):
    """Return (value, what is wrong) of an answer to a read."""
    try:
        value = value_of(answer.body)
    except DamageError as error:
        return ABSENT, str(error)
    if answer.etag != etag_of(answer.body):
        return value, f"the entity tag of {value} is {answer.etag}"
    if answer.headers.get("x-amz-meta-value") != value:
        return value, f"the metadata of {value} say {answer.headers.get('x-amz-meta-value')}"
    return value, ""


@dataclass(frozen=True, slots=True)
class Load:
    """What the clients do; `kinds` are weights of put, delete, get and list."""

    buckets: tuple[str, ...]
    keys: int = KEYS
    clients_per_node: int = CLIENTS_PER_NODE
    weights: tuple[int, ...] = WEIGHTS
    sizes_bytes: tuple[int, ...] = SIZES_BYTES
    think_seconds: tuple[float, float] = THINK_SECONDS


class Workload:
    """A context manager: clients run inside it; `history` is what they noted."""

    def __init__(self, cluster, load, seed=1):
        self.history = []
        self.prefix = ""
        self._cluster, self._load, self._seed = cluster, load, seed
        self._numbers = itertools.count(1)
        self._stopping, self._resting = threading.Event(), threading.Event()
        self._busy = set()
        self._threads = []

    def __enter__(self):
        count = len(self._cluster.all) * self._load.clients_per_node
        self._threads = [thread_in(self._cluster, self._run, number) for number in range(count)]
        return self

    def __exit__(self, *_):
        self._stopping.set()
        deadline = time.monotonic() + 60
        for thread in self._threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))

    def run_for(self, seconds):
        """Let the clients work for a while; the passing of time is the point."""
        self._stopping.wait(seconds)

    def rest(self):
        """Let the clients stop after what they are at; returns when all of them have."""
        self._resting.set()
        wait_until(lambda: not self._busy, 30, "the clients rest")

    def go_on(self):
        """Let the clients work again."""
        self._resting.clear()

    def _run(self, number):
        node = number % len(self._cluster.all)
        client = self._cluster.client(node)
        rng = random.Random(f"{self._seed} {number}")
        while not self._stopping.wait(rng.uniform(*self._load.think_seconds)):
            self._busy.add(number)
            if not self._resting.is_set():
                self.step(client, node, rng)
            self._busy.discard(number)
        client.close()

    def step(self, client, node, rng):
        """Do one operation and note it."""
        kind = rng.choices(KINDS, self._load.weights)[0]
        bucket = rng.choice(self._load.buckets)
        number = next(self._numbers)
        key = "" if kind == LIST else f"{self.prefix}k{rng.randrange(self._load.keys):02}"
        value = f"v{number}" if kind == PUT else ABSENT
        size_bytes = rng.choice(self._load.sizes_bytes)
        start = time.monotonic()
        found = self._try(client, kind, bucket, key, value, size_bytes)
        end = time.monotonic()
        named = {"value": value, **found}
        op = Op(
            number=number,
            kind=kind,
            node=node,
            bucket=bucket,
            key=key,
            start=start,
            end=end,
            **named,
        )
        self.history.append(op)

    def _try(self, client, kind, bucket, key, value, size_bytes):
        try:
            if kind == PUT:
                body = body_of(value, size_bytes)
                answer = client.send(
                    "PUT", bucket, key, body=body, headers={"x-amz-meta-value": value}
                )
            elif kind == DELETE:
                answer = client.send("DELETE", bucket, key)
            elif kind == GET:
                answer = client.send("GET", bucket, key)
            else:
                answer = client.send("GET", bucket, query=[("list-type", "2")])
        except NotSentError as error:
            return {"outcome": FAILED, "note": f"not sent: {error}"}
        except NoAnswerError as error:
            return {"outcome": UNKNOWN, "note": f"no answer: {error}"}
        return self._judged(kind, answer)

    @staticmethod
    def _judged(kind, answer):
        note = "" if answer.status < 400 else answer.body[:200].decode(errors="replace")
        if kind in (PUT, DELETE):
            outcome, version = outcome_of(answer)
            return {
                "outcome": outcome, "status": answer.status, "version": version, "note": note
            }  # fmt: skip
        if kind == GET and answer.status == 200:
            value, note = certified(answer)
            return {"outcome": OK, "status": 200, "value": value, "note": note}
        if answer.status in (200, 404):
            return {"outcome": OK, "status": answer.status}
        return {"outcome": FAILED, "status": answer.status, "note": note}


# --- what nodes show

NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def _text(element, name):
    return element.findtext(f"{NAMESPACE}{name}") or element.findtext(name) or ""


def listing(cluster, node, bucket):
    """Return {key: (etag, size, modified)} as a node lists a bucket."""
    answer = cluster.send(node, "GET", bucket, query=[("list-type", "2")])
    assert answer.status == 200, f"node {node} lists {bucket}: {answer}"
    return {
        _text(item, "Key"): (
            _text(item, "ETag").strip('"'),
            int(_text(item, "Size")),
            _text(item, "LastModified"),
        )
        for item in ET.fromstring(answer.body)
        if item.tag.endswith("Contents")
    }


def versions(cluster, node, bucket):
    """Return the versions of a bucket in the order in which a node lists them."""
    found, query = [], [("versions", "")]
    while True:
        answer = cluster.send(node, "GET", bucket, query=query)
        assert answer.status == 200, f"node {node} lists versions of {bucket}: {answer}"
        page = ET.fromstring(answer.body)
        found += [
            Version(
                _text(item, "Key"),
                _text(item, "VersionId"),
                item.tag.endswith("DeleteMarker"),
                _text(item, "IsLatest") == "true",
                _text(item, "ETag").strip('"'),
            )
            for item in page
            if item.tag.endswith(("}Version", "DeleteMarker")) or item.tag == "Version"
        ]
        if _text(page, "IsTruncated") != "true":
            return tuple(found)
        query = [
            ("versions", ""),
            ("key-marker", _text(page, "NextKeyMarker")),
            ("version-id-marker", _text(page, "NextVersionIdMarker")),
        ]


def _shown(cluster, node, bucket, key, listed):
    etag, size_bytes, modified = listed
    answer = cluster.send(node, "GET", bucket, key)
    if answer.status != 200:
        # The entry is there, and its body somewhere else: it still says which write it is of.
        head = cluster.send(node, "HEAD", bucket, key)
        value = head.headers.get("x-amz-meta-value", ABSENT)
        return Shown(value, etag, size_bytes, (), modified, f"{answer.status} {answer.body[:200]}")
    value, note = certified(answer)
    if (answer.etag, len(answer.body)) != (etag, size_bytes):
        note = note or f"listed as {etag} {size_bytes}, read as {answer.etag} {len(answer.body)}"
    names = sorted(n for n in answer.headers if n.startswith(("x-amz-meta", "x-amz-version-id")))
    metadata = tuple((name, answer.headers[name]) for name in (*names, "last-modified"))
    return Shown(value, etag, size_bytes, metadata, modified, note)


def snapshot(cluster, node, bucket, *, has_versions=False):
    """Return everything that a node shows of a bucket, with every body read."""
    objects = {
        key: _shown(cluster, node, bucket, key, listed)
        for key, listed in listing(cluster, node, bucket).items()
    }
    found = versions(cluster, node, bucket) if has_versions else ()
    return Snapshot(node, bucket, objects, found)


def differences(cluster, buckets, nodes):
    """Return in what nodes list the buckets differently, as sentences."""
    found = []
    for bucket in buckets:
        first, *others = ((node, listing(cluster, node, bucket)) for node in nodes)
        for node, listed in others:
            keys = sorted(dict(first[1].items() ^ listed.items()))
            if keys:
                found.append(f"nodes {first[0]} and {node} list {keys} of {bucket} differently")
    return found


def unsent(cluster):
    """Return what waits to be sent, as sentences."""
    counts = {node: waiting(cluster, node) for node in cluster.all}
    return [f"{count:g} events wait on node {node}" for node, count in counts.items() if count]


def waiting(cluster, node):
    """Return how many events wait on a node; -1 when it does not answer."""
    found = cluster.metrics(node)
    name = "rs3gw_replication_events_pending"
    counts = [value for sample, value in found.items() if sample.startswith(name)]
    return sum(counts) if found else -1


def wait_sent(cluster, deadline_seconds=30):
    """Wait until nothing waits to be sent, whatever the nodes show."""
    _wait_for_none(lambda: unsent(cluster), deadline_seconds, "nothing waits")


def wait_alike(cluster, buckets, nodes, deadline_seconds=30):
    """Wait until some nodes list the same, whatever waits."""
    what = f"nodes {nodes} list the same"
    _wait_for_none(lambda: differences(cluster, buckets, nodes), deadline_seconds, what)


def wait_converged(cluster, buckets, deadline_seconds=30):
    """Wait until all nodes list the same and nothing waits; return the seconds it took."""
    began = time.monotonic()
    _wait_for_none(
        lambda: differences(cluster, buckets, cluster.all) + unsent(cluster),
        deadline_seconds,
        "all nodes list the same and nothing waits",
    )
    return time.monotonic() - began


def _wait_for_none(find, deadline_seconds, what):
    last = []

    def is_over():
        try:
            last[:] = find()
        except (AssertionError, NoAnswerError, NotSentError) as error:
            last[:] = [str(error)]
        return not last

    try:
        wait_until(is_over, deadline_seconds, what)
    except AssertionError as error:
        raise AssertionError("\n".join([str(error), *last])) from None
