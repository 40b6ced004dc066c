"""Sending events and bodies to one destination: a member of the region or a remote region."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings

from cluster import conf
from cluster import transport as cluster_transport
from cluster.core.electorate import sets_from_header
from cluster.core.node import NodeInfo
from replication import entries
from replication.bodies import BLOB_PATH, is_inline, open_one
from replication.core.envelope import Batch, ItemResult, decode_results, encode_batch
from replication.core.events import ReplicationEvent
from rs3gw.common import identity
from rs3gw.storage import rows
from rs3gw.storage.errors import BodyMissing
from rs3gw.storage.models import Bucket

EVENTS_PATH = "/_cluster/events"
WANTED_PATH = "/_cluster/blobs/wanted"
FRONTIER_PATH = "/_cluster/frontier"
BATCH_TIMEOUT_SECONDS = 30.0
BATCH_CONTENT_TYPE = "application/x-rs3gw-batch"
MEMBERS_HEADER = "X-Rs3gw-Members"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a lane leads, ready to be talked to.

    Attributes:
        name: Node id of a member, or name of a remote region.
        addresses: Cluster addresses, tried in order; a member has one.
        scope: Signing scope; "" for the cluster's own.
        secret: Pairing key of a remote region; "" for the cluster's own secret.
        compression: `identity` or `zstd`.
    """

    name: str
    addresses: tuple[str, ...]
    scope: str = ""
    secret: str = ""
    compression: str = "identity"


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """What came back for a batch.

    Attributes:
        results: What became of each event.
        sent_bytes: Size of the request.
        member_sets: The members that the receiver counts, in each set of which a majority must
            agree; empty when it is no member of this region.
    """

    results: list[ItemResult]
    sent_bytes: int
    member_sets: tuple[frozenset[str], ...] = ()


def member(node: NodeInfo) -> Destination:
    """Return a member of this region as a destination."""
    return Destination(name=node.node_id, addresses=(node.address,))


def peer_clients(destination: Destination) -> Iterable[cluster_transport.PeerClient]:
    """Yield a client for each address of a destination, in order."""
    for address in destination.addresses:
        yield cluster_transport.PeerClient(
            address, scope=destination.scope or None, secret=destination.secret or None
        )


def reachable_client(destination: Destination) -> cluster_transport.PeerClient:
    """Return a client for the first address that answers.

    Raises:
        PeerError: None does; the error is that of the last one tried.
    """
    clients = list(peer_clients(destination))
    if len(clients) == 1:
        return clients[0]
    failure: cluster_transport.PeerError | None = None
    for client in clients:
        try:
            client.request("GET", "/_cluster/ping", timeout_seconds=3.0)
        except cluster_transport.PeerUnreachable as error:
            failure = error
        else:
            return client
    raise failure or cluster_transport.PeerUnreachable("The destination has no address.")


def send_batch(
    client: cluster_transport.PeerClient,
    events: Sequence[ReplicationEvent],
    *,
    compression: str,
    inline: Mapping[str, bytes] | None = None,
    settled: Mapping[int, int] | None = None,
) -> BatchAnswer:
    """Send events in one request and return what became of them.

    Args:
        client: The peer.
        events: At most 500, in log order.
        compression: `identity` or `zstd`.
        inline: Small bodies that the caller has at hand; the others are read from the database.
        settled: For a remote region: up to where this node has nothing left to send.

    Raises:
        PeerError: The peer did not take the batch; nothing is known of its events.
    """
    bodies = _inline_bodies(events, dict(inline or {}))
    batch = Batch(
        sender_node=identity.load().node_id,
        sender_region=settings.RS3GW_REGION,
        cluster_id=conf.cluster_id(),
        events=tuple(events),
        inline_bodies=bodies,
        through=dict(settled or {}),
        bucket_records=bucket_records({event.bucket_incarnation for event in events}),
    )
    data = encode_batch(batch, compression=compression)
    response = client.request(
        "POST",
        EVENTS_PATH,
        body=data,
        content_type=BATCH_CONTENT_TYPE,
        timeout_seconds=BATCH_TIMEOUT_SECONDS,
    )
    sets = sets_from_header(response.headers.get(MEMBERS_HEADER, ""))
    return BatchAnswer(decode_results(response.body), len(data), sets)


def _inline_bodies(
    events: Sequence[ReplicationEvent], bodies: dict[str, bytes]
) -> dict[str, bytes]:
    for event in events:
        for sha256, size_bytes in entries.event_bodies(event):
            if sha256 not in bodies and is_inline(size_bytes):
                data = rows.read_inline(sha256)
                if data is not None:
                    bodies[sha256] = data
    return bodies


def bucket_records(incarnations: Iterable[str]) -> dict[str, dict[str, object]]:
    """Return what a receiver needs to create the buckets of a batch that it has not heard of."""
    wanted = [incarnation for incarnation in incarnations if incarnation]
    return {
        str(bucket.incarnation): {
            "name": bucket.name,
            "owner": bucket.owner,
            "region": bucket.region,
            "actor": bucket.create_actor,
            "seq": bucket.create_seq,
            "hlc": bucket.create_hlc,
        }
        for bucket in Bucket.objects.filter(incarnation__in=wanted, create_seq__gt=0)
    }


def send_bodies(
    client: cluster_transport.PeerClient,
    bodies: Sequence[tuple[str, int]],
    *,
    must_take: Collection[str] = (),
) -> int:
    """Send those of these bodies that the peer wants; return the bytes sent.

    Those that it `must_take` it wants though they belong to others, unless it has them. A body
    that this node no longer has is left out: the peer will say that it needs it.

    Raises:
        PeerError: The peer does not answer, or refuses a body.
    """
    large = [(sha256, size) for sha256, size in dict(bodies).items() if not is_inline(size)]
    if not large:
        return 0
    body = json.dumps({"bodies": large, "take": sorted(must_take)}).encode()
    response = client.request("POST", WANTED_PATH, body=body)
    wanted = set(json.loads(response.body)["wanted"])
    sent = 0
    for sha256, size_bytes in large:
        if sha256 in wanted:
            try:
                chunks = open_one(sha256, size_bytes, 0, size_bytes)
                client.send_stream("PUT", BLOB_PATH + sha256, chunks, size_bytes)
                sent += size_bytes
            except BodyMissing:
                continue
    return sent


def read_frontiers(client: cluster_transport.PeerClient) -> dict[int, int]:
    """Return how far the peer has applied each of this node's writers.

    Raises:
        PeerError: The peer does not answer.
    """
    response = client.request("GET", FRONTIER_PATH)
    return {int(actor): int(seq) for actor, seq in json.loads(response.body).items()}
