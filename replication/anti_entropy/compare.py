"""Comparing this node's index with a peer's, and joining what either lacks.

Only what is older than a margin is compared, and what differs is looked at a second time: a change
on its way is no divergence. Which way an entry goes is decided by what is missing where; joining
decides who wins, as for any event.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from cluster import transport
from cluster.core.node import NodeInfo
from replication import backfill
from replication import transport as replication_transport
from replication.anti_entropy import scan
from replication.core import digest as core
from replication.core.digest import Cause, Difference, Digest, Item, digest_from_json
from replication.core.envelope import decode_batch
from replication.selectors import frontiers
from rs3gw.common import clock, hlc

DIGEST_PATH = "/_cluster/digest"
ENTRIES_PATH = "/_cluster/entries"
CONTROL_PATH = "/_cluster/registers"
DIGEST_TIMEOUT_SECONDS = 120.0
LEAVES_AT_ONCE = 32
DOTS_AT_ONCE = 200
SAMPLE_MAX = 20
SECOND_LOOK_SECONDS = 1.0
CONTROL = "registers and buckets"

Progress = Callable[[int, int], None]


class Cancelled(Exception):
    """Somebody asked for the comparison to end."""


@dataclass(slots=True)
class Report:
    """What a comparison found.

    Attributes:
        peer: With whom.
        buckets: How many were compared.
        keys_differing: Keys that differ and stayed so.
        keys_in_flight: Keys that differed at the first look only.
        keys_repaired: Keys whose entries were joined.
        keys_left: Keys that differ and were left for the next run.
        causes: How many keys by cause.
        sample: Some of them: bucket, key and cause.
        is_control_equal: Whether registers and buckets were the same.
    """

    peer: str
    buckets: int = 0
    keys_differing: int = 0
    keys_in_flight: int = 0
    keys_repaired: int = 0
    keys_left: int = 0
    causes: dict[str, int] = field(default_factory=dict)
    sample: list[dict[str, str]] = field(default_factory=list)
    is_control_equal: bool = True

    @property
    def is_equal(self) -> bool:
        """Whether both hold the same."""
        return self.is_control_equal and not self.keys_differing

    def note(self, bucket: str, found: Iterable[Difference]) -> None:
        """Count differences."""
        for difference in found:
            self.keys_differing += 1
            self.causes[difference.cause] = self.causes.get(difference.cause, 0) + 1
            if len(self.sample) < SAMPLE_MAX:
                said = {"bucket": bucket, "key": difference.key, "cause": difference.cause}
                self.sample.append(said)


def compare_with(
    node: NodeInfo,
    *,
    bucket: str = "",
    repairs_max: int,
    progress: Progress = lambda done, total: None,
) -> Report:
    """Compare this node's index with a peer's.

    Args:
        node: The peer.
        bucket: Only this bucket; all, and the registers, when "".
        repairs_max: How many keys to repair; 0 only looks.
        progress: Called with the buckets done and their number; raises to end early.

    Raises:
        PeerError: The peer stopped answering; what was repaired stays repaired.
    """
    client = transport.client(node)
    margin_ms = int(settings.RS3GW_COMPARE_MARGIN_SECONDS * 1000)
    through = hlc.pack(clock.now_ms() - margin_ms)
    report = Report(node.node_id)
    theirs = _ask(client, {"through": through, "bucket": bucket})
    if not bucket:
        _compare_control(client, theirs, through, report, repairs=repairs_max > 0)
    own = scan.digests(through, bucket)
    roots = {
        name: (int(total, 16), int(count)) for name, (total, count) in theirs["buckets"].items()
    }
    names = sorted(own.keys() | roots.keys())
    report.buckets = len(names)
    for done, name in enumerate(names):
        progress(done, len(names))
        mine = own.get(name, Digest())
        if mine.root() != roots.get(name, Digest().root()):
            _compare_bucket(client, name, mine, through, report, repairs_max)
    progress(len(names), len(names))
    return report


def _pause() -> None:
    """Let what is on its way arrive before the second look."""
    clock.sleep(SECOND_LOOK_SECONDS)


def _ask(client: transport.PeerClient, question: Mapping[str, object]) -> Any:
    response = client.request(
        "POST",
        DIGEST_PATH,
        body=json.dumps(question).encode(),
        timeout_seconds=DIGEST_TIMEOUT_SECONDS,
    )
    return json.loads(response.body)


def _compare_control(
    client: transport.PeerClient, theirs: Any, through: int, report: Report, *, repairs: bool
) -> None:
    if theirs["control"] == scan.control_root(through):
        return
    _pause()
    theirs = _ask(client, {"through": through, "bucket": CONTROL})
    if theirs["control"] == scan.control_root(through):
        return
    report.is_control_equal = False
    if not repairs:
        return
    response = client.request("GET", CONTROL_PATH, timeout_seconds=DIGEST_TIMEOUT_SECONDS)
    backfill.join_control(json.loads(response.body))
    body = json.dumps(backfill.control_snapshot()).encode()
    client.request("PUT", CONTROL_PATH, body=body, timeout_seconds=DIGEST_TIMEOUT_SECONDS)
    theirs = _ask(client, {"through": through, "bucket": CONTROL})
    report.is_control_equal = theirs["control"] == scan.control_root(through)


def _compare_bucket(
    client: transport.PeerClient,
    bucket: str,
    mine: Digest,
    through: int,
    report: Report,
    repairs_max: int,
) -> None:
    theirs = digest_from_json(
        _ask(client, {"through": through, "bucket": bucket, "wants_leaves": True})["leaves"]
    )
    leaves = mine.differing(theirs)
    first = _differences(client, bucket, leaves, through)
    if not first:
        return
    _pause()
    again = sorted({core.leaf_of(difference.key) for difference in first})
    stayed = {difference.key: difference for difference in first}
    found = [
        difference
        for difference in _differences(client, bucket, again, through)
        if stayed.get(difference.key) == difference
    ]
    report.keys_in_flight += len(first) - len(found)
    report.note(bucket, found)
    chosen = found[: max(0, repairs_max - report.keys_repaired)]
    for start in range(0, len(chosen), DOTS_AT_ONCE):
        _repair(client, chosen[start : start + DOTS_AT_ONCE])
    report.keys_repaired += len(chosen)
    report.keys_left += len(found) - len(chosen)


def _differences(
    client: transport.PeerClient, bucket: str, leaves: Sequence[int], through: int
) -> list[Difference]:
    """Return what differs in some leaves; deletes that one side has forgotten are left out."""
    applied_there = replication_transport.read_frontiers(client)
    applied_here = frontiers()
    found: list[Difference] = []
    for start in range(0, len(leaves), LEAVES_AT_ONCE):
        some = list(leaves[start : start + LEAVES_AT_ONCE])
        theirs = _ask(client, {"through": through, "bucket": bucket, "items": some})["items"]
        found += core.compare(
            scan.items(through, bucket, some),
            [Item(*item) for item in theirs],
            applied_here=applied_here,
            applied_there=applied_there,
        )
    return [difference for difference in found if difference.cause != Cause.COLLECTED]


def _repair(client: transport.PeerClient, differences: Sequence[Difference]) -> None:
    wanted = _dots(item for difference in differences for item in difference.only_there)
    for start in range(0, len(wanted), DOTS_AT_ONCE):
        body = json.dumps({"dots": wanted[start : start + DOTS_AT_ONCE]}).encode()
        response = client.request(
            "POST", ENTRIES_PATH, body=body, timeout_seconds=DIGEST_TIMEOUT_SECONDS
        )
        backfill.join(decode_batch(response.body))
    lacking = _dots(item for difference in differences for item in difference.only_here)
    for start in range(0, len(lacking), DOTS_AT_ONCE):
        client.request(
            "PUT",
            ENTRIES_PATH,
            body=backfill.encode_dots(lacking[start : start + DOTS_AT_ONCE]),
            timeout_seconds=DIGEST_TIMEOUT_SECONDS,
        )


def _dots(items: Iterable[Item]) -> list[tuple[int, int]]:
    return sorted({(item.actor, item.seq) for item in items})
