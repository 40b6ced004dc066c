"""Reads and conditional writes that a majority of the members takes part in.

A majority of the members has every confirmed write, so asking a majority about a key finds it. What
they have and this node lacks is joined here, with its own dot and context; what this node has and
too few of them have is given to them before it is served, so that no later reader sees less.
"""

import contextlib
import hashlib
import json
import random
import secrets
from collections.abc import Collection, Iterator, Mapping

from cluster import selectors as cluster_selectors
from cluster import transport
from replication import backfill, polling
from replication.claims import claims
from replication.core.envelope import Batch, decode_batch, encode_batch
from replication.core.tokens import Token
from replication.errors import KeyClaimed, ReadRefused
from replication.selectors import frontiers
from rs3gw.common import clock, identity
from rs3gw.storage import rows
from rs3gw.storage.models import Bucket

KEY_PATH = "/_cluster/key"
CLAIM_PATH = "/_cluster/claim"
VERSIONS_MAX = 100
CLAIM_WAIT_SECONDS_MAX = 3.0
TOKEN_WAIT_SECONDS_MAX = 0.5
TOKEN_LOOK_SECONDS = 0.01
GRANTED = b"granted"
HELD = b"held"
_OF_KEY = (
    f"SELECT {rows.ENTRY_COLUMNS} FROM storage_objectversion "  # noqa: S608  (our own columns)
    "WHERE bucket_id = %s AND key = %s ORDER BY hlc DESC, actor DESC, seq DESC LIMIT %s"
)


def state_of(bucket: Bucket, key: str) -> Batch:
    """Return what this node holds of a key, the newest versions first, as a batch to be joined."""
    found = rows.fetch_all(_OF_KEY, (bucket.pk, key, VERSIONS_MAX))
    return backfill.batch_of([rows.to_entry(row) for row in found])


def digest_of(batch: Batch) -> str:
    """Return a short text that two nodes share when they hold the same of a key."""
    wires = [
        [event.actor, event.seq, event.version_id, event.payload.get("changes", [])]
        for event in batch.events
    ]
    return hashlib.sha256(json.dumps(sorted(wires), sort_keys=True).encode()).hexdigest()[:32]


def answer(bucket: Bucket | None, key: str, known_digest: str) -> bytes:
    """Return what this node answers who asks about a key: b"" when both hold the same."""
    if bucket is None:
        return b"" if known_digest == digest_of(_NOTHING) else encode_batch(_NOTHING)
    batch = state_of(bucket, key)
    return b"" if digest_of(batch) == known_digest else encode_batch(batch)


_NOTHING = Batch(sender_node="", sender_region="", cluster_id="")


def refresh(bucket: Bucket, key: str, *, is_enough: polling.Enough | None = None) -> None:
    """Make this node hold all that a majority of the members knows of a key.

    Args:
        bucket: The bucket.
        key: The key.
        is_enough: Tells whether enough others have answered; a majority, this node included,
            when None.

    Raises:
        ReadRefused: Too few members answer.
    """
    is_enough = is_enough or _is_majority
    if is_enough({}):
        return
    own = state_of(bucket, key)
    digest = digest_of(own)
    body = json.dumps({"bucket": bucket.name, "key": key, "digest": digest}).encode()
    answers = polling.ask(
        cluster_selectors.registered_peers(),
        lambda client: (
            client.request(
                "POST", KEY_PATH, body=body, timeout_seconds=polling.ASK_TIMEOUT_SECONDS
            ).body
        ),
        is_enough=is_enough,
    )
    if not is_enough(answers):
        raise ReadRefused
    theirs = {node_id: decode_batch(data) for node_id, data in answers.items() if data}
    if not theirs:
        return
    for batch in theirs.values():
        if batch.events:
            backfill.join(batch)
    _give_back(bucket, key, theirs)


def _is_majority(answers: Collection[str]) -> bool:
    """Return whether these members and this node are a majority."""
    return cluster_selectors.electorate().is_reached([identity.load().node_id, *answers])


def _give_back(bucket: Bucket, key: str, theirs: Mapping[str, Batch]) -> None:
    """Give those that were asked what they lack, before anybody is told of it."""
    batch = state_of(bucket, key)
    digest, data = digest_of(batch), encode_batch(batch)
    lacking = [node_id for node_id, held in theirs.items() if digest_of(held) != digest]
    members = [n for n in cluster_selectors.registered_peers() if n.node_id in lacking]
    taken = polling.ask(
        members,
        lambda client: (
            client.request(
                "PUT",
                KEY_PATH,
                body=data,
                content_type="application/x-rs3gw-batch",
                timeout_seconds=polling.ASK_TIMEOUT_SECONDS,
            ).body
        ),
        is_enough=lambda answers: len(answers) >= len(members),
    )
    if len(taken) < len(members):
        raise ReadRefused


@contextlib.contextmanager
def claimed(bucket: Bucket, key: str) -> Iterator[None]:
    """Hold a key alone, as far as conditional writes go, and know all that was confirmed of it.

    Raises:
        KeyClaimed: Somebody else holds it, and goes on doing so.
        ReadRefused: Too few members answer.
    """
    token = secrets.token_hex(12)
    try:
        _claim(bucket, key, token)
        refresh(bucket, key)
        yield
    finally:
        _release(bucket, key, token)


def _claim(bucket: Bucket, key: str, token: str) -> None:
    deadline = clock.monotonic() + CLAIM_WAIT_SECONDS_MAX
    rng = random.Random()
    for attempt in range(100):
        answers = _ask_claim(bucket, key, token)
        electorate = cluster_selectors.electorate()
        if electorate.is_reached(_granted(answers)):
            return
        if not electorate.is_reached(answers):
            raise ReadRefused
        _release(bucket, key, token)
        if clock.monotonic() > deadline:
            break
        # Two that hold a part each must not meet again in step.
        clock.sleep(rng.uniform(0.002, 0.01) * min(2**attempt, 32))
    raise KeyClaimed


def _ask_claim(bucket: Bucket, key: str, token: str) -> dict[str, bytes]:
    """Return what each member answers who is asked for a claim, this node included."""
    is_granted = claims.grant(bucket.name, key, token, clock.monotonic())
    own = {identity.load().node_id: GRANTED if is_granted else HELD}
    electorate = cluster_selectors.electorate()
    body = json.dumps({"bucket": bucket.name, "key": key, "token": token}).encode()
    answers = polling.ask(
        cluster_selectors.registered_peers(),
        lambda client: (
            client.request(
                "POST", CLAIM_PATH, body=body, timeout_seconds=polling.ASK_TIMEOUT_SECONDS
            ).body
        ),
        is_enough=lambda answers: electorate.is_reached(_granted({**own, **answers})),
    )
    return {**own, **answers}


def _granted(answers: Mapping[str, bytes]) -> list[str]:
    return [node_id for node_id, answer in answers.items() if answer == GRANTED]


def _release(bucket: Bucket, key: str, token: str) -> None:
    claims.release(bucket.name, key, token)
    body = json.dumps({"bucket": bucket.name, "key": key, "token": token}).encode()
    polling.tell(
        cluster_selectors.registered_peers(),
        lambda client: (
            client.request(
                "DELETE", CLAIM_PATH, body=body, timeout_seconds=polling.ASK_TIMEOUT_SECONDS
            ).body
        ),
    )


def wait_for(token: Token) -> bool:
    """Wait until this node has applied what a session token names; return whether it has.

    The wait is at most `TOKEN_WAIT_SECONDS_MAX`.
    """
    deadline = clock.monotonic() + TOKEN_WAIT_SECONDS_MAX
    while not token.is_met(frontiers()):
        if clock.monotonic() > deadline:
            return False
        clock.sleep(TOKEN_LOOK_SECONDS)
    return True


def find_elsewhere(bucket: Bucket, key: str) -> None:
    """Ask every member that can be reached about a key that this node may not have yet."""
    reachable = [node for node in cluster_selectors.routable() if not node.is_self]
    with contextlib.suppress(ReadRefused, transport.PeerError):
        refresh(bucket, key, is_enough=lambda answers: len(answers) >= len(reachable))
